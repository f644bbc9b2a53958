"""Random writes, kills, resumes, corruption, verification, withdrawals and rivals, against a simple
model.

The model knows, for every mark that was ever seen, the bytes of the files that it names; that they
hold the right numbers is checked when the mark is seen first. From then on

- a mark holds in full exactly if these bytes lie there;
- what is marked and whole reads back equal; what is damaged is never returned, but named;
- marks that nobody voided are there after kills and resumes;
- of a person who has withdrawn there is nothing, and nothing more is written.

Kills happen in children of a process of its own, which has one thread when it forks: this file is
that process's script too. fsync is left out, for a SIGKILL cannot tell the difference.
"""

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from lost_blocks import lost_blocks
from test_store_crash import crash

from hpcvbi.core.block import Block, BlockReport, blocks_of
from hpcvbi.core.errors import StoreBusy, StoreError
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Variable, progress, withdraw

STUDY, SHA = {"seed": 1}, "c" * 64
PARAMS = (Param("G", 1.0),)
OUTPUTS = (Output("features", ("draw", "feature"), (Variable("feature", ("feature",), ["fc"]),)),)
DRAWS = 6
PEOPLE, ROUNDS, PUTS = ("a", "b"), ("round_000", "round_001"), ("posterior", "evaluation")
Item = tuple[str, ...]
"""What a mark is about: its kind, person, group and, of a block, its index."""
Job = dict[str, Any]


def theta_of(person: str, round: str) -> np.ndarray:
    return np.random.default_rng([ord(person), int(round[-1])]).random((DRAWS, 1))


def values_of(block: Block) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([ord(block.chain), int(block.round[-1]), block.start, block.size])
    x = rng.random((block.size, 1), dtype=np.float32)
    return {"features": x, "status": np.ones(block.size, dtype=np.uint8)}


def put_of(value: int) -> tuple[list[Variable], dict[str, int]]:
    numbers = np.random.default_rng(value).random((1, 4))
    return [Variable("G", ("chain", "draw"), numbers)], {"value": value}


def do(store: Driver, job: Job) -> None:
    """Carry out one job as the only driver."""
    person, group = job["person"], job["group"]
    if job["kind"] == "put":
        variables, attrs = put_of(job["value"])
        store.put(person, group, variables, attrs=attrs)
        return
    size = job["size"]
    store.prepare(person, group, theta_of(person, group), PARAMS, OUTPUTS, size)
    todo = store.missing(blocks_of(person, group, DRAWS, size), job["verify"])
    reports = []
    for block in todo[: job["blocks"]]:
        digests = store.write_block(block, values_of(block))
        reports.append(BlockReport(block, 0, 0.1, "here", digests))
    store.mark(*reports[: job["marked"]])


def drive(folder: Path, job: Job) -> None:
    with Driver.open(folder) as store:
        do(store, job)


@cache
def begun() -> Path:
    """A store in which two people's rounds and a data set lie already."""
    folder = Path(tempfile.mkdtemp(prefix="begun"))
    atexit.register(shutil.rmtree, folder)
    whole = {"kind": "round", "group": "round_000", "size": 2, "blocks": 3, "verify": "full"}
    with Driver.create(folder / "s", STUDY, SHA) as store:
        do(store, {**whole, "person": "a", "marked": 3})
        do(store, {**whole, "person": "b", "marked": 2})
        do(store, {"kind": "put", "person": "a", "group": "posterior", "value": 0})
    return folder / "s"


def marks_of(store: Store) -> dict[Item, str]:
    """Every mark in the ledger, by what it is about, and the identity that it carries."""
    marks = store._marks
    found = {("round", *key): record["id"] for key, record in marks.rounds.items()}
    found |= {("put", *key): record["id"] for key, record in marks.puts.items()}
    return found | {("block", *map(str, k)): record["id"] for k, record in marks.done().items()}


def files_of(store: Store, item: Item) -> list[Path]:
    """The files that a mark names."""
    kind, person, group, *index = item
    folder = store.root / person / group
    if kind == "block":
        return [folder / "status" / f"c.{index[0]}", folder / "features" / f"c.{index[0]}.0"]
    marks = store._marks.rounds if kind == "round" else store._marks.puts
    return [folder / name for name in marks[person, group]["files"]]


def content(path: Path) -> bytes | None:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return None


jobs = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("put"),
            "person": st.sampled_from(PEOPLE),
            "group": st.sampled_from(PUTS),
            "value": st.integers(0, 2),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("round"),
            "person": st.sampled_from(PEOPLE),
            "group": st.sampled_from(ROUNDS),
            "size": st.sampled_from([2, 2, 2, 4]),
            "blocks": st.integers(1, 3),
            "marked": st.sampled_from([3, 3, 1, 0]),
            "verify": st.sampled_from(["size", "full"]),
        }
    ),
)


class StoreMachine(RuleBasedStateMachine):
    """A store, its driver if there is one, and what the marks are known to name."""

    kennel: subprocess.Popen

    @initialize()
    def create(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="machine"))
        self.folder = self.home / "s"
        shutil.copytree(begun(), self.folder)
        self.driver: Driver | None = None
        self.known: dict[tuple[Item, str], dict[Path, bytes | None]] = {}
        self.marks: dict[Item, str] = {}
        self.damaged: set[Item] = set()
        self.gone: set[str] = set()

    def teardown(self) -> None:
        self._release()
        shutil.rmtree(self.home, ignore_errors=True)

    def _release(self) -> None:
        if self.driver is not None:
            self.driver.__exit__(None, None, None)
            self.driver = None

    # ---- what happens

    @rule(job=jobs)
    def work(self, job: Job) -> None:
        if self.driver is None:
            self.driver = Driver.open(self.folder).__enter__()
        self._do(self.driver, job)
        if job["person"] in self.gone:
            return
        key = (job["person"], job["group"])
        assert (("put" if job["kind"] == "put" else "round"), *key) in marks_of(self.driver)

    @rule(job=jobs, event=st.integers(1, 120))
    def kill(self, job: Job, event: int) -> None:
        """Die in the middle of a job: no mark of anything else is lost."""
        if job["person"] in self.gone:
            return
        self._release()
        assert self.kennel.stdin and self.kennel.stdout
        order = {"folder": str(self.folder), "job": job, "event": event}
        self.kennel.stdin.write(json.dumps(order) + "\n")
        self.kennel.stdin.flush()
        status = json.loads(self.kennel.stdout.readline())
        note(f"the child ended with {status}")
        assert status in (0, signal.SIGKILL)
        self._keeps_others(job)

    def _do(self, driver: Driver, job: Job) -> None:
        if job["person"] in self.gone:
            with pytest.raises(StoreError, match="has withdrawn"):
                do(driver, job)
        else:
            do(driver, job)
        self._keeps_others(job)

    def _keeps_others(self, job: Job) -> None:
        """No other mark is lost, and no mark comes to name other bytes."""
        now = marks_of(Store.open(self.folder))
        touched = (job["person"], job["group"])
        for item, identity in self.marks.items():
            kept = now.get(item) == identity
            assert kept or item[1:3] == touched, f"{item} lost its mark"
            assert not kept or item in self.damaged or not self._is_damaged(item, identity), item

    @rule()
    def resume(self) -> None:
        self._release()
        self.driver = Driver.create(self.folder, STUDY, SHA).__enter__()
        assert marks_of(self.driver) == self.marks

    @rule()
    def leave(self) -> None:
        self._release()

    @precondition(lambda self: self.marks)
    @rule(
        data=st.data(),
        kind=st.sampled_from(["block", "block", "round", "put"]),
        how=st.sampled_from(["flip", "truncate", "delete", "swap", "swap", "empty"]),
        where=st.floats(0, 1, exclude_max=True),
    )
    def corrupt(self, data: st.DataObject, kind: str, how: str, where: float) -> None:
        store = Store.open(self.folder)
        of_kind = sorted(item for item in self.marks if item[0] == kind)
        item = data.draw(st.sampled_from(of_kind or sorted(self.marks)))
        path = data.draw(st.sampled_from(files_of(store, item)))
        raw = content(path)
        if not raw:
            return
        if how == "flip":
            at = int(where * len(raw))
            path.write_bytes(raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1 :])
        elif how == "delete":
            path.unlink()
        elif how == "swap":
            # another block, else the file of this name in another group
            others = {*path.parent.glob("c.*")} - {path} or {*store.root.rglob(path.name)}
            other = data.draw(st.sampled_from(sorted(others)))
            note(f"{path} with {other}")
            raw_other = other.read_bytes()
            other.write_bytes(raw)
            path.write_bytes(raw_other)
        else:
            os.truncate(path, 0 if how == "empty" else int(where * len(raw)))

    @rule()
    def audit(self) -> None:
        """Find what is damaged, all of it, and nothing else."""
        if self.driver is None:
            self.driver = Driver.open(self.folder).__enter__()
        wrong = {i[1:] for i in self._damaged() if i[0] == "block"}
        unread = {i[1:3] for i in self._damaged() if i[0] == "round"}
        found = {tuple(map(str, key)) for key in lost_blocks(self.driver)}
        assert wrong <= found
        assert all(key in wrong or key[:2] in unread for key in found)

    @precondition(lambda self: self.driver is not None)
    @rule()
    def rival(self) -> None:
        """A second driver is refused."""
        with pytest.raises(StoreBusy, match=f"process {os.getpid()} on "):
            Driver.open(self.folder).__enter__()

    @precondition(lambda self: self.driver is not None)
    @rule(job=jobs)
    def usurper(self, job: Job) -> None:
        """A driver that was taken for dead writes no mark; two that run do no harm."""
        assert self.driver is not None
        old = self.driver
        (self.folder / "driver.lock").unlink()
        self.driver = Driver.open(self.folder).__enter__()
        with pytest.raises(StoreBusy, match="has lost"):
            old.append("late")
        old.__exit__(None, None, None)
        self._do(self.driver, job)

    @rule(person=st.sampled_from(PEOPLE), seldom=st.integers(0, 4))
    def withdraw(self, person: str, seldom: int) -> None:
        """A person leaves for good: the others keep their marks."""
        if seldom:
            return
        self._release()
        if person not in self.gone and person not in {item[1] for item in self.marks}:
            with pytest.raises(StoreError, match="has no person"):
                withdraw(self.folder, person)
            return
        withdraw(self.folder, person)
        self.gone.add(person)
        store = Store.open(self.folder)
        left = {item: identity for item, identity in self.marks.items() if item[1] != person}
        assert marks_of(store) == left
        assert not (store.root / person).exists()

    @rule(cut=st.integers(1, 600))
    def tear_ledger(self, cut: int) -> None:
        """The tail of the ledger is lost: so are marks, and older ones come back."""
        self._release()
        segments = sorted(self.folder.glob("ledger/*.log"))
        if segments:
            os.truncate(segments[-1], max(0, segments[-1].stat().st_size - cut))
            store = Store.open(self.folder)
            for item, identity in marks_of(store).items():
                # a mark that came back names files that have since been replaced, or the same
                assert (item, identity) in self.known
            self.marks = marks_of(store)

    # ---- what has to be true

    @invariant()
    def what_is_believed_is_true(self) -> None:
        store = Store.open(self.folder)
        self.marks = marks_of(store)
        for item, identity in self.marks.items():
            if (item, identity) not in self.known:
                self._meets(store, item, identity)
        self.damaged = damaged = self._damaged()
        blocks = {("block", *map(str, key)) for key in store.done_blocks("full")}
        puts = {("put", *key) for key in store.done_puts("full")}
        for item in self.marks:
            whole = item not in damaged
            if item[0] == "put":
                assert (item in puts) == whole
                self._gets(store, item, whole)
            elif item[0] == "block":
                assert (item in blocks) == (whole and ("round", *item[1:3]) not in damaged)
            else:
                mine = {i for i in damaged if i[1:3] == item[1:3]}
                self._reads(store, item, not mine)

    def _damaged(self) -> set[Item]:
        return {item for item, identity in self.marks.items() if self._is_damaged(item, identity)}

    def _is_damaged(self, item: Item, identity: str) -> bool:
        return any(content(path) != raw for path, raw in self.known[item, identity].items())

    def _meets(self, store: Store, item: Item, identity: str) -> None:
        """See a mark for the first time: it must be true, and hold the right numbers."""
        self.known[item, identity] = {path: content(path) for path in files_of(store, item)}
        assert None not in self.known[item, identity].values(), f"{item} lies"

    def _gets(self, store: Store, item: Item, whole: bool) -> None:
        if not whole:
            with pytest.raises(StoreError):
                store.get(*item[1:])
            return
        arrays, attrs = store.get(*item[1:])
        (wanted,), _ = put_of(int(attrs["value"]))
        np.testing.assert_array_equal(arrays["G"], wanted.values)

    def _reads(self, store: Store, item: Item, whole: bool) -> None:
        _, person, round = item
        if not whole:
            with pytest.raises(StoreError):
                store.read(person, round)
            return
        size = store._marks.rounds[person, round]["block"]
        found = store.read(person, round)
        np.testing.assert_array_equal(found["theta"], theta_of(person, round))
        for block in blocks_of(person, round, DRAWS, size):
            rows = slice(block.start, block.stop)
            if ("block", *map(str, block.key)) in self.marks:
                for name, values in values_of(block).items():
                    np.testing.assert_array_equal(found[name][rows], values)
            else:
                assert not found["status"][rows].any() and np.isnan(found["features"][rows]).all()
        (seen,) = (r for r in progress(self.folder).rounds if (r.chain, r.round) == (person, round))
        assert seen.blocks_done == sum(i[:3] == ("block", person, round) for i in self.marks)

    @invariant()
    def a_repair_would_be_possible(self) -> None:
        assert Store.open(self.folder).ignored <= len(list(self.folder.glob("ledger/*.log")))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StoreMachine]]:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    path = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **path},
    ) as kennel:
        StoreMachine.kennel = kennel
        yield StoreMachine
        kennel.kill()


def often(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
    )


def test_no_sequence_of_faults_makes_the_store_lie(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine, settings=often(12, 30))


@pytest.mark.battery
def test_no_long_sequence_of_faults_makes_the_store_lie(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine, settings=often(300, 50))


def keep_kennel() -> None:
    """Fork a child for every order, and say how it ended."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                crash(
                    lambda folder: drive(folder, order["job"]),  # noqa: B023
                    Path(order["folder"]),
                    order["event"],
                )
                os._exit(0)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
        status = os.waitpid(pid, 0)[1]
        print(json.dumps(os.WTERMSIG(status) if os.WIFSIGNALED(status) else status), flush=True)


if __name__ == "__main__":
    keep_kennel()
