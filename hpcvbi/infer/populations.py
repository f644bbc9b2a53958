"""An inference as weighted draws: what other programs know as the populations of ABC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hpcvbi.core.errors import ExportError
from hpcvbi.infer.draws import Draws


@dataclass(frozen=True, eq=False)
class Population:
    """Some of the draws, weighted; `simulated` counts all that were simulated for it."""

    rows: np.ndarray  # (particle,) numbers of draws
    weights: np.ndarray  # (particle,) sum 1
    distances: np.ndarray  # (particle,)
    epsilon: float
    simulated: int


@runtime_checkable
class Weighing(Protocol):
    """An algorithm that can say what it learned as weighted draws."""

    def populations(self, states: Sequence[Any], draws: Draws) -> list[Population]:
        """Return the populations in their order, given the state after each round."""
        ...

    def distances(self, state: Any, x: np.ndarray) -> np.ndarray:
        """Return the distances (row,) of features (row, feature) to the observed ones."""
        ...


def reweighted(
    rows: np.ndarray, log_weight: np.ndarray, distances: np.ndarray, simulated: int
) -> Population:
    """Weight draws by a posterior over what proposed them, given the log of that ratio (row,) up
    to a constant:

    w_i = r_i / sum_j r_j,  r_i = q(u_i | x_observed) / p(u_i);  epsilon is the largest distance.
    """
    if not len(rows):
        raise ExportError("a round without any draw of finite features is no population")
    weights = np.exp(log_weight - log_weight.max())
    return Population(rows, weights / weights.sum(), distances, float(distances.max()), simulated)
