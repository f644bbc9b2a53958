"""The rows of the files of the accuracy benchmark; `inference_rows` writes and reads them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """What is measured once."""

    case: str
    method: str
    budget: int
    seed: int


@dataclass(frozen=True)
class Row(Cell):
    """How good the posteriors of a parameter are, over `tests` test cases drawn from the prior.

    `mean_abs_z` of |posterior mean − truth| / posterior sd (.8 if Gaussian and calibrated);
    `shrinkage` is 1 − posterior variance / prior variance, mean over tests; coverage of the central
    intervals; CPU seconds of learning and sampling, and of simulating what was learned from.
    """

    param: str
    tests: int
    mean_abs_z: float
    shrinkage: float
    error: float
    coverage50: float
    coverage80: float
    coverage90: float
    cpu_seconds: float
    simulation_cpu_seconds: float


@dataclass(frozen=True)
class Apart(Cell):
    """C2ST of a method's posteriors from those that NPE learned with `reference` simulations, mean
    over `tests`; .5 if none can be told apart, 1 if all can.
    """

    reference: int
    tests: int
    c2st: float


@dataclass(frozen=True)
class Zones(Cell):
    """Precision and recall of epileptogenic (ez) and propagation (pz) zones over random maps, and
    the share of maps without a single mistake.
    """

    maps: int
    ez_precision: float
    ez_recall: float
    pz_precision: float
    pz_recall: float
    whole: float


def cell_of(row: Cell) -> Cell:
    """What a row belongs to."""
    return Cell(row.case, row.method, row.budget, row.seed)
