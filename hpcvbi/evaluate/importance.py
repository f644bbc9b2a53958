"""How much importance weights can be trusted: effective sample size and Pareto-smoothed tails.

    Kish:  ESS = (sum w)^2 / sum w^2
    PSIS:  a generalised Pareto distribution is fitted to the largest min(S/5, 3 sqrt(S)) weights;
           its shape k says which moments they have, and its quantiles replace them

Means weighted by importance are reliable while k < min(1 - 1/log10(S), 0.7); above, no number of
draws in reach helps.

Kish (1965), Survey Sampling; Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25(72),
arXiv:1507.02646; fit: Zhang & Stephens (2009), Technometrics 51, 316, doi:10.1198/tech.2009.08017.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from hpcvbi.core.errors import DataError

# Fewer weights have no tail to fit.
MIN_TAIL = 5


@dataclass(frozen=True, eq=False)
class Importance:
    """Smoothed log weights (draw,), whose weights sum to 1, their effective number, and the tail's
    shape `k`: NaN where all weights are equal, infinite where too few are above zero to tell.
    """

    log_weights: np.ndarray
    ess: float
    k: float
    k_limit: float

    @property
    def reliable(self) -> bool:
        """Whether weighted means can be trusted."""
        return not self.k >= self.k_limit


def kish(log_weights: np.ndarray) -> float:
    """Effective number of draws with `log_weights` (draw,), up to any constant.

    Raises
    ------
    DataError
        Where a weight is not a number or infinite, or all are zero.
    """
    log_weights = _normalised(log_weights)
    return float(1 / (np.exp(log_weights) ** 2).sum())


def pareto_smoothed(log_weights: np.ndarray) -> Importance:
    """Smooth the tail of `log_weights` (draw,), known up to a constant.

    Raises
    ------
    DataError
        Where a weight is not a number or infinite, or all are zero.
    """
    own = _normalised(log_weights)
    n = len(own)
    limit = min(1 - 1 / np.log10(max(n, 11)), 0.7)
    if own.max() - own.min() <= 1e-12 * max(1.0, abs(own.max())):
        return Importance(own, float(n), np.nan, limit)
    order = np.argsort(own, kind="stable")
    size = int(np.ceil(min(n / 5, 3 * np.sqrt(n))))
    tail = order[n - size :]
    peak = own[tail[-1]]
    cut = own[order[n - size - 1]] if size < n else -np.inf
    over = np.exp(own[tail] - peak) - np.exp(cut - peak)
    # A plateau at the cut has no excess; a tail of a few weights beside zeros no shape.
    above = tail[over > 0]
    if len(above) < MIN_TAIL or not np.isfinite(cut):
        return Importance(own, kish(own), np.inf, limit)
    k, scale = _pareto(over[over > 0])
    share = (np.arange(len(above)) + 0.5) / len(above)
    excess = scale * (np.expm1(-k * np.log1p(-share)) / k if k else -np.log1p(-share))
    smoothed = own.copy()
    smoothed[above] = np.minimum(np.log(excess + np.exp(cut - peak)), 0.0) + peak
    smoothed -= logsumexp(smoothed)
    return Importance(smoothed, kish(smoothed), float(k), limit)


def _pareto(excess: np.ndarray) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution for sorted `excess` (draw,) above 0.

    Posterior mean over a grid of the rate, then drawn towards 1/2 with the weight of 10 draws, as
    small tails need.
    """
    n = len(excess)
    grid = 30 + int(np.sqrt(n))
    steps = 1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    rate = steps / (3 * excess[int(n / 4 + 0.5) - 1]) + 1 / excess[-1]
    shape = np.log1p(-rate[:, None] * excess).mean(1)
    fit = n * (np.log(-rate / shape) - shape - 1)
    weight = np.exp(fit - logsumexp(fit))
    mean = float((weight * rate).sum())
    k = float(np.log1p(-mean * excess).mean())
    return (k * n + 5) / (n + 10), -k / mean


def _normalised(log_weights: np.ndarray) -> np.ndarray:
    log_weights = np.asarray(log_weights, float)
    if log_weights.ndim != 1 or not len(log_weights):
        raise DataError(f"log weights must be (draw,), got shape {log_weights.shape}")
    if np.isnan(log_weights).any() or (log_weights == np.inf).any():
        raise DataError("log weights must be numbers below infinity; a weight of zero is -inf")
    if not np.isfinite(log_weights).any():
        raise DataError("all weights are zero: proposal and target do not meet")
    return log_weights - logsumexp(log_weights)
