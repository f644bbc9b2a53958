"""SIGKILL an extension before its n-th file-system event: the old study is there or the larger one.

As in `test_store_crash`, this file is also the script of the process that forks.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_store_crash import (
    OUTPUTS,
    PARAMS,
    SHA,
    SIZE,
    STUDY,
    compute,
    crash,
    in_child,
    run,
    tree,
)

from hpcvbi.core.block import Block, blocks_of
from hpcvbi.store import Driver, Store, Variable, survey

LARGER, LARGER_SHA = {"seed": 1, "draws": 10}, "d" * 64
DRAWS = 10


def theta() -> np.ndarray:
    """The small study's draws, and four more."""
    return np.concatenate([np.linspace(0.0, 1.0, 6), np.linspace(2.0, 3.0, 4)])[:, None]


def run_larger(folder: Path) -> list[Block]:
    """Run the larger study; returns the blocks that it computed."""
    with Driver.create(folder, LARGER, LARGER_SHA) as store:
        store.prepare("a", "round_000", theta(), PARAMS, OUTPUTS, SIZE)
        todo = store.missing(blocks_of("a", "round_000", DRAWS, SIZE))
        for block in todo:
            store.mark(compute(store, block))
        x = store.read("a", "round_000")["features"]
        store.put("a", "posterior", [Variable("G", ("chain", "draw"), x.T)], attrs={"n": len(x)})
        store.finish()
    return todo


def extend(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        store.extend(LARGER, LARGER_SHA, ["posterior"])


def extend_and_run(folder: Path) -> None:
    extend(folder)
    run_larger(folder)


def resume(folder: Path, out: Path) -> None:
    """See which study is there and whether its marks hold; bring it to the larger one's end."""
    os.fsync = lambda descriptor: None
    store, found = Store.open(folder), survey(folder)
    counts = {
        "old": int(store.sha256 == SHA),
        "new": int(store.sha256 == LARGER_SHA),
        "lies": len(found.damage),
        "stale": int(store.sha256 == LARGER_SHA and store.has("a", "posterior")
                     and len(store.get("a", "posterior")[0]["G"][0]) != DRAWS),
    }  # fmt: skip
    if counts["old"]:
        run(folder)
        extend(folder)
    computed = {block.index for block in run_larger(folder)}
    counts["repeated"] = int(0 in computed)
    out.write_text(json.dumps(counts))


def sweep(work: Path, stride: int) -> dict[str, int]:
    """Visit every point of the extension itself, and every `stride`-th of the run after it."""
    want_folder, small, folder, out = (work / n for n in ("want", "small", "crash", "counts"))
    assert in_child(run_larger, want_folder) == 0
    assert in_child(run, small) == 0
    want = tree(want_folder)
    total = dict.fromkeys(("points", "failed", "different"), 0)
    n = 1
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(small, folder)
        if in_child(crash, extend_and_run, folder, n) == 0:
            return total
        n += 1 if n < 40 else stride
        total["points"] += 1
        if in_child(resume, folder, out):
            total["failed"] += 1
            continue
        for key, value in json.loads(out.read_text()).items():
            total[key] = total.get(key, 0) + value
        total["different"] += tree(folder) != want


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.battery)])
def test_a_crash_leaves_the_old_study_or_the_larger_one(tmp_path: Path, stride: int) -> None:
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path), str(stride)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    total = json.loads(done.stdout)
    assert total["points"] > 50
    assert total["old"] > 5 and total["new"] > 40
    assert total["old"] + total["new"] == total["points"]
    faults = ("lies", "stale", "repeated", "failed", "different")
    assert {key: total[key] for key in faults} == dict.fromkeys(faults, 0), total


if __name__ == "__main__":
    print(json.dumps(sweep(Path(sys.argv[1]), int(sys.argv[2]))))
