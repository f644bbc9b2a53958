"""SIGKILL a withdrawal before its n-th file-system event, for every n: it is never half done in
silence, nobody else loses a byte, and the same command completes it.

As in `test_store_crash`, a sweep runs in a process of its own, whose script this file is.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_store_crash import EVENTS, OUTPUTS, PARAMS, SIZE, WRITING, compute, in_child, theta, tree

from hpcvbi.core.block import blocks_of
from hpcvbi.core.errors import StoreError
from hpcvbi.core.identifier import COHORT
from hpcvbi.store import Driver, KeySource, Store, Variable, begin, progress, withdraw

SHA, PEOPLE = "e" * 64, ("anna", "ben")
MANIFEST = {"study": {"seed": 1}, "people": {"anna": "0" * 64, "ben": "1" * 64}}


def make(folder: Path, key: Path | None) -> None:
    """A finished store of two people, of whom something was learned together."""
    if key is not None:
        begin(folder, KeySource(file=str(key)))
    with Driver.create(folder, MANIFEST, SHA) as store:
        for person in PEOPLE:
            store.prepare(person, "round_000", theta(), PARAMS, OUTPUTS, SIZE)
            for block in store.missing(blocks_of(person, "round_000", len(theta()), SIZE)):
                store.mark(compute(store, block))
            store.put(person, "evaluation", [Variable("others_r", (), 0.5)])
        store.append("learned together", of=list(PEOPLE), aside=[])
        store.put(COHORT, "network", [Variable("person", ("person",), np.array(PEOPLE))])
        store.finish()
    (folder / "run.log").write_text("x  anna  done\nx  ben  done\n")


def withdraw_hastily(folder: Path) -> None:
    """The negative control: data go before the tombstone is there."""
    shutil.rmtree(folder / "store.zarr/anna")
    withdraw(folder, "anna")


def crash(folder: Path, hastily: bool, n: int) -> None:
    """Withdraw anna; die just before the n-th event under `folder`."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == n:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, args: tuple) -> None:
        if event == "open" and not (args[2] & WRITING):
            return
        if event in EVENTS and isinstance(args[0], str | os.PathLike):
            path = os.fspath(args[0])
            # rmtree names files relative to an open directory
            if isinstance(path, str) and (path.startswith(str(folder)) or not path.startswith("/")):
                tick()

    os.fsync = lambda descriptor: tick()
    sys.addaudithook(audit)
    if hastily:
        withdraw_hastily(folder)
    else:
        withdraw(folder, "anna")


def bytes_of(folder: Path, person: str) -> dict[str, str]:
    return {name: digest for name, digest in tree(folder).items() if name.startswith(f"{person}/")}


def complete(folder: Path, whole: Path, key: Path | None, out: Path) -> None:
    """Look for a lie in what the crash left; withdraw again; look for what remains."""
    os.fsync = lambda descriptor: None
    counts = dict.fromkeys(("begun", "lies", "remains"), 0)
    stones = progress(folder).withdrawn
    gone = any(bytes_of(folder, of) != bytes_of(whole, of) for of in ("anna", COHORT))
    gone |= key is not None and len(list((folder / "keys/people").glob("*.key"))) < 3
    marks = {chain for chain, _, _ in Store.open(folder).done_blocks()}
    counts["begun"] = len(stones)
    counts["lies"] += (gone or marks != {"anna", "ben"}) and not stones
    counts["lies"] += bytes_of(folder, "ben") != bytes_of(whole, "ben") or "ben" not in marks
    if stones and stones[0].finished is None:
        try:
            with Driver.create(folder, MANIFEST, SHA):
                counts["lies"] += 1
        except StoreError as error:
            counts["lies"] += "hpcvbi withdraw" not in str(error)
    done = withdraw(folder, "anna")
    counts["lies"] += done.stone.finished is None or done.stale != ("ben",)
    with Driver.create(folder, MANIFEST, SHA) as store:
        counts["lies"] += store.ignored
        counts["lies"] += store.done_puts("full") != {("ben", "evaluation")}
        counts["lies"] += len(store.done_blocks("full")) != 2
        np.testing.assert_array_equal(store.theta("ben", "round_000"), theta())
    counts["lies"] += bytes_of(folder, "ben") != bytes_of(whole, "ben")
    for path in folder.rglob("*"):
        if path.is_file() and path != folder / "withdrawn/anna.json":
            held = f"{path.relative_to(folder)}".encode() + path.read_bytes()
            counts["remains"] += b"anna" in held or COHORT.encode() in held
    out.write_text(json.dumps(counts))


def sweep(kind: str, work: Path, first: int, stride: int) -> dict[str, int]:
    work.mkdir()
    key = work / "study.key" if kind == "sealed" else None
    if key is not None:
        key.write_text("5a" * 32)
        key.chmod(0o600)
    whole, folder, out = work / "whole", work / "crash", work / "counts.json"
    assert in_child(make, whole, key) == 0
    total = dict.fromkeys(("points", "begun", "lies", "remains", "failed"), 0)
    n = first
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        if in_child(crash, folder, kind == "hasty", n) == 0:
            return total
        n += stride
        total["points"] += 1
        if in_child(complete, folder, whole, key, out):
            total["failed"] += 1
            continue
        for name, value in json.loads(out.read_text()).items():
            total[name] += value


def swept(tmp_path: Path, kind: str, stride: int) -> dict[str, int]:
    path = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, __file__, kind, str(tmp_path / kind), "1", str(stride)],
        capture_output=True,
        text=True,
        env={**os.environ, **path},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("kind", "stride"), [("sealed", 1), ("plain", 5)])
def test_no_crash_point_leaves_a_withdrawal_half_done_in_silence(
    tmp_path: Path, kind: str, stride: int
) -> None:
    total = swept(tmp_path, kind, stride)
    assert total["points"] > total["begun"] > 50 / stride
    assert (total["lies"], total["remains"], total["failed"]) == (0, 0, 0), total


def test_the_sweep_sees_data_that_go_before_the_tombstone(tmp_path: Path) -> None:
    total = swept(tmp_path, "hasty", 7)
    assert total["lies"] > 0 and total["failed"] == 0, total


if __name__ == "__main__":
    print(json.dumps(sweep(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))))
