"""Random SIGKILLs of a driver, of one of its workers, or of all at once, while blocks are written.

What a sweep over crash points cannot reach: several processes, orphans that go on writing beside
the next driver, blocks handed out again. After every death of a driver each mark is verified in
full; the last run ends equal, byte for byte, to one that nobody disturbed. This file is also the
script of the process that forks them all while it has one thread.
"""

import json
import os
import pickle
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import test_store_crash as crash

from hpcvbi.core.block import Block, BlockReport, blocks_of
from hpcvbi.store import Driver, Store, Variable

SIZE, ACTIVE, SPARE = 4, 3, 6
NO_WORKER_LEFT = 3


def theta(blocks: int) -> np.ndarray:
    return np.linspace(0.0, 1.0, blocks * SIZE)[:, None]


def listed(blocks: int) -> list[Block]:
    return blocks_of("a", "round_000", blocks * SIZE, SIZE)


@dataclass(eq=False)
class Worker:
    """A forked process that computes blocks, until its driver is gone."""

    pid: int
    pipe: socket.socket
    block: Block | None = None


def worker(folder: Path) -> Worker:
    ours, its = socket.socketpair()
    pid = os.fork()
    if pid:
        its.close()
        return Worker(pid, ours)
    driver = os.getppid()
    try:
        while os.getppid() == driver:
            if select.select([its], [], [], 0.05)[0]:
                block = pickle.loads(its.recv(4096))
                store = Store.open(folder)
                given = store.theta(block.chain, block.round, block.start, block.stop)
                time.sleep(random.random() * 0.004)
                report = BlockReport(
                    block, 0, 0.1, "here", store.write_block(block, crash.simulate(block, given))
                )
                its.send(pickle.dumps(report))
    finally:
        os._exit(0)


def drive(folder: Path, blocks: int, seed: int, truth: Path | None, say: int) -> None:
    """Compute what is missing; with `truth`, a finished store, lie: mark blocks before they are
    there.
    """
    os.setpgid(0, 0)
    os.fsync = lambda descriptor: None
    spare = [worker(folder) for _ in range(ACTIVE + SPARE)]  # forked while there is one thread
    known = Store.open(truth)._marks.done() if truth else {}
    with Driver.create(folder, crash.STUDY, crash.SHA) as store:
        store.prepare("a", "round_000", theta(blocks), crash.PARAMS, crash.OUTPUTS, SIZE)
        todo = store.missing(listed(blocks))
        random.Random(seed).shuffle(todo)
        active: list[Worker] = []
        while todo or any(w.block for w in active):
            while len(active) < ACTIVE:
                if not spare:
                    os._exit(NO_WORKER_LEFT)
                active.append(spare.pop())
                os.write(say, b"worker %d\n" % active[-1].pid)
            for idle in (w for w in active if w.block is None):
                if todo:
                    idle.block = todo.pop()
                    idle.pipe.send(pickle.dumps(idle.block))
                    if known:
                        digests = known[idle.block.key]["digests"]
                        store.mark(BlockReport(idle.block, 0, 0.1, "here", digests))
            reports = []
            for ready in select.select([w.pipe for w in active], [], [], 1.0)[0]:
                mine = next(w for w in active if w.pipe is ready)
                try:
                    answer = ready.recv(2**16)
                except ConnectionResetError:
                    answer = b""
                if answer:
                    reports.append(pickle.loads(answer))
                elif mine.block:
                    todo.append(mine.block)
                mine.block = None
                if not answer:
                    active.remove(mine)
            store.mark(*reports)
            os.write(say, b"marked\n" * len(reports))
        x = store.read("a", "round_000")["features"]
        store.put("a", "posterior", [Variable("G", ("chain", "draw"), x.T)])
        store.finish()
    for w in spare + active:
        os.kill(w.pid, signal.SIGKILL)


class Driven:
    """A driver process, and what it says."""

    def __init__(self, folder: Path, blocks: int, seed: int, truth: Path | None) -> None:
        self.marked, self.workers, self._text = 0, list[int](), b""
        self._read, say = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                drive(folder, blocks, seed, truth, say)
                os._exit(0)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
        os.close(say)

    def listen(self, timeout: float) -> bool:
        """Take in what it says; False once it is gone."""
        if not select.select([self._read], [], [], timeout)[0]:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        new = os.read(self._read, 2**16)
        *lines, self._text = (self._text + new).split(b"\n")
        self.marked += lines.count(b"marked")
        self.workers += [int(line.split()[1]) for line in lines if line.startswith(b"worker")]
        return bool(new)

    def wait(self) -> int:
        os.close(self._read)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def strike(driven: Driven, kind: str, rng: random.Random) -> bool:
    """Kill; whether there was something to kill."""
    try:
        if kind == "group":
            os.killpg(driven.pid, signal.SIGKILL)
        elif kind == "driver":
            os.kill(driven.pid, signal.SIGKILL)
        else:
            os.kill(rng.choice(driven.workers[-ACTIVE:]), signal.SIGKILL)
    except (ProcessLookupError, IndexError):
        return False
    return True


def inspect(folder: Path, blocks: int, out: Path) -> None:
    """Verify every mark in full."""
    counts = {"marks": 0, "lies": 0}
    if (folder / "MANIFEST.json").exists():
        store = Store.open(folder)
        done, rounds = store._marks.done(), store._marks.rounds
        counts["marks"] = len(done)
        counts["lies"] = len(done.keys() - store.done_blocks("full"))
        counts["lies"] += any(not np.array_equal(store.theta(*r), theta(blocks)) for r in rounds)
    out.write_text(json.dumps(counts))


def torture(work: Path, blocks: int, wanted: int, seed: int, lying: bool) -> dict[str, object]:
    work.mkdir()
    whole, torn, out = work / "whole", work / "torn", work / "counts.json"
    reference = Driven(whole, blocks, 0, None)
    while reference.listen(1.0):
        pass
    assert reference.wait() == 0
    rng, kills, marked, lies, starts = random.Random(seed), Counter[str](), 0, 0, 0
    codes: list[int] = []
    driven: Driven | None = None
    while True:
        if driven is None:
            driven = Driven(torn, blocks, rng.randrange(2**31), whole if lying else None)
            starts += 1
        left = wanted - kills.total()
        target = driven.marked + rng.randrange(max(1, 2 * (blocks - marked) // (left + 1)))
        alive = True
        before = driven.marked
        while alive and (left <= 0 or driven.marked < target):
            alive = driven.listen(0.2)
        if alive and left > 0:
            time.sleep(rng.random() * (0.01 if target else 0.1))
            kind = rng.choice(("group", "worker", "driver"))
            if driven.workers or kind != "worker":
                kills[kind] += strike(driven, kind, rng)
            if kind == "worker":
                marked += driven.marked - before
                continue
            while driven.listen(0.2):
                pass
        marked += driven.marked - before
        codes.append(driven.wait())
        driven = None
        assert crash.in_child(inspect, torn, blocks, out) == 0
        lies += json.loads(out.read_text())["lies"]
        if codes[-1] in (0, 1):
            break
    return {
        "kills": kills.total(),
        **kills,
        "starts": starts,
        "last": codes[-1],
        "lies": lies,
        "marks": json.loads(out.read_text())["marks"],
        "files": len(crash.tree(whole)),
        "equal": crash.tree(whole) == crash.tree(torn),
    }


def tortured(work: Path, blocks: int, kills: int, seed: int, lying: bool = False) -> dict:
    words = [str(work / "work"), str(blocks), str(kills), str(seed), str(int(lying))]
    done = subprocess.run(
        [sys.executable, __file__, *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **crash._path()},
    )
    assert done.returncode == 0
    return json.loads(done.stdout)


def test_killed_ten_times_no_mark_lies_and_the_bytes_are_equal(tmp_path: Path) -> None:
    found = tortured(tmp_path, blocks=120, kills=10, seed=3)
    assert found["kills"] >= 8, found
    assert (found["lies"], found["last"], found["equal"]) == (0, 0, True), found
    assert found["marks"] == 120


@pytest.mark.battery
@pytest.mark.parametrize("seed", [7, 11, 21])
def test_killed_fifty_times_no_mark_lies_and_the_bytes_are_equal(tmp_path: Path, seed: int) -> None:
    found = tortured(tmp_path, blocks=500, kills=50, seed=seed)
    assert found["kills"] >= 45, found
    assert (found["lies"], found["last"], found["equal"]) == (0, 0, True), found
    assert found["marks"] == 500


def test_the_torture_sees_marks_that_precede_their_data(tmp_path: Path) -> None:
    found = tortured(tmp_path, blocks=60, kills=8, seed=5, lying=True)
    assert found["lies"] > 0, found


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    some, times, number, lie = map(int, numbers)
    print(json.dumps(torture(Path(place), some, times, number, bool(lie))))
