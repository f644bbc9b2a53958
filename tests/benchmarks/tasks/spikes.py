"""Bernoulli GLM of sbibm: spikes of a neuron that filters white noise, by sufficient statistics.

    y_t ~ Bernoulli(1 / (1 + exp(-ψ_t))),  ψ = X theta,  X = (1, I_t, I_{t-1}, ..., I_{t-8})
    x = Xᵀ y:  log p(x | theta) = xᵀ theta - Σ_t log(1 + exp ψ_t) + const

for 100 steps of a frozen standard normal stimulus I. The offset has prior variance 2; the filter
has precision Fᵀ F, F = D² + diag(√(0/9), ..., √(8/9)), D the first difference, which makes it
smooth.

Lueckmann et al. (2021), DOI 10.48550/arXiv.2101.04653; Goncalves et al. (2020),
DOI 10.7554/eLife.56261.
"""

import numpy as np
from tasks.prior import Normal
from tasks.reference import Sbibm
from tasks.task import Task

STEPS, TAPS = 100, 9
STIMULUS_SEED = 42
CHUNK = 10_000  # draws whose spikes are held at once


def _design() -> np.ndarray:
    """Matrix (step, param) from parameters to log odds."""
    stimulus = np.random.RandomState(STIMULUS_SEED).randn(STEPS).astype(np.float32).astype(float)
    design = np.zeros((STEPS, TAPS + 1))
    design[:, 0] = 1.0
    for lag in range(TAPS):
        design[lag:, lag + 1] = stimulus[: STEPS - lag]
    return design


def _prior() -> Normal:
    difference = np.eye(TAPS) - np.eye(TAPS, k=-1)
    smooth = difference @ difference + np.diag(np.sqrt(np.arange(TAPS) / TAPS))
    precision = np.zeros((TAPS + 1, TAPS + 1))
    precision[0, 0] = 0.5
    precision[1:, 1:] = smooth.T @ smooth
    return Normal(np.zeros(TAPS + 1), np.linalg.cholesky(np.linalg.inv(precision)))


DESIGN = _design()


def _draw(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = np.empty((len(theta), TAPS + 1))
    for start in range(0, len(theta), CHUNK):
        log_odds = theta[start : start + CHUNK] @ DESIGN.T
        spikes = rng.logistic(size=log_odds.shape) < log_odds
        found[start : start + CHUNK] = spikes @ DESIGN
    return found


def _log_likelihood(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (theta * x).sum(axis=1) - np.logaddexp(0.0, theta @ DESIGN.T).sum(axis=1)


bernoulli_glm = Task(
    "bernoulli_glm", TAPS + 1, TAPS + 1, _prior(), _draw, _log_likelihood, Sbibm("bernoulli_glm")
)
