"""Rejection ABC with a regression that moves the kept draws to the observation.

With w = Φ⁻¹(u), kept draws i at scaled features x + z_i and distance d_i, and Epanechnikov weights
k_i ~ 1 - (d_i / max_j d_j)^2, ridge regression w_i = a + z_i b + e_i with A = sum_i k_i z_i' z_i +
λ I and leverages q(z) = 1 / sum_i k_i + z A⁻¹ z' (z from the weighted mean) gives

    w_i* = a + sqrt(1 + q(0)) s(0) / s(z_i) e_i / sqrt((1 - k_i q_i) (1 - k_i q_i + q_i)),

with s = 1 or, heteroscedastic, log s^2 another such fit to the logarithm of the squared residuals
(Beaumont, Zhang & Balding 2002, DOI 10.1093/genetics/162.4.2025; after Blum & Francois 2010, DOI
10.1007/s11222-009-9116-0). Residuals of a fit of many coefficients to few rows are too small, and
it is least certain where the observation is farthest from them: the first root makes of a residual
that of a draw which was not fitted, the second adds how uncertain a is. λ is what predicts each
draw best from all others, e_i / (1 - k_i q_i) being the error (Allen 1974, DOI
10.1080/00401706.1974.10489157). No line is drawn beyond the least and largest z_i of a feature:
what one heavy tail says there would be a point on a face of the cube.

A line fits where features do not bend and the posterior has one mode. How many of the kept draws
stay, and whether they are moved, is what predicts those nearest to the observation: see
`neighbourhood.py`. The posterior is their smooth density: see `smoothing.py`.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import TooFewSurvivors
from hpcvbi.infer.coordinates import from_real, to_real
from hpcvbi.infer.lookup import Lookup
from hpcvbi.infer.neighbourhood import best
from hpcvbi.infer.settings import require
from hpcvbi.infer.smoothing import smoothed
from hpcvbi.infer.table import effective_size

PER_COEFFICIENT = 5
"""Draws kept for each coefficient of the fit at least: with as many as coefficients there is
nothing left to tell how far a fit errs.
"""
MOST = 5000
"""Draws kept at most, unless a fit needs more: by then it is known but for how features bend."""
NARROWER = 4
"""Each neighbourhood that is tried holds a part as many draws as the one before."""
FEWEST = 100
"""Draws in a narrower neighbourhood at least: fewer would not show the shape of a posterior."""
RIDGES = tuple(10.0 ** (k / 2) for k in range(-12, 7))
"""Penalties λ that are tried, in units of the features' weighted sum of squares."""
EFFECTIVE = 20
"""Draws that count as so many equal ones, or as half of all, show a posterior; fewer do not."""
LEAST = 1e-9
"""Of what is left of a draw's weight when it is predicted from all others."""


@dataclass(frozen=True)
class Regression(Lookup):
    """Settings of ABC with regression adjustment; see `Lookup` for those of all such methods.

    quantile: largest share of the draws that is kept, at most 5000, though never fewer than
    `min_survivors`, nor than five for each feature. heteroscedastic: whether the spread may depend
    on the features.
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
        return max(fewest, min(MOST, int(np.ceil(self.quantile * rows))))

    def weights(self, distances: np.ndarray) -> np.ndarray:
        """Return the Epanechnikov weights (kept,) of the kept draws, which sum to 1."""
        return epanechnikov(distances)

    def chosen(self, u: np.ndarray, z: np.ndarray, distances: np.ndarray) -> tuple[int, bool]:
        """Return the neighbourhood, moved or not, that predicts draws left out."""
        fewest = max(FEWEST, PER_COEFFICIENT * (z.shape[1] + 1))
        sizes = [len(u)]
        while sizes[-1] >= NARROWER * fewest:
            sizes.append(sizes[-1] // NARROWER)
        w, found, ways = to_real(u), [], []
        for size in sizes:
            weights = self.weights(distances[:size])
            found += [(size, True), (size, False)]
            line = _moved(w[:size], z[:size], weights)
            ways += [(line, weights), (w[:size], weights)]
        return found[best(w, ways)]

    def sampled(
        self, u: np.ndarray, weights: np.ndarray, rng: np.random.Generator, n: int
    ) -> np.ndarray:
        """Return `n` draws (draw, param) of the kept ones `u` (kept, param), smoothed."""
        return smoothed(u, weights, 1.0, n, rng)

    def moved(self, u: np.ndarray, z: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the kept draws (kept, param), moved along the regression."""
        return moved(u, z, weights, self.heteroscedastic)


def epanechnikov(distances: np.ndarray) -> np.ndarray:
    """Return weights (row,) that fall to 0 at the largest finite distance, and sum to 1; equal ones
    where most are as far as the farthest, so that a few would be all of the posterior.
    """
    finite = np.isfinite(distances)
    widest = distances[finite].max(initial=0.0)
    inside = finite & (distances < widest)
    weights = np.where(inside, 1.0 - (np.where(finite, distances, 0.0) / (widest or 1.0)) ** 2, 0.0)
    if not weights.any() or effective_size(weights) < min(EFFECTIVE, finite.sum() / 2):
        weights = finite.astype(float) if finite.any() else np.ones(len(distances))
    return weights / weights.sum()


def moved(
    u: np.ndarray, z: np.ndarray, weights: np.ndarray, heteroscedastic: bool = False
) -> np.ndarray:
    """Return draws `u` (row, param) moved along a weighted regression on `z` (row, feature) to
    z = 0.
    """
    return from_real(_moved(to_real(u), z, weights, heteroscedastic))


def _moved(
    w: np.ndarray, z: np.ndarray, weights: np.ndarray, heteroscedastic: bool = False
) -> np.ndarray:
    line = _fit(w, z, weights)
    residual = line.residual
    if heteroscedastic:
        floor = 1e-12 * np.maximum((weights[:, None] * residual**2).sum(axis=0), 1e-300)
        width = _fit(np.log(np.maximum(residual**2, floor)), z, weights)
        # beyond the data a line would stretch without bound
        residual = residual * np.exp(np.clip(0.5 * (width.at_zero - width.fitted), -2.0, 2.0))
    return line.at_zero + line.reach * residual


@dataclass(frozen=True, eq=False)
class _Line:
    """Of a fit: what it says at z = 0, or as near as the rows come (target,), and for the rows
    (row, target); the residuals (row, target) of draws known but for noise; by how much those at
    z = 0 are wider (target,).
    """

    at_zero: np.ndarray
    fitted: np.ndarray
    residual: np.ndarray
    reach: np.ndarray


def _fit(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> _Line:
    """Fit `y` (row, target) to `z` (row, feature), with the penalty that is best for each target;
    `weights` (row,) sum to 1.
    """
    k = weights / (weights**2).sum()  # as many as equal rows that say as much
    total, center, mean = k.sum(), weights @ z, weights @ y
    spread = np.sqrt(weights @ (z - center) ** 2)
    scale = np.divide(1.0, spread, out=np.zeros(len(spread)), where=spread > 0)
    apart = (z - center) * scale
    squares, axes = np.linalg.eigh((weights[:, None] * apart).T @ apart)
    inside = z[weights > 0]
    nearest = np.clip(0.0, inside.min(axis=0), inside.max(axis=0))
    apart, origin = apart @ axes, (nearest - center) * scale @ axes
    along = (weights[:, None] * apart).T @ (y - mean)
    lines, errors = [], []
    for ridge in RIDGES:
        inverse = 1.0 / (np.maximum(squares, 0.0) + ridge)
        slope = inverse[:, None] * along
        fitted = mean + apart @ slope
        leverage = (1.0 + apart**2 @ inverse) / total
        left = np.maximum(1.0 - k * leverage, LEAST)[:, None]
        residual = (y - fitted) / np.sqrt(left * (left + leverage[:, None]))
        reach = np.sqrt(1.0 + (1.0 + origin**2 @ inverse) / total)
        lines.append((mean + origin @ slope, fitted, residual, np.full(len(mean), reach)))
        errors.append(weights @ ((y - fitted) / left) ** 2)
    best = np.argmin(errors, axis=0)
    parts = zip(*lines, strict=True)
    return _Line(*(
        np.stack([part[ridge][..., target] for target, ridge in enumerate(best)], axis=-1)
        for part in parts
    ))  # fmt: skip
