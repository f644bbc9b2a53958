"""Observations and reference posteriors of sbibm 1.1.0: its data files, read without importing it.

The files lie in the installed package (`pip install --no-deps sbibm==1.1.0`), or in the folder
that HPCVBI_SBIBM names: an unpacked wheel, with `sbibm/tasks` in it.

Lueckmann, Boelts, Greenberg, Goncalves & Macke (2021), Benchmarking simulation-based inference,
DOI 10.48550/arXiv.2101.04653.
"""

import os
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Sbibm:
    """Observations 1 to 10 of a task of sbibm, each with 10 000 reference samples."""

    task: str

    def observation(self, number: int) -> np.ndarray:
        return self._table(number, "observation.csv")[0]

    def truth(self, number: int) -> np.ndarray:
        return self._table(number, "true_parameters.csv")[0]

    def samples(self, number: int) -> np.ndarray:
        return self._table(number, "reference_posterior_samples.csv.bz2")

    def _table(self, number: int, name: str) -> np.ndarray:
        path = folder() / self.task / "files" / f"num_observation_{number}" / name
        return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
