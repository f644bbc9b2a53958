"""Observations and reference posteriors of sbibm 1.1.0: its data files, read without importing it.

The files lie in the folder that HPCVBI_SBIBM names (an unpacked wheel, with `sbibm/tasks` in it),
in build/sbibm of the repository (where `make bench-inference` puts them), or in the installed
package.

Lueckmann, Boelts, Greenberg, Goncalves & Macke (2021), Benchmarking simulation-based inference,
DOI 10.48550/arXiv.2101.04653.
"""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hpcvbi.core.errors import HpcvbiError

BUILT = Path(__file__).parents[3] / "build" / "sbibm"


class NoReference(HpcvbiError):
    """sbibm's data are not on this machine; the message says how to get them."""


def folder() -> Path:
    """Return the folder of sbibm's tasks, or raise NoReference."""
    named = os.environ.get("HPCVBI_SBIBM")
    place = Path(named) if named else BUILT
    if (place / "sbibm" / "tasks").is_dir():
        return place / "sbibm" / "tasks"
    # the specification of a top-level package is found without importing it
    if not named and (spec := find_spec("sbibm")) and spec.origin:
        return Path(spec.origin).parent / "tasks"
    raise NoReference(
        f"the reference posteriors of sbibm are missing: there is no {place / 'sbibm' / 'tasks'}. "
        "make build/sbibm/.installed gets them (18 MB), as make bench-inference does"
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
