"""A store written with one zarr is read, verified, resumed, mended and extended with another.

`make test-zarr` runs this with two interpreters; this file is also the script that each runs.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from test_extend_crash import extend_and_run
from test_store_crash import OUTPUTS, PARAMS, SHA, SIZE, STUDY, compute, run, theta, tree

from hpcvbi.core.block import blocks_of
from hpcvbi.store import Driver, Store, survey

BLOCKS = blocks_of("a", "round_000", 6, SIZE)


def begin(folder: Path) -> None:
    """Half a study: one block is marked, the other's shard is torn."""
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", theta(), PARAMS, OUTPUTS, SIZE)
        store.mark(compute(store, BLOCKS[0]))
        compute(store, BLOCKS[1])
    shard = folder / "store.zarr/a/round_000/features/c.1.0"
    os.truncate(shard, shard.stat().st_size // 2)


def mend(folder: Path) -> list[int]:
    """Flip a bit in a marked shard, find it and compute its block again, to the same content."""
    shard = folder / "store.zarr/a/round_000/features/c.0.0"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 4
    shard.write_bytes(data)
    with Driver(folder, exact=True) as store:
        todo = store.missing(BLOCKS, "full")
        reports = [compute(store, block) for block in todo]
        assert all(map(store.as_before, reports))
        store.mark(*reports)
    return [block.index for block in todo]


def about(folder: Path) -> dict:
    found = survey(folder)
    store = Store.open(folder)
    x = store.read("a", "round_000")["features"]
    return {
        "zarr": zarr.__version__,
        "damage": [str(d) for d in found.damage],
        "index_behind": found.index_behind,
        "blocks": sorted(key[2] for key in store.done_blocks("full")),
        "x": np.nan_to_num(x, nan=-1.0).ravel().tolist(),
        "tree": tree(folder),
    }


JOBS = {"begin": begin, "run": run, "mend": mend, "extend": extend_and_run, "about": about}


@pytest.fixture(params=["ours first", "theirs first"])
def pythons(request: pytest.FixtureRequest) -> tuple[str, str]:
    other = request.config.getoption("--other-python")
    if not other:
        pytest.skip("needs --other-python: make test-zarr")
    both = sys.executable, other
    return both if request.param == "ours first" else both[::-1]


def job(python: str, name: str, folder: Path) -> dict:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *(str(Path(__file__).parents[n]) for n in (0, 1))])
    done = subprocess.run(
        [python, __file__, name, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_version_goes_on_where_the_other_stopped(
    pythons: tuple[str, str], tmp_path: Path
) -> None:
    first, second = pythons
    job(first, "begin", tmp_path / "s")
    begun = job(second, "about", tmp_path / "s")
    assert begun["zarr"] != job(first, "about", tmp_path / "s")["zarr"]
    assert begun["damage"] == [] and begun["blocks"] == [0]
    job(second, "run", tmp_path / "s")
    job(first, "run", tmp_path / "whole")
    whole = job(first, "about", tmp_path / "whole")
    for python in pythons:
        resumed = job(python, "about", tmp_path / "s")
        assert resumed["damage"] == [] and not resumed["index_behind"]
        assert resumed["blocks"] == [0, 1]
        assert resumed["x"] == whole["x"]
        assert resumed["tree"].keys() == whole["tree"].keys()
    assert job(second, "mend", tmp_path / "s") == [0]
    assert job(first, "about", tmp_path / "s")["x"] == whole["x"]


def test_each_version_extends_a_study_of_the_other(
    pythons: tuple[str, str], tmp_path: Path
) -> None:
    first, second = pythons
    job(first, "run", tmp_path / "s")
    job(second, "extend", tmp_path / "s")
    ours, theirs = (job(python, "about", tmp_path / "s") for python in pythons)
    assert ours["damage"] == theirs["damage"] == []
    assert ours["blocks"] == [0, 1, 2] and ours["x"] == theirs["x"]


if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](Path(sys.argv[2]))))
