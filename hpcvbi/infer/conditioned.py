"""Fitted networks given one vector of features, on the unit cube."""

from dataclasses import dataclass

import numpy as np

from hpcvbi.infer.coordinates import from_real, log_prior, to_real
from hpcvbi.infer.cube_sampler import sample_cube
from hpcvbi.infer.ensemble import Ensemble
from hpcvbi.infer.neural_state import NeuralState
from hpcvbi.infer.truncation import in_unit_cube


@dataclass(frozen=True, eq=False)
class Drawn:
    """Draws (draw, param) inside the unit cube, the share of the networks' mass that lies there,
    and the R-hat of the draws: 1 where they are independent.
    """

    u: np.ndarray
    share: float
    r_hat: float


class Conditioned:
    """A mixture of networks given features `x` (feature,); densities lack the factor by which
    coordinates are scaled. Use it inside `isolated` only.
    """

    def __init__(self, ensemble: Ensemble, state: NeuralState, x: np.ndarray) -> None:
        self.ensemble, self.state, self.n_params = ensemble, state, state.n_params
        self.of_likelihood = ensemble.estimator.sample is None
        self.x = state.scaling.apply(np.asarray(x, float))

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Log density (row,) at `u` (row, param); up to a constant where it is a likelihood, which
        is the same in all coordinates.
        """
        w = to_real(u)
        z = (w - self.state.u_center) / self.state.u_scale
        found = self.ensemble.log_density(z, self.x)
        return found if self.of_likelihood else found - log_prior(w)

    def sample(self, n: int, rng: np.random.Generator) -> Drawn:
        """Draw `n` rows inside the unit cube."""
        if self.of_likelihood:
            found = sample_cube(self.log_density, self.n_params, n, rng)
            return Drawn(found.u, 1.0, found.r_hat)

        def unbounded(k: int) -> np.ndarray:
            z = self.ensemble.sample(k, self.x, rng)
            return from_real(self.state.u_center + self.state.u_scale * z)

        u, share = in_unit_cube(unbounded, self.log_density, self.n_params, n, rng)
        return Drawn(u, share, 1.0)
