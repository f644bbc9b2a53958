"""Fitted networks given one vector of features, on the unit cube."""

import numpy as np

from hpcvbi.infer.coordinates import from_real, log_prior, to_real
from hpcvbi.infer.ensemble import Ensemble
from hpcvbi.infer.neural_state import NeuralState
from hpcvbi.infer.truncation import in_unit_cube


class Conditioned:
    """A mixture of networks given features `x` (feature,); densities lack the factor by which
    coordinates are scaled. Use it inside `isolated` only.
    """

    def __init__(self, ensemble: Ensemble, state: NeuralState, x: np.ndarray) -> None:
        self.ensemble, self.state = ensemble, state
        self.x = state.scaling.apply(np.asarray(x, float))

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Log density (row,) at `u` (row, param)."""
        w = to_real(u)
        z = (w - self.state.u_center) / self.state.u_scale
        return self.ensemble.log_density(z, self.x) - log_prior(w)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Draw `n` rows inside the unit cube, and the share of the mass that lies there."""

        def unbounded(k: int) -> np.ndarray:
            z = self.ensemble.sample(k, self.x, rng)
            return from_real(self.state.u_center + self.state.u_scale * z)

        return in_unit_cube(unbounded, self.log_density, self.state.n_params, n, rng)
