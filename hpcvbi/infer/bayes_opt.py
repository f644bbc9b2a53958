"""Bayesian optimisation: a Gaussian process of the loss proposes where improvement is expected.

    y = log(1 + loss) ~ GP(Matern 5/2, one length per parameter) + noise
    EI(u) = E[max(0, y_min - y(u))],    y_min: the lowest predicted mean at a simulated point

A round is a batch: the point of the largest EI among Sobol points of the cube and points about the
best one is taken, its predicted mean is believed, and so on. Points that failed count as the worst.
The cost grows with the cube of the number of points: it is meant for hundreds.

Jones, Schonlau & Welch (1998), Efficient global optimization of expensive black-box functions, DOI
10.1023/A:1008306431147. Ginsbourger, Le Riche & Carraro (2010), Kriging is well-suited to
parallelize optimization, DOI 10.1007/978-3-642-10701-6_6.
"""

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import generator
from hpcvbi.infer.optimum import Optimiser, OptimumState
from hpcvbi.infer.truncation import sobol

MOST_POINTS = 2000
NEAR = 0.05  # standard deviation of the candidates about the best point, in units of prior mass


@dataclass(frozen=True)
class BayesOpt(Optimiser):
    """Settings of Bayesian optimisation; see `Optimiser`. candidates: tried for each point."""

    fewest_points: ClassVar[int] = 4

    rounds: int = 10
    draws: int = 16
    candidates: int = 2048

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds * self.points > MOST_POINTS:
            raise ConfigError(
                f"{self.rounds} rounds of {self.points} points are more than bayes_opt can learn "
                f"from, {MOST_POINTS}: write more replicates, fewer draws, or algorithm: cmaes"
            )
        if not self.points <= self.candidates <= 2**17:
            raise ConfigError(
                f"candidates must lie between the {self.points} points of a round and {2**17}, got "
                f"{self.candidates!r}"
            )

    def search(self, state: OptimumState, seed: int) -> np.ndarray:
        """Return the points (point, param) of the next round."""
        from scipy.special import ndtr
        from threadpoolctl import threadpool_limits

        rng, n_params = generator("propose", seed), state.u.shape[1]
        near = state.best + NEAR * rng.standard_normal((self.candidates // 4, n_params))
        far = sobol(n_params, rng)(self.candidates)
        candidates = np.concatenate([far, np.clip(near, 0.0, 1.0)])
        u, y = state.u, _told(state)
        with threadpool_limits(1):  # bits depend on the number
            kernel, free = _process(u, y).kernel_, np.ones(len(candidates), bool)
            for _ in range(self.points):
                process = _process(u, y, kernel)
                lowest = process.predict(u).min()
                mean, sd = process.predict(candidates, return_std=True)
                sd = np.maximum(sd, 1e-12)
                z = (lowest - mean) / sd
                density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
                best = np.argmax(np.where(free, sd * (z * ndtr(z) + density), -np.inf))
                free[best] = False
                u, y = np.vstack([u, candidates[best]]), np.append(y, mean[best])
        return u[len(state.u) :]

    def optimum(self, state: OptimumState, seed: int) -> np.ndarray:
        """Return the optimum (param,): the simulated point of the lowest predicted loss."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            predicted = _process(state.u, _told(state)).predict(state.u)
        return state.u[np.argmin(predicted)]


def _told(state: OptimumState) -> np.ndarray:
    worst = state.loss[np.isfinite(state.loss)].max()
    return np.log1p(np.minimum(state.loss, worst))


def _process(u: np.ndarray, y: np.ndarray, kernel: Any = None) -> Any:
    """Fit a Gaussian process to `y` (point,); a `kernel` found before is left as it is, and its
    predictions are of the loss without noise.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    if kernel is None:
        start: Any = np.full(u.shape[1], 0.5)
        lengths = Matern(start, (0.03, 30.0), nu=2.5)
        settings: dict[str, Any] = {"kernel": ConstantKernel() * lengths + WhiteKernel(0.1)}
    else:
        noise = max(kernel.k2.noise_level, 1e-8)
        settings = {"kernel": kernel.k1, "alpha": noise, "optimizer": None}
    process = GaussianProcessRegressor(**settings, normalize_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is no failure
        return process.fit(u, y)
