"""Several drivers of one store: paused, taken over, without any lock, on clocks that disagree, with
other workers, in another order. Work may be wasted; nothing is lost and the bytes are equal.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import files

from hpcvbi.core.block import Block, BlockReport, blocks_of
from hpcvbi.core.errors import StoreBusy
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Variable, progress
from hpcvbi.store.durable import write_file
from hpcvbi.store.ledger import read_records
from hpcvbi.store.lock import DriverLock, read_owner

STUDY, SHA = {"seed": 1}, "b" * 64
PARAMS = (Param("G", 1.0),)
OUTPUTS = (Output("features", ("draw", "feature"), (Variable("feature", ("feature",), ["fc"]),)),)
DRAWS, SIZE = 240, 4
THETA = np.linspace(0.0, 1.0, DRAWS)[:, None]
BLOCKS = blocks_of("a", "round_000", DRAWS, SIZE)


def compute(store: Store, block: Block) -> BlockReport:
    x = np.random.default_rng(block.index).random((block.size, 1), dtype=np.float32)
    values = {"features": x, "status": np.ones(block.size, dtype=np.uint8)}
    return BlockReport(block, 0, 0.1, "here", store.write_block(block, values))


def run(folder: Path, backwards: bool = False, at_most: int = DRAWS) -> int:
    """A study of 60 blocks; returns how many it computed."""
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
        todo = store.missing(BLOCKS)[:: -1 if backwards else 1][:at_most]
        for block in todo:
            store.mark(compute(store, block))
        if at_most == DRAWS:
            x = store.read("a", "round_000")["features"]
            store.put("a", "posterior", [Variable("G", ("chain", "draw"), x.T)])
            store.finish()
    return len(todo)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole") / "study"
    assert run(folder) == len(BLOCKS)
    return files(folder / "store.zarr")


def script(code: str, *words: object) -> subprocess.Popen[str]:
    """Do `code` with the names of this module, in another process."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-c", f"import os, sys, time\nfrom test_drivers import *\n{code}"]
        + [str(word) for word in words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


PAUSED = """
folder = Path(sys.argv[1])
with Driver.create(folder, STUDY, SHA) as store:
    store.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
    for block in BLOCKS[:3]:
        store.mark(compute(store, block))
    print("begun", flush=True)
    sys.stdin.readline()
    try:
        for block in store.missing(BLOCKS):
            store.mark(compute(store, block))
    except StoreBusy as error:
        print(error, flush=True)
"""


@pytest.fixture
def paused(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A driver that has marked three blocks and is stopped (SIGSTOP)."""
    child = script(PAUSED, tmp_path / "study")
    assert child.stdout is not None and child.stdin is not None
    with child.stdout, child.stdin:
        assert child.stdout.readline() == "begun\n"
        child.send_signal(signal.SIGSTOP)
        try:
            yield child
        finally:
            child.kill()
            child.wait()


def wake(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None and child.stdin is not None
    child.send_signal(signal.SIGCONT)
    child.stdin.write("\n")
    child.stdin.flush()
    return child.stdout.read()


def test_a_paused_driver_keeps_its_store_and_finishes(
    paused: subprocess.Popen[str], tmp_path: Path, whole: dict[str, bytes]
) -> None:
    """However long it is silent: its process is there."""
    folder = tmp_path / "study"
    time.sleep(0.3)
    with pytest.raises(StoreBusy, match=rf"process {paused.pid} on .* sign of life .* s ago"):
        DriverLock(folder, stale_s=0.1)
    assert wake(paused) == ""
    assert paused.wait() == 0
    assert run(folder) == 0
    assert files(folder / "store.zarr") == whole


def test_a_paused_driver_that_was_taken_over_stops_when_it_wakes(
    paused: subprocess.Popen[str], tmp_path: Path, whole: dict[str, bytes]
) -> None:
    """As after a partition, when another machine has the lock: it wrote, but marks nothing."""
    folder = tmp_path / "study"
    body = json.loads((folder / "driver.lock").read_text())
    (folder / "driver.lock").write_text(json.dumps({**body, "place": "a lost machine"}))
    with Driver(folder, stale_s=0.3) as store:
        store.mark(compute(store, BLOCKS[3]))
        said = wake(paused)
        assert "this driver has lost" in said and "Nothing is damaged" in said
        assert paused.wait() == 0
        store.append("still mine")
    assert len(Store.open(folder).done_blocks("full")) == 4
    assert run(folder) == len(BLOCKS) - 4
    assert files(folder / "store.zarr") == whole


def test_a_driver_without_its_lock_removes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    with Driver.create(folder, STUDY, SHA) as first:
        body = json.loads((folder / "driver.lock").read_text())
        (folder / "driver.lock").write_text(json.dumps({**body, "token": "another"}))
        other = folder / "store.zarr/a/round_000/written_by_another"
        other.parent.mkdir(parents=True)
        other.touch()
        with pytest.raises(StoreBusy, match="lost"):
            first.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
        assert other.exists()


UNLOCKED = """
from hpcvbi.store import driver

class NoLock:
    def __init__(self, folder, stale_s): pass
    def check(self): pass
    def held(self): return True
    def release(self): pass

driver.DriverLock = NoLock
folder, backwards = Path(sys.argv[1]), sys.argv[2] == "1"
with Driver.open(folder) as store:
    print("in", flush=True)
    sys.stdin.readline()
    todo = store.missing(BLOCKS)[:: -1 if backwards else 1]
    for block in todo:
        store.mark(compute(store, block))
    x = store.read("a", "round_000")["features"]
    store.put("a", "posterior", [Variable("G", ("chain", "draw"), x.T)])
    print(len(todo), flush=True)
"""


def test_two_drivers_without_a_lock_waste_work_and_do_no_harm(
    tmp_path: Path, whole: dict[str, bytes]
) -> None:
    folder = tmp_path / "study"
    run(folder, at_most=0)
    children = [script(UNLOCKED, folder, way) for way in (0, 1)]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "in\n"
    said = []
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        said.append(int(child.communicate()[0]))
        assert child.returncode == 0
    assert said == [len(BLOCKS), len(BLOCKS)]
    store = Store.open(folder)
    assert len(store.done_blocks("full")) == len(BLOCKS) and store.done_puts("full")
    records, refused = read_records(folder / "ledger", SHA)
    keys = Counter(r["index"] for r in records if r["kind"] == "block")
    assert set(keys.values()) == {2} and not refused
    assert run(folder) == 0
    assert files(folder / "store.zarr") == whole


def test_a_shard_that_another_driver_sweeps_half_written_is_written_again(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, replace, swept = tmp_path / "study", os.replace, []

    def sweep_first(source: Path, target: Path) -> None:
        if str(source).endswith(".partial") and str(target) not in swept:
            swept.append(str(target))
            os.unlink(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", sweep_first)
    assert run(folder) == len(BLOCKS)
    assert len(swept) == 2 * len(BLOCKS)
    assert files(folder / "store.zarr") == whole


def test_a_file_that_another_driver_sweeps_half_written_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, swept = os.replace, []

    def sweep_first(source: Path, target: Path) -> None:
        if len(swept) < 3:
            swept.append(source)
            os.unlink(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", sweep_first)
    write_file(tmp_path / "zarr.json", b"{}")
    assert len(set(swept)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["zarr.json"]


def test_a_data_set_that_another_driver_removes_half_written_is_written_again(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, replace, removed = tmp_path / "study", os.replace, list[Path]()

    def remove_first(source: Path, target: Path) -> None:
        group = folder / "store.zarr/a/posterior"
        if group in Path(target).parents and len(removed) < 3:
            removed.append(Path(target))
            shutil.rmtree(group)
        replace(source, target)

    monkeypatch.setattr(os, "replace", remove_first)
    assert run(folder) == len(BLOCKS)
    assert len(removed) == 3
    assert files(folder / "store.zarr") == whole


def test_resumed_in_another_order_by_another_host(tmp_path: Path, whole: dict[str, bytes]) -> None:
    folder = tmp_path / "study"
    assert run(folder, at_most=11) == 11
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    rename = """
import socket
socket.gethostname = lambda: "node7"
print(run(Path(sys.argv[1]), backwards=True, at_most=20))
"""
    child = script(rename, moved)
    assert child.communicate()[0] == "20\n"
    assert run(moved) == len(BLOCKS) - 31
    assert files(moved / "store.zarr") == whole


SKEWED = """
real, skew = time.time, float(sys.argv[2])
time.time = lambda: real() + skew
from datetime import datetime, timedelta
from hpcvbi.store import ledger
from lost_blocks import lost_blocks

class Skewed(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds=skew)

ledger.datetime = Skewed
with Driver.open(Path(sys.argv[1])) as store:
    print(len(lost_blocks(store)))
print(run(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off_changes_nothing(
    tmp_path: Path, whole: dict[str, bytes], hours: int
) -> None:
    """What was said last counts, whatever time it says it is."""
    folder = tmp_path / "study"
    run(folder)
    shard = folder / "store.zarr/a/round_000/features/c.7.0"
    shard.write_bytes(bytes(shard.stat().st_size))
    child = script(SKEWED, folder, hours * 3600)
    assert child.communicate()[0].split() == ["1", "1"]
    times = {r["at"] for r in read_records(folder / "ledger", SHA)[0]}
    first, last = min(times), max(times)
    assert first[:13] != last[:13]  # the hours differ
    assert len(Store.open(folder).done_blocks("full")) == len(BLOCKS)
    assert progress(folder).rounds[0].blocks_done == len(BLOCKS)
    assert run(folder) == 0
    assert files(folder / "store.zarr") == whole


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_lock_looks_at_no_clock(tmp_path: Path, hours: int) -> None:
    """The owner's clock is an hour off: it keeps its lock while it beats, and only so long."""
    folder = tmp_path / "study"
    run(folder, at_most=0)
    DriverLock(folder, stale_s=3600.0)  # does not beat during this test
    lock = folder / "driver.lock"
    body = json.loads(lock.read_text())
    lock.write_text(json.dumps({**body, "place": "another machine", "host": "node7", "token": "x"}))

    def beat() -> None:
        now = time.time() + hours * 3600
        os.utime(lock, (now, now))

    beat()
    beating = script(
        "path = sys.argv[1]\n"
        "while True:\n"
        f"    os.utime(path, (time.time() + {hours * 3600},) * 2)\n"
        "    time.sleep(0.02)",
        lock,
    )
    try:
        moved = read_owner(folder).beat
        while read_owner(folder).beat == moved:
            time.sleep(0.02)
        with pytest.raises(StoreBusy, match="on node7"):
            DriverLock(folder, stale_s=30.0)
    finally:
        beating.kill()
        beating.communicate()
    beat()
    with DriverLock(folder, stale_s=0.3) as mine:
        assert mine.held()
