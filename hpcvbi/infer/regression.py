"""Rejection ABC with a regression that moves the kept draws to the observation.

With l = logit u, kept draws i at scaled features x + z_i and distance d_i, and Epanechnikov weights
w_i = 1 - (d_i / max_j d_j)^2, the weighted least squares fit of

    l_i = a + z_i b + e_i          gives          l_i* = a + s(0) / s(z_i) (l_i - a - z_i b),

with s = 1 (Beaumont, Zhang & Balding 2002, DOI 10.1093/genetics/162.4.2025) or, heteroscedastic,
log s^2 another such fit to log e_i^2 (after Blum & Francois 2010, DOI 10.1007/s11222-009-9116-0,
whose fits are networks). The logit keeps draws inside the prior (Hamilton et al. 2005, DOI
10.1534/genetics.104.036236).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from hpcvbi.core.errors import TooFewSurvivors
from hpcvbi.infer.lookup import Lookup
from hpcvbi.infer.settings import require
from hpcvbi.infer.table import resampled

EDGE = 1e-9  # logits of draws nearer to the faces of the cube would rule the fit
PER_COEFFICIENT = 5
"""Draws kept for each coefficient of the fit at least: with as many as coefficients there are no
residuals left, and the posterior would be a point.
"""
RIDGE = 1e-6
"""Of the features' weighted variance: what two equal features say is shared between them."""


@dataclass(frozen=True)
class Regression(Lookup):
    """Settings of ABC with regression adjustment; see `Lookup` for those of all such methods.

    quantile: share of the draws that is kept, though never fewer than `min_survivors`, nor than
    five for each feature. heteroscedastic: whether the spread may depend on the features.
    """

    quantile: float = 0.05
    heteroscedastic: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require("quantile", self.quantile, 1e-9, 1.0)

    def kept(self, rows: int, n_params: int, n_features: int) -> int:
        """Return how many of `rows` draws with finite features are kept; TooFewSurvivors where
        there are too few to fit.
        """
        if rows < 2 * (n_features + 1):
            raise TooFewSurvivors(
                f"{rows} draws with finite features cannot fit a regression on {n_features} "
                f"features: simulate at least {2 * (n_features + 1)}, or name fewer features"
            )
        fewest = max(self.min_survivors, PER_COEFFICIENT * (n_features + 1))
        return max(fewest, int(np.ceil(self.quantile * rows)))

    def weights(self, distances: np.ndarray) -> np.ndarray:
        """Return the Epanechnikov weights (kept,) of the kept draws, which sum to 1."""
        return epanechnikov(distances)

    def adjusted(
        self, u: np.ndarray, z: np.ndarray, weights: np.ndarray, rng: np.random.Generator, n: int
    ) -> np.ndarray:
        """Return `n` of the moved draws (draw, param), by their weights."""
        return moved(u, z, weights, self.heteroscedastic)[resampled(weights, n, rng)]


def epanechnikov(distances: np.ndarray) -> np.ndarray:
    """Return weights (row,) that fall to 0 at the largest finite distance, and sum to 1."""
    finite = np.isfinite(distances)
    widest = distances[finite].max(initial=0.0)
    inside = finite & (distances < widest)
    weights = np.where(inside, 1.0 - (np.where(finite, distances, 0.0) / (widest or 1.0)) ** 2, 0.0)
    if not weights.any():  # all are equally far
        weights = finite.astype(float) if finite.any() else np.ones(len(distances))
    return weights / weights.sum()


def moved(
    u: np.ndarray, z: np.ndarray, weights: np.ndarray, heteroscedastic: bool = False
) -> np.ndarray:
    """Return draws `u` (row, param) moved along a weighted regression on `z` (row, feature) to
    z = 0.
    """
    place = logit(np.clip(u, EDGE, 1.0 - EDGE))
    intercept, fitted = _fit(place, z, weights)
    residual = place - fitted
    if heteroscedastic:
        floor = 1e-12 * np.maximum((weights[:, None] * residual**2).sum(axis=0), 1e-300)
        at_zero, log_variance = _fit(np.log(np.maximum(residual**2, floor)), z, weights)
        # beyond the data a line would stretch without bound
        residual = residual * np.exp(np.clip(0.5 * (at_zero - log_variance), -2.0, 2.0))
    return np.clip(expit(intercept + residual), 0.0, 1.0)


def _fit(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return intercepts (target,) and fitted values (row, target) of a weighted linear fit."""
    center, mean = weights @ z, weights @ y
    apart = z - center
    spread = np.sqrt(weights @ apart**2)
    apart = apart * np.divide(1.0, spread, out=np.zeros(len(spread)), where=spread > 0)
    root = np.sqrt(weights)[:, None]
    gram = (root * apart).T @ (root * apart) + RIDGE * np.eye(z.shape[1])
    slope = np.linalg.solve(gram, (weights[:, None] * apart).T @ (y - mean))
    origin = -center * np.divide(1.0, spread, out=np.zeros(len(spread)), where=spread > 0)
    return mean + origin @ slope, mean + apart @ slope
