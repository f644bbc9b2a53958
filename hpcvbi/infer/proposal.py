"""Where the draws of the next generation come from: pyABC's transitions, fitted to a population and
cut to the unit cube, where the prior is uniform.

    q(u) = 1 / Z sum_i w_i N(u; u_i, C_i)  inside the cube,    Z = mass of the sum inside it

Filippi, Barnes, Cornebise & Stumpf (2013), On optimality of kernels for approximate Bayesian
computation using sequential Monte Carlo, DOI 10.1515/sagmb-2012-0069.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer.isolation import numpy_seeded
from hpcvbi.infer.pyabc_parts import named, pyabc
from hpcvbi.infer.table import effective_size
from hpcvbi.infer.truncation import in_cube, in_unit_cube

TRIED = 4096
"""Draws that measure the mass inside the cube."""
MOST = 1000
"""Neighbours of a local covariance at most: they tell it to a few percent, and a share of all for
each would be as many numbers as the square of the particles.
"""


def _global(package: Any, perturbation: "Perturbation", particles: int) -> Any:
    return package.MultivariateNormalTransition(scaling=perturbation.scaling)


def _local(package: Any, perturbation: "Perturbation", particles: int) -> Any:
    k = min(MOST, int(perturbation.neighbours * particles))
    return package.LocalTransition(k, k_fraction=None, scaling=perturbation.scaling)


TRANSITIONS: dict[str, Callable[[Any, "Perturbation", int], Any]] = {
    "multivariate_normal": _global,
    "local": _local,
}


@dataclass(frozen=True)
class Perturbation:
    """Name of the transition, factor of its covariance, and share of neighbours of a local one, at
    most `MOST` of them.
    """

    name: str
    scaling: float
    neighbours: float

    def __post_init__(self) -> None:
        if self.name not in TRANSITIONS:
            raise ConfigError(
                f"there is no transition {self.name!r}. Known: {', '.join(TRANSITIONS)}"
            )

    def fit(self, u: np.ndarray, weights: np.ndarray) -> "Proposal":
        """Fit to a population `u` (particle, param) with its weights (particle,)."""
        if effective_size(weights) < 2 * (u.shape[1] + 1):  # a few particles span no covariance
            weights = np.full(len(u), 1.0 / len(u))
        transition = TRANSITIONS[self.name](pyabc(), self, len(u))
        transition.fit(named(u), weights / weights.sum())
        return Proposal(transition, u.shape[1])


@dataclass(frozen=True, eq=False)
class Proposal:
    """A fitted transition, not normalised inside the cube."""

    transition: Any
    n_params: int

    def draw(self, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) inside the cube, in bounded time."""
        with numpy_seeded(derive_seed("transition", seed)):
            return in_unit_cube(
                self._sample, self._log_density, self.n_params, n, generator("cut", seed)
            )[0]

    def inside(self, seed: int) -> float:
        """Return the mass inside the cube, as far as some draws show it."""
        with numpy_seeded(derive_seed("inside", seed)):
            return (1.0 + in_cube(self._sample(TRIED)).sum()) / (1.0 + TRIED)

    def density(self, u: np.ndarray) -> np.ndarray:
        """Return the density (row,) at `u` (row, param), as if there were no cube."""
        return np.asarray(self.transition.pdf(named(u)), float).reshape(len(u))

    def _sample(self, n: int) -> np.ndarray:
        return self.transition.rvs(n).to_numpy(float)

    def _log_density(self, u: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(self.density(u), 1e-300))
