"""SIGKILL a driver before its n-th file-system event, for every n: no mark lies, resumes end equal.

A sweep visits each open for writing, write, rename, link, mkdir, remove and fsync from the creation
of a store to its last mark, which random kills seldom hit; of a write, half is done. It
runs in a process of its own that has one thread when it forks: this file is also that process's
script. There fsync is counted but not done, for a SIGKILL cannot tell the difference and a disk
can.
"""

import builtins
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcvbi.core.block import Block, BlockReport, blocks_of
from hpcvbi.core.errors import StoreError
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Variable

EVENTS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STUDY, SHA = {"seed": 1}, "c" * 64
PARAMS = (Param("G", 1.0),)
OUTPUTS = (Output("features", ("draw", "feature"), (Variable("feature", ("feature",), ["fc"]),)),)
DRAWS, SIZE = 6, 4


def theta() -> np.ndarray:
    return np.linspace(0.0, 1.0, DRAWS)[:, None]


def simulate(block: Block, theta: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(block.index)
    x = theta.astype(np.float32) + rng.random((block.size, 1), dtype=np.float32)
    return {"features": x, "status": np.ones(block.size, dtype=np.uint8)}


def compute(store: Driver, block: Block) -> BlockReport:
    values = simulate(block, store.theta(block.chain, block.round, block.start, block.stop))
    return BlockReport(block, 0, 0.1, "here", store.write_block(block, values))


def run(folder: Path) -> None:
    """A whole small study: computes what is missing."""
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", theta(), PARAMS, OUTPUTS, SIZE)
        for block in store.missing(blocks_of("a", "round_000", DRAWS, SIZE)):
            store.mark(compute(store, block))
        x = store.read("a", "round_000")["features"]
        store.put("a", "posterior", [Variable("G", ("chain", "draw"), x.T)], attrs={"n": len(x)})
        store.finish()


def run_replacing(folder: Path) -> None:
    """The same, after a posterior of other content and a round of another layout."""
    with Driver.create(folder, STUDY, SHA) as store:
        store.put("a", "posterior", [Variable("G", ("chain", "draw"), np.zeros((1, 6)))])
        store.prepare("a", "round_000", theta(), PARAMS, OUTPUTS, 2 * SIZE)
        store.mark(compute(store, Block("a", "round_000", 0, 0, DRAWS)))
    run(folder)


def run_marking_first(folder: Path) -> None:
    """The negative control: marks precede data, so some crash must leave a mark that lies."""
    shadow = folder.with_name("shadow")
    shutil.rmtree(shadow, ignore_errors=True)
    with Driver.create(shadow, STUDY, SHA) as other, Driver.create(folder, STUDY, SHA) as store:
        for side in (other, store):
            side.prepare("a", "round_000", theta(), PARAMS, OUTPUTS, SIZE)
        block = Block("a", "round_000", 0, 0, SIZE)
        store.mark(compute(other, block))
        compute(store, block)


RUNS: dict[str, Callable[[Path], None]] = {
    "whole": run,
    "replacing": run_replacing,
    "marking_first": run_marking_first,
}


def tree(folder: Path) -> dict[str, str]:
    root = folder / "store.zarr"
    files = (p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def in_child(function: Callable[..., None], *args: object) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            function(*args)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitpid(pid, 0)[1]


class Torn:
    """A binary file of which each write is an event: at the last one, half of it is written."""

    def __init__(self, file: Any, tick: Callable[..., None]) -> None:
        self._file, self._tick = file, tick

    def write(self, data: bytes) -> int:
        def half() -> None:
            self._file.write(memoryview(data)[: len(data) // 2])
            self._file.flush()

        self._tick(half)
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "Torn":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def crash(job: Callable[[Path], None], folder: Path, n: int) -> None:
    """Run `job`; die just before the n-th event under `folder`, or in the middle of a write."""
    count, top = 0, str(folder)
    opening, writing = io.open, os.write

    def tick(half: Callable[[], object] = lambda: None) -> None:
        nonlocal count
        count += 1
        if count == n:
            half()
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, args: tuple) -> None:
        if event == "open" and not (args[2] & WRITING):
            return
        if event in EVENTS and isinstance(args[0], str | os.PathLike):
            path = os.fspath(args[0])
            if isinstance(path, str) and path.startswith(top):
                tick()

    def open_torn(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        opened = opening(file, mode, *args, **options)
        mine = str(file).startswith(top) and "b" in mode and not mode.startswith("r")
        return Torn(opened, tick) if mine else opened

    def write_torn(descriptor: int, data: Any) -> int:
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(top):
            tick(lambda: writing(descriptor, memoryview(data)[: len(data) // 2]))
        return writing(descriptor, data)

    os.fsync = lambda descriptor: tick()
    os.write, io.open, builtins.open = write_torn, open_torn, open_torn
    sys.addaudithook(audit)
    job(folder)


def resume(folder: Path, out: Path) -> None:
    """Look for marks that lie, in full; then run to the end."""
    os.fsync = lambda descriptor: None
    counts = {"marks": 0, "lies": 0, "ignored": 0}
    if (folder / "MANIFEST.json").exists():
        store = Store.open(folder)
        marks = store._marks
        blocks, groups = marks.done(), {**marks.puts, **marks.rounds}
        counts["marks"] = len(blocks) + len(groups)
        held = store.done_blocks("full"), store.done_puts("full")
        rounds = {key for key in marks.rounds if not _round_holds(store, key)}
        counts["lies"] = len(blocks) - len(held[0]) + len(marks.puts) - len(held[1]) + len(rounds)
        counts["ignored"] = store.ignored
    out.write_text(json.dumps(counts))
    run(folder)


def _round_holds(store: Store, key: tuple[str, str]) -> bool:
    try:
        return bool(np.array_equal(store.theta(*key), theta()))
    except StoreError:
        return False


def sweep(name: str, work: Path, first: int, stride: int) -> dict[str, int]:
    work.mkdir()
    want_folder, folder, out = work / "want", work / "crash", work / "counts.json"
    assert in_child(run, want_folder) == 0
    want = tree(want_folder)
    total = dict.fromkeys(("points", "marks", "lies", "ignored", "failed", "different"), 0)
    n = first
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        if in_child(crash, RUNS[name], folder, n) == 0:
            return total
        n += stride
        total["points"] += 1
        if in_child(resume, folder, out):
            total["failed"] += 1
            continue
        for key, value in json.loads(out.read_text()).items():
            total[key] += value
        total["different"] += tree(folder) != want


def swept(name: str, work: Path, stride: int = 1) -> dict[str, int]:
    """Visit every `stride`-th crash point, in two processes that take turns."""
    halves = [
        subprocess.Popen(
            [sys.executable, __file__, name, str(work / str(first)), str(first), str(2 * stride)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_path()},
        )
        for first in (1, 1 + stride)
    ]
    total: dict[str, int] = {}
    for half in halves:
        text, _ = half.communicate()
        assert half.returncode == 0
        for key, value in json.loads(text).items():
            total[key] = total.get(key, 0) + value
    return total


def _path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def test_no_crash_point_leaves_a_lie(tmp_path: Path) -> None:
    total = swept("whole", tmp_path)
    assert total["points"] > 150
    assert total["marks"] > 100
    assert (total["lies"], total["failed"], total["different"]) == (0, 0, 0), total


def test_no_crash_point_while_replacing_leaves_a_lie(tmp_path: Path) -> None:
    total = swept("replacing", tmp_path, stride=7)
    assert total["points"] > 30
    assert (total["lies"], total["failed"], total["different"]) == (0, 0, 0), total


def test_the_sweep_sees_a_mark_that_precedes_its_data(tmp_path: Path) -> None:
    total = swept("marking_first", tmp_path, stride=5)
    assert total["lies"] > 0, total
    assert (total["failed"], total["different"]) == (0, 0), total


@pytest.mark.parametrize("moment", range(4))
def test_a_driver_killed_at_any_moment_resumes_equal(tmp_path: Path, moment: int) -> None:
    """Real time, not a counted event: the process group dies, the store ends equal."""
    command = [sys.executable, __file__, "run", str(tmp_path / "torn")]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **_path()}
    )
    assert child.stdout is not None
    with child.stdout:
        for _ in range(moment + 1):
            child.stdout.readline()
        child.kill()
    assert child.wait() == -signal.SIGKILL
    run(tmp_path / "torn")
    run(tmp_path / "whole")
    assert tree(tmp_path / "torn") == tree(tmp_path / "whole")


def _announcing_run(folder: Path) -> None:
    """Like `run`, and says each step, so that the test can kill it there; never ends by itself."""
    store = Driver.create(folder, STUDY, SHA)
    print("created", flush=True)
    with store:
        store.prepare("a", "round_000", theta(), PARAMS, OUTPUTS, SIZE)
        print("prepared", flush=True)
        for block in store.missing(blocks_of("a", "round_000", DRAWS, SIZE)):
            print("block", flush=True)
            store.mark(compute(store, block))
        signal.pause()


if __name__ == "__main__":
    task, place = sys.argv[1], Path(sys.argv[2])
    if task == "run":
        _announcing_run(place)
    else:
        print(json.dumps(sweep(task, place, *map(int, sys.argv[3:]))))
