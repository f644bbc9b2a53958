"""What became of every draw is counted: in the ledger, on the terminal, on the page, beside the
posterior.
"""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from finished_study import Cohort, Fate, write
from in_process import Silent, Together
from rich.console import Console
from synthetic_people import write_study

from hpcvbi import open_store
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.cli import show
from hpcvbi.cli.progress import progress_on
from hpcvbi.config import cohort_of, identity, load
from hpcvbi.core.block import Block, BlockReport, Status, blocks_of
from hpcvbi.core.space import Param
from hpcvbi.report import build, findings, judged
from hpcvbi.report.findings import EXCLUDED
from hpcvbi.store import Driver, Output, Variable, progress

SHA, SIZE = "e" * 64, 8
STATUS = np.array([1, 1, 2, 3, 4, 4, 5, 1, 1, 2, 2, 1], np.uint8)
COUNTS = (5, 2, 1, 3, 1)
"""ok, halved, quartered, diverged, failed"""
OUTPUTS = (Output("features", ("draw", "feature"), (Variable("feature", ("feature",), ["fc"]),)),)


def report(store: Driver, block: Block) -> BlockReport:
    status = STATUS[block.start : block.stop]
    values = {"status": status, "features": np.full((block.size, 1), np.nan)}
    counts = {s: int((status == s).sum()) for s in Status}
    return BlockReport(
        block,
        counts[Status.DIVERGED],
        failed=counts[Status.FAILED],
        halved=counts[Status.HALVED],
        quartered=counts[Status.QUARTERED],
        seconds=2.0,
        host="here",
        digests=store.write_block(block, values),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    theta = np.zeros((len(STATUS), 1))
    with Driver.create(tmp_path / "out", {"people": {"ann": ""}}, SHA) as store:
        store.prepare("ann", "round_000", theta, (Param("G", 1.0),), OUTPUTS, SIZE)
        blocks = blocks_of("ann", "round_000", len(STATUS), SIZE)
        store.mark(*(report(store, block) for block in blocks))
    return tmp_path / "out"


def counts_of(folder: Path) -> tuple[int, ...]:
    (r,) = progress(folder).rounds
    return r.ok, r.halved, r.quartered, r.diverged, r.failed


def test_the_ledger_counts_what_the_arrays_hold(folder: Path) -> None:
    assert counts_of(folder) == COUNTS and sum(COUNTS) == len(STATUS)


def test_records_from_before_these_counts_still_count(folder: Path) -> None:
    for path in folder.glob("ledger/*.log"):
        lines = []
        for line in path.read_bytes().splitlines():
            record = json.loads(line[9:])
            for name in ("failed", "halved", "quartered"):
                record.pop(name, None)
            body = json.dumps(record, separators=(",", ":")).encode()
            lines.append(b"%08x %s\n" % (zlib.crc32(body), body))
        path.write_bytes(b"".join(lines))
    assert progress(folder).ignored == 0
    assert counts_of(folder) == (9, 0, 0, 3, 0)


def test_status_shows_them_per_person_and_round(folder: Path) -> None:
    console = Console(width=100, record=True)
    show.status(console, progress(folder))
    head, row, *_ = console.export_text().splitlines()
    assert head.split()[:9] == [
        "person",
        "round",
        "blocks",
        "draws",
        "ok",
        "dt/2",
        "dt/4",
        "diverged",
        "failed",
    ]
    assert row.split()[:9] == ["ann", "round_000", "2/2", "12/12", *map(str, COUNTS)]


def test_a_line_of_the_log_says_what_was_lost(folder: Path, tmp_path: Path) -> None:
    blocks = blocks_of("ann", "round_000", len(STATUS), SIZE)
    with progress_on(Console(record=True), tmp_path, len(STATUS)) as told:
        told.planned("ann", "round_000", blocks, 2)
        told.computed(BlockReport(blocks[0], 3, failed=0, seconds=1.0, host="h"))
        told.computed(BlockReport(blocks[1], 0, failed=1, seconds=1.0, host="h"))
    assert "12 draws  25.0 % diverged  1 failed" in (tmp_path / "run.log").read_text()


def test_the_page_counts_every_round(tmp_path: Path) -> None:
    folder = write(tmp_path / "study", Cohort({"101": Fate()}))
    page = build(folder).read_text(encoding="utf-8")
    row = "".join(f"<td>{cell}</td>" for cell in ("101", "round_000", 40, 38, 0, 0, 2, 0, 0))
    assert row in page
    (result,) = judged(folder)
    assert [result.number(n) for n in ("draws", "ok", "diverged", "failed")] == [78, 76, 2, 0]
    assert [result.number(n) for n in ("proposed", "learned", "excluded")] == [40, 38, 0.05]
    said = {f.about: f for f in findings(result)}
    assert not said["excluded"].loud
    assert "5.0% of the draws to learn from were left out, 2 of 40" in said["excluded"].text
    many = {**result.numbers, "excluded": np.asarray(EXCLUDED), "learned": np.asarray(36.0)}
    said = {f.about: f for f in findings(replace(result, numbers=many))}
    assert said["excluded"].loud and "10.0%" in said["excluded"].text


def test_a_run_says_what_became_of_its_draws_and_what_it_learned_from(
    people_folder: Path, tmp_path: Path
) -> None:
    """Euler on dx = gamma x is stable for -gamma dt < 2: what gamma is, the draw becomes."""
    path, out = tmp_path / "study.yaml", tmp_path / "out"
    text = write_study(path, people_folder, out).read_text()
    for old, new in (
        ("{name: wong_wang_ei}", "{name: linear}"),
        ("on: [S_E]", "on: [x]"),
        ("of: S_E", "of: x"),
        ("burn_in: 10080}", "burn_in: 1440, refine: 2}"),
        ("sigma: {prior: log_uniform, low: 5e-5, high: 4e-4}",
         "gamma: {prior: uniform, low: -6.0, high: -0.5}"),
        ("G: {prior: uniform, low: 0.4, high: 1.3}", "G: {prior: uniform, low: 1e-3, high: 2e-3}"),
        ("draws: 48", "rounds: 1\n  draws: 48"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    path.write_text(text + "values: {sigma: 1e-3}\n")
    study = load(path)
    people = cohort_of(study)[:1]
    manifest, sha256 = identity(study, people)
    with Driver.create(out, manifest, sha256) as store:
        outcome = run(study, people, store, lambda: Together(out), Silent(), Stop())  # type: ignore
    assert not outcome.failed
    found = open_store(out)["anna/round_000"].to_dataset()
    gamma = found.theta.sel(param="gamma").values
    became = np.select(
        [gamma > -1, gamma > -2, gamma > -4],
        [Status.OK, Status.HALVED, Status.QUARTERED],
        Status.DIVERGED,
    )
    np.testing.assert_array_equal(found.status, became)
    first = next(r for r in progress(out).rounds if r.round == "round_000")
    counts = [int((became == s).sum()) for s in Status]
    assert (first.ok, first.halved, first.quartered) == (counts[1], counts[4], counts[5])
    assert (first.diverged, first.failed) == (counts[2], 0) and first.diverged > 5
    about = open_store(out)["anna/posterior"].attrs
    assert about["draws_proposed"] == 48 and about["draws_excluded"] == first.diverged
    assert about["excluded_fraction"] == first.diverged / 48
    judgement = open_store(out)["anna/evaluation"]
    assert float(judgement["excluded"]) == about["excluded_fraction"]
    assert float(judgement["diverged"]) == sum(r.diverged for r in progress(out).rounds)
    assert any(f.about == "excluded" and f.loud for r in judged(out) for f in findings(r))
