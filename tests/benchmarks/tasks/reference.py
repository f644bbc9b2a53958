"""Observations and reference posteriors of sbibm 1.1.0: its data files, read without importing it.

The files lie in the installed package (`pip install --no-deps sbibm==1.1.0`), or in the folder
that HPCVBI_SBIBM names: an unpacked wheel, with `sbibm/tasks` in it.

Lueckmann, Boelts, Greenberg, Goncalves & Macke (2021), Benchmarking simulation-based inference,
DOI 10.48550/arXiv.2101.04653.
"""

import bz2
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np


class NoReference(Exception):
    """sbibm's data are not on this machine; the message says how to get them."""


def folder() -> Path:
    """Return the folder of sbibm's tasks, or raise NoReference."""
    if named := os.environ.get("HPCVBI_SBIBM"):
        candidates = [Path(named, "sbibm", "tasks"), Path(named, "tasks")]
    else:
        spec = find_spec("sbibm")  # of a top-level package: finds it without importing it
        candidates = [Path(place, "tasks") for place in spec.submodule_search_locations or ()] \
            if spec else []  # fmt: skip
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    where = f"HPCVBI_SBIBM is {named}, and holds no sbibm/tasks" if named else "it is not installed"
    raise NoReference(
        f"the reference posteriors of sbibm are missing: {where}. "
        "pip install --no-deps sbibm==1.1.0 (18 MB), or make bench-inference, which does it"
    )


def available() -> bool:
    """Whether the data are there."""
    try:
        folder()
    except NoReference:
        return False
    return True


def observation(task: str, number: int) -> np.ndarray:
    """Return the features (feature,) of an observation."""
    return _table(task, number, "observation.csv")[0]


def truth(task: str, number: int) -> np.ndarray:
    """Return the parameters (param,) that an observation was simulated with."""
    return _table(task, number, "true_parameters.csv")[0]


def samples(task: str, number: int) -> np.ndarray:
    """Return reference samples (draw, param) of the posterior."""
    return _table(task, number, "reference_posterior_samples.csv.bz2")


def _table(task: str, number: int, name: str) -> np.ndarray:
    path = folder() / task / "files" / f"num_observation_{number}" / name
    opened = bz2.open(path, "rt") if path.suffix == ".bz2" else path.open()
    with opened as lines:
        return np.loadtxt(lines, delimiter=",", skiprows=1, ndmin=2)
