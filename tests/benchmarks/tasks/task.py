"""A problem whose posterior is known: prior, simulator, likelihood, observations, and reference
samples of the posterior given each observation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from tasks.prior import Prior

from hpcvbi.core.seeds import generator


class Known(Protocol):
    """Observations, numbered from 1, and what is known of each."""

    def observation(self, number: int) -> np.ndarray:
        """Features (feature,)."""
        ...

    def truth(self, number: int) -> np.ndarray:
        """Parameters (param,) that it was simulated with, natural units."""
        ...

    def samples(self, number: int) -> np.ndarray:
        """10 000 samples (draw, param) of the posterior, natural units."""
        ...


@dataclass(frozen=True, eq=False)
class Task:
    """Arrays are (draw, param) and (draw, feature).

    `draw` gives features for parameters in natural units. `log_likelihood` gives, per row of
    parameters, log p(x | theta) of one x (feature,), or of a row of x each, up to a constant that
    depends on x alone.
    """

    name: str
    n_params: int
    n_features: int
    prior: Prior
    draw: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    log_likelihood: Callable[[np.ndarray, np.ndarray], np.ndarray]
    known: Known

    def simulate(self, u: np.ndarray, seed: int) -> np.ndarray:
        """Simulate draws of the unit cube; NaN where one failed."""
        return self.draw(self.prior.natural(u), generator(self.name, seed))

    def log_posterior(self, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Log density (draw,) in natural units, not normalised; -inf outside the prior."""
        log_prior = self.prior.log_density(theta)
        inside = np.isfinite(log_prior)
        found = np.full(len(theta), -np.inf)
        found[inside] = log_prior[inside] + self.log_likelihood(theta[inside], x)
        return found
