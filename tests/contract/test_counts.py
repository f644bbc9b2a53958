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
from rich.console import Console

from hpcvbi.cli import show
from hpcvbi.cli.progress import progress_on
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
    assert "12 draws  25.0 % diverged  8.3 % failed" in (tmp_path / "run.log").read_text()


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
