"""Gaussian tasks of sbibm.

Gaussian linear:   x ~ N(theta, 0.1 I),  theta ~ N(0, 0.1 I), ten of each:
                   p(theta | x) = N(x / 2, 0.05 I)
Gaussian mixture:  x ~ ½ N(theta, I) + ½ N(theta, 0.01 I),  theta ~ U(-10, 10)², one component for
                   both coordinates: p(theta | x) is that mixture about x, cut to the square

Lueckmann et al. (2021), DOI 10.48550/arXiv.2101.04653; the mixture: Sisson, Fan & Tanaka (2007),
DOI 10.1073/pnas.0607208104.
"""

import numpy as np
from tasks.prior import Normal, Uniform
from tasks.reference import Sbibm
from tasks.task import Task

VARIANCE = 0.1
DIMENSIONS = 10
SPREADS = np.array([1.0, 0.1])


def _draw_linear(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return theta + np.sqrt(VARIANCE) * rng.standard_normal(theta.shape)


def _log_linear(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    return -0.5 * ((x - theta) ** 2).sum(axis=1) / VARIANCE


def _draw_mixture(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    spread = SPREADS[rng.integers(0, 2, len(theta))]
    return theta + spread[:, None] * rng.standard_normal(theta.shape)


def _log_mixture(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    squared = ((x - theta) ** 2).sum(axis=1)
    parts = [-0.5 * squared / s**2 - 2 * np.log(s) for s in SPREADS]
    return np.logaddexp(*parts)


gaussian_linear = Task(
    "gaussian_linear",
    DIMENSIONS,
    DIMENSIONS,
    Normal(np.zeros(DIMENSIONS), np.sqrt(VARIANCE) * np.eye(DIMENSIONS)),
    _draw_linear,
    _log_linear,
    Sbibm("gaussian_linear"),
)
gaussian_mixture = Task(
    "gaussian_mixture",
    2,
    2,
    Uniform((-10.0,) * 2, (10.0,) * 2),
    _draw_mixture,
    _log_mixture,
    Sbibm("gaussian_mixture"),
)
