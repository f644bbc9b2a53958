"""Few and large files: how many draws make a block, what a round costs in inodes, and in fsyncs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import environment
from in_process import Enough, Silent, Together
from synthetic_people import write_study

from hpcvbi.campaign import plan, subjects_of
from hpcvbi.campaign.blocks import (
    FEWEST,
    LARGE_SHARD,
    LARGE_TASK,
    LONG_S,
    NOMINAL_RATE,
    SHORT_S,
    SMALL_SHARD,
    draws_per_block,
)
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.config import cohort_of, identity, load
from hpcvbi.core.block import BlockReport, Status, blocks_of
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Variable
from hpcvbi.store.layout import RoundLayout

BOLD = 4 * 84 * 1200
"""Bytes of one draw of BOLD: 84 regions, 1200 volumes."""
SECOND = int(NOMINAL_RATE)
SHORT = SECOND // 40
LONG = 84 * 432_000
"""Region updates of one draw of this BOLD: 864 s in steps of 2 ms."""
FEATURE = Variable("feature", ("feature",), [f"f{k}" for k in range(10)])
FEATURES = (Output("features", ("draw", "feature"), (FEATURE,), dtype="float64"),)
PARAMS = (Param("G", 1.0), Param("sigma", 0.01))


@pytest.mark.parametrize(
    ("draws", "kept", "updates", "block"),
    [
        (4, 0, SHORT, 32),
        (160, 0, SHORT, 32),
        (10_000, 0, SHORT, 128),
        (65_536, 0, SHORT, 1024),
        (10**6, 0, SHORT, 1024),
        (10**6, BOLD, SHORT, 512),
        (1024, BOLD, SHORT, 64),
        (160, BOLD, SHORT, 32),
        (10**6, 25 * BOLD, SHORT, 16),
        (160, LARGE_SHARD, SHORT, 1),
        # a second of work at least, as long as 16 blocks remain
        (10_000, 0, SECOND // 1024, 512),
        (100_000, 0, SECOND // 1024, 1024),
        (10_000, 0, SECOND // 256, 256),
        (160, 0, SECOND // 1024, 32),
        # and half a minute at most, unless 32 draws take longer
        (10**6, 0, LONG, 256),
        (10**6, BOLD, LONG, 256),
        (10**6, 0, SECOND, 32),
        (10**6, 0, 10 * SECOND, 32),
    ],
)
def test_blocks_follow_from_the_study(draws: int, kept: int, updates: int, block: int) -> None:
    assert draws_per_block(draws, kept, kept, updates) == block


def test_blocks_have_the_size_and_the_work_that_clusters_want() -> None:
    rng = np.random.default_rng(0)
    small, short = 0, 0
    for draws, kept, updates in zip(
        rng.integers(1, 10**6, 3000),
        np.exp(rng.uniform(8, 17, 3000)),
        np.exp(rng.uniform(10, 22, 3000)),
        strict=True,
    ):
        block = draws_per_block(int(draws), int(kept), 2 * int(kept), int(updates))
        seconds = block * int(updates) / NOMINAL_RATE
        assert 1 <= block <= 1024 and block & (block - 1) == 0
        assert block * int(kept) <= LARGE_SHARD and 2 * block * int(kept) <= LARGE_TASK
        assert seconds <= LONG_S or block <= FEWEST
        # a larger one would leave too few tasks, hold too many draws, bytes, or too much work
        as_large_as_may_be = (
            2 * block * 16 > draws
            or block == 1024
            or 2 * seconds > LONG_S
            or 2 * block * int(kept) > LARGE_SHARD
            or 4 * block * int(kept) > LARGE_TASK
        )
        if block * int(kept) < SMALL_SHARD:
            small += 1
            assert as_large_as_may_be
        if seconds < SHORT_S:
            short += 1
            assert as_large_as_may_be
    assert 0 < small < 2000 and 0 < short < 2000


def inodes(folder: Path) -> int:
    return 1 + sum(1 for _ in folder.rglob("*"))


def test_a_million_draws_are_two_to_eight_thousand_inodes(tmp_path: Path) -> None:
    draws, block = 65_536, draws_per_block(65_536, 0, BOLD, SHORT)
    assert block == draws_per_block(10**6, 0, BOLD, SHORT) == 1024
    counted = {}
    with Driver.create(tmp_path / "out", {}, "f" * 64) as store:
        theta = np.random.default_rng(0).random((draws, 2))
        store.prepare("a", "round_000", theta, PARAMS, FEATURES, block)
        group = tmp_path / "out/store.zarr/a/round_000"
        counted["before"] = inodes(group)
        values = {
            "features": np.random.default_rng(1).random((block, 10)),
            "status": np.full(block, Status.OK, np.uint8),
        }
        reports = [
            BlockReport(b, 0, seconds=1.0, host="h", digests=store.write_block(b, values))
            for b in blocks_of("a", "round_000", draws, block)
        ]
        store.mark(*reports)
        counted["after"] = inodes(group)
        ledger = sum(p.stat().st_size for p in (tmp_path / "out/ledger").iterdir())
        assert len(list((tmp_path / "out/ledger").iterdir())) == 1
        assert store.draws("a", "round_000")[1] == block  # what a resumed study keeps to
        assert store.draws("a", "round_001") == (0, 0)
    layout = RoundLayout(PARAMS, FEATURES, draws, block)
    files = layout.blocks * (len(FEATURES) + 1)
    assert counted["after"] - counted["before"] == files == 128
    # keys have no directories of their own: every folder is a group or an array
    assert all((p / "zarr.json").exists() for p in (group, *group.rglob("*")) if p.is_dir())

    def million(updates: int) -> int:
        block = draws_per_block(10**6, 0, BOLD, updates)
        blocks = RoundLayout(PARAMS, FEATURES, 10**6, block).blocks
        return blocks * (len(FEATURES) + 1) + counted["before"]

    assert million(SHORT) == pytest.approx(2000, rel=0.03)
    assert million(LONG) == pytest.approx(8000, rel=0.03)  # of half a minute each
    assert ledger / draws * 10**6 < 2e6  # bytes


def test_the_study_decides_and_an_explicit_number_stays_possible(people_folder, tmp_path) -> None:
    def blocks(text: str) -> dict[str, int]:
        path = tmp_path / "study.yaml"
        path.write_text(text)
        study = load(path)
        return {r.round: r.blocks for r in plan(study, subjects_of(study, cohort_of(study))).rounds}

    text = write_study(tmp_path / "s.yaml", people_folder, tmp_path / "out", 4096).read_text()
    assert blocks(text)["round_000"] == 2 * 4096 // 16
    chosen = blocks(text.replace("block: 16", "block: null"))
    # BOLD of a draw has 4 * 12 * 300 bytes: 16 blocks of 256 draws have 3.7 MB each
    few = {"predictive": 2, "grid": 2, "grid_fresh": 2, "calibration": 2}
    assert chosen == {"round_000": 32, "round_001": 32, **few}
    assert blocks(text.replace("block: 16\n", "")) == chosen


def test_a_block_that_no_reader_takes_is_refused(people_folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["hpcvbi.campaign.plan"], "LARGEST_CHUNK", 100_000)
    study = load(write_study(tmp_path / "s.yaml", people_folder, tmp_path / "out", 16))
    people = cohort_of(study)
    with pytest.raises(ConfigError, match=r"block: 16 draws of 14400 bytes .* at most 6, or null"):
        plan(study, subjects_of(study, people))
    manifest, sha256 = identity(study, people)
    with (
        Driver.create(tmp_path / "out", manifest, sha256) as store,
        pytest.raises(ConfigError, match="at most 6"),
    ):
        run(study, people, store, lambda: Together(tmp_path / "out"), Silent(), Stop())


def test_marks_that_come_together_are_one_fsync(people_folder, tmp_path, monkeypatch) -> None:
    study = load(write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out"))
    people, out = cohort_of(study), tmp_path / "out"
    manifest, sha256 = identity(study, people)
    executor, real = Together(out, learns=False), os.fsync
    commits: list[int] = []  # blocks marked by each fsync of the ledger
    seen = 0

    def fsync(descriptor: int) -> None:
        nonlocal seen
        real(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.parent == out / "ledger":
            lines = path.read_bytes().splitlines()
            commits.append(sum(b'"kind":"block"' in line for line in lines[seen:]))
            seen = len(lines)

    monkeypatch.setattr(os, "fsync", fsync)
    with Driver.create(out, manifest, sha256) as store, pytest.raises(Enough):
        run(study, people, store, lambda: executor, Silent(), Stop())  # type: ignore[arg-type]
    # of each person three blocks of the first round and one of the grid
    assert executor.waited == 1
    assert [n for n in commits if n] == [2 * (3 + 1)]


@pytest.mark.battery
def test_durability_costs_less_than_two_percent(tmp_path: Path) -> None:
    """Digests, fsyncs and the mark of a block of 12 s, by the wall clock: needs an idle machine."""
    script = Path(__file__).parents[1] / "benchmarks/extras.py"
    command = [sys.executable, str(script), "ledger"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["simulating"] > 10.0
    assert found["features"]["share"] < 0.02 and found["signals"]["share"] < 0.02
