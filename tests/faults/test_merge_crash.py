"""SIGKILL a merge before its n-th file-system event: no mark lies, and the next merge completes it.

As in `test_store_crash`, this file is also the script of the process that forks.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_store_crash import OUTPUTS, PARAMS, SIZE, compute, crash, in_child, theta, tree

from hpcvbi.core.block import blocks_of
from hpcvbi.store import (
    Driver,
    KeySource,
    Store,
    Variable,
    begin,
    survey,
    tombstones,
    withdraw,
)
from hpcvbi.store.merging import merge_parts

KEY, LEFT = "a7" * 32, ("evaluation",)
PEOPLE = {"1-of-2": ("anna", "carl"), "2-of-2": ("ben",)}
STAYING = ("anna", "ben")


def manifest(people: tuple[str, ...]) -> dict:
    return {"study": {"seed": 1}, "people": dict.fromkeys(people, "0" * 64)}


def sha256(people: tuple[str, ...]) -> str:
    return "abcdef"[len("".join(people)) % 6] * 64


def fill(folder: Path, people: tuple[str, ...]) -> None:
    """A finished store of some people."""
    with Driver.create(folder, manifest(people), sha256(people)) as store:
        store.append("run started", people=list(people))
        for person in people:
            store.prepare(person, "round_000", theta(), PARAMS, OUTPUTS, SIZE)
            for block in store.missing(blocks_of(person, "round_000", len(theta()), SIZE)):
                store.mark(compute(store, block))
            store.append("learned", chain=person, label="posterior", seconds=1.0)
            x = store.read(person, "round_000")["features"]
            store.put(person, "posterior", [Variable("G", ("chain", "draw"), x.T)])
            store.put(person, "evaluation", [Variable("others_r", (), float(len(people)))])
        store.append("run finished", people=list(people))
        store.finish()


def make(parts: Path, key: Path | None) -> None:
    """Two parts; of the first, somebody has withdrawn."""
    for name, people in PEOPLE.items():
        if key is not None:
            begin(parts / name, KeySource(file=str(key)))
        fill(parts / name, people)
    withdraw(parts / "1-of-2", "carl")


def judge(folder: Path) -> None:
    """What the run after a merge does."""
    with Driver.open(folder) as store:
        for person in STAYING:
            store.put(person, "evaluation", [Variable("others_r", (), float(len(STAYING)))])
        store.finish()


def merge(folder: Path, parts: Path, key: Path | None) -> None:
    if key is not None:
        begin(folder, KeySource(file=str(key)))
    stores = [Store.open(parts / name) for name in PEOPLE]
    share = [(s, [p for p in PEOPLE[s.folder.name] if p in STAYING]) for s in stores]
    merge_parts(folder, manifest(STAYING), sha256(STAYING), share, LEFT)


def resume(folder: Path, parts: Path, key: Path | None, out: Path) -> None:
    """Look for marks that lie and for who must not be there; complete the merge; merge again."""
    os.fsync = lambda descriptor: None
    counts = dict.fromkeys(("lies", "half", "back", "twice", "events"), 0)
    if (folder / "MANIFEST.json").exists():
        counts["lies"] = len(survey(folder).damage)
        counts["half"] = int(bool(Store.open(folder).groups("anna")))
        counts["back"] = int("carl" not in tombstones(folder))
    merge(folder, parts, key)
    ledger = sorted((p.name, p.read_bytes()) for p in (folder / "ledger").iterdir())
    merge(folder, parts, key)
    again = sorted((p.name, p.read_bytes()) for p in (folder / "ledger").iterdir())
    counts["twice"] = int(ledger != again)
    kinds = [event["kind"] for event in Store.open(folder).events() if event["kind"] != "merged"]
    counts["events"] = int(sorted(kinds) != sorted(2 * ["run started", "learned", "run finished"]))
    counts["back"] += int(b"carl" in b"".join(data for _, data in again))
    counts["lies"] += len(survey(folder).damage) + len(survey(folder).strangers)
    judge(folder)
    out.write_text(json.dumps(counts))


def sweep(work: Path, stride: int, key: Path | None) -> dict[str, int]:
    parts, whole, merged, folder, out = (
        work / n for n in ("parts", "whole", "merged", "crash", "counts")
    )
    assert in_child(make, parts, key) == 0
    assert in_child(merge, merged, parts, key) == 0
    assert in_child(judge, merged) == 0
    if key is None:  # a person's key is random: no other sealed store has the same bytes
        assert in_child(fill, whole, STAYING) == 0
        assert tree(merged) == tree(whole)
    want, before = tree(merged), {name: tree(parts / name) for name in PEOPLE}
    total = dict.fromkeys(("points", "failed", "different"), 0)
    n = 1
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        if in_child(crash, lambda place: merge(place, parts, key), folder, n) == 0:
            assert before == {name: tree(parts / name) for name in PEOPLE}
            return total
        n += stride
        total["points"] += 1
        if in_child(resume, folder, parts, key, out):
            total["failed"] += 1
            continue
        for name, value in json.loads(out.read_text()).items():
            total[name] = total.get(name, 0) + value
        total["different"] += tree(folder) != want


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.battery)])
def test_a_merge_that_is_killed_is_completed_by_the_next(
    tmp_path: Path, stride: int, sealed: bool
) -> None:
    words = [str(tmp_path), str(stride)]
    if sealed:
        key = tmp_path / "study.key"
        key.write_text(KEY)
        key.chmod(0o600)
        words.append(str(key))
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, __file__, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    total = json.loads(done.stdout)
    assert total["points"] > 200 / stride
    assert total["half"] > 50 / stride
    faults = ("lies", "back", "twice", "events", "failed", "different")
    assert {key: total[key] for key in faults} == dict.fromkeys(faults, 0), (total, done.stderr)


if __name__ == "__main__":
    place, step, *rest = sys.argv[1:]
    print(json.dumps(sweep(Path(place), int(step), Path(rest[0]) if rest else None)))
