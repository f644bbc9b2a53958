"""Grid search: points spread evenly over the prior, in one round; the best of them is the answer.

The points are a scrambled Sobol sequence, or a full factorial with k levels of each of p
parameters, at the middle of k equal cells of the prior mass: k^p points.

Sobol (1967), On the distribution of points in a cube and the approximate evaluation of integrals,
DOI 10.1016/0041-5553(67)90144-9.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import generator
from hpcvbi.infer.optimum import Optimiser, OptimumState
from hpcvbi.infer.truncation import sobol

Design = Callable[[int, int, int], np.ndarray]
"""Points (point, param) of a number of parameters, of points, and a seed."""


def _sobol(n_params: int, n: int, seed: int) -> np.ndarray:
    return sobol(n_params, generator("propose", seed))(n)


def _factorial(n_params: int, n: int, seed: int) -> np.ndarray:
    levels = round(n ** (1 / n_params))
    middles = (np.arange(levels) + 0.5) / levels
    return np.array(list(product(middles, repeat=n_params)))


DESIGNS: dict[str, Design] = {"sobol": _sobol, "factorial": _factorial}


@dataclass(frozen=True)
class Grid(Optimiser):
    """Settings of the grid; see `Optimiser`. design: sobol or factorial."""

    design: str = "sobol"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds != 1:
            raise ConfigError("grid has one round: write rounds: 1, or algorithm: cmaes")
        if self.design not in DESIGNS:
            raise ConfigError(f"there is no design {self.design!r}. Known: {', '.join(DESIGNS)}")

    def init(self, n_params: int, x_observed: np.ndarray) -> OptimumState:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        state = super().init(n_params, x_observed)
        levels = round(self.points ** (1 / n_params))
        if self.design == "factorial" and (levels < 2 or levels**n_params != self.points):
            near = " or ".join(
                str(self.replicates * k**n_params) for k in sorted({max(levels, 2), levels + 1})
            )
            raise ConfigError(
                f"a factorial of {n_params} parameters has k^{n_params} points, not {self.points}: "
                f"write draws: {near}, or design: sobol"
            )
        return state

    def start(self, n_params: int, seed: int) -> np.ndarray:
        """Return the points (point, param), spread over the prior."""
        return DESIGNS[self.design](n_params, self.points, seed)
