"""How much of the neighbourhood of an observation to keep, and whether to move it: found by leaving
draws out.

Each of the draws nearest to the observation is taken for the observation in turn, and the others
say how probable its parameters are. With draws u_j of weights w_j that a way makes of the others,

    log p(u) = log( n/(n+1) sum_j w_j N(u | u_j, h^2 s^2) + 1/(n+1) ),    n = 1 / sum_j w_j^2,

s is their spread, h Silverman's bandwidth or what part of it predicts best, and 1 is the density of
the prior: a truth that they miss costs as much as one draw more can repair. The expected score is
highest for the posterior itself (Gneiting & Raftery 2007, DOI 10.1198/016214506000001437), whatever
its shape, and a line through two modes, or one as far as features bend, does not raise it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import logsumexp

Way = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Turns parameters (row, param) and features (row, feature) relative to an observation into draws
(draw, param) with weights (draw,) that sum to 1.
"""

LEFT_OUT = 100
"""Draws that are left out in turn, at most half of all."""
PARTS = 2.0 ** -np.arange(0.0, 4.5, 0.5)
"""Widths of a kernel that are tried, in units of Silverman's."""
LEAST = 1e-12
"""No spread is taken as smaller."""


def silverman(n: float, n_params: int) -> float:
    """Return Silverman's bandwidth for `n` equal draws of `n_params` parameters of variance 1."""
    return (4.0 / ((n_params + 2) * n)) ** (1.0 / (n_params + 4))


def best(u: np.ndarray, z: np.ndarray, ways: Sequence[Way]) -> int:
    """Return which of the `ways` to take: the first that is no worse than the best by more than a
    standard error (Breiman, Friedman, Olshen & Stone 1984, "Classification and Regression Trees").

    `u` (row, param) and `z` (row, feature) are draws near the observation, nearest first.
    """
    if len(ways) == 1:
        return 0
    found = np.array([scores(u, z, way) for way in ways])
    behind = found[found.mean(axis=1).argmax()] - found
    error = behind.std(axis=1) / np.sqrt(found.shape[1])
    return int(np.argmax(behind.mean(axis=1) <= error))


def scores(u: np.ndarray, z: np.ndarray, way: Way) -> np.ndarray:
    """Return the log density (left out,) at each draw that is left out, see `best`."""
    found = []
    for i in range(max(1, min(LEFT_OUT, len(u) // 2))):
        others = np.arange(len(u)) != i
        found.append(_log_density(*way(u[others], z[others] - z[i]), u[i]))
    table = np.array(found)
    return table[:, table.mean(axis=0).argmax()]


def _log_density(u: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the log density (part,) at `at` (param,), for each of the widths tried."""
    n, p = 1.0 / (weights**2).sum(), u.shape[1]
    spread = np.maximum(np.sqrt(weights @ (u - weights @ u) ** 2), LEAST)
    apart = (((u - at) / spread) ** 2).sum(axis=1)
    widths = PARTS * silverman(n, p)
    inside = -0.5 * apart / widths[:, None] ** 2
    log_norm = p * np.log(np.sqrt(2.0 * np.pi) * widths) + np.log(spread).sum()
    return np.logaddexp(
        logsumexp(inside, b=weights * n / (n + 1.0), axis=1) - log_norm, -np.log(n + 1.0)
    )
