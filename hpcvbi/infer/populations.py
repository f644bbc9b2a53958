"""An inference as weighted draws: what other programs know as the populations of ABC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

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
