"""How much of the neighbourhood of an observation to keep, and whether to move it: found by leaving
draws out.

Each of the draws nearest to the observation is left out in turn, and the others say how probable it
is. With the draws w_j of a neighbourhood and their weights k_j, as they are or moved by as much as
their features tell, n = 1 / sum_j k_j^2, and i left out,

    p(w_i) = n / (n + 1) sum_j k_j N(w_i | w_j, h^2 s^2) / (1 - k_i) + 1 / (n + 1) N(w_i | 0, 1),

where s is their spread, h Silverman's bandwidth or what part of it predicts best, and the last term
the prior: a draw that the others miss costs as much as one draw more can repair. The expected log
density is highest for the posterior itself (Gneiting & Raftery 2007, DOI
10.1198/016214506000001437), whatever its shape: a line through two modes, or one so long that
features bend, does not raise it.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from hpcvbi.infer.bandwidth import LEAST, PARTS, silverman

LEFT_OUT = 100
"""Draws that are left out in turn, at most half of all."""
LOG_2_PI = float(np.log(2.0 * np.pi))


def best(w: np.ndarray, ways: Sequence[tuple[np.ndarray, np.ndarray]]) -> int:
    """Return which of several neighbourhoods to take: the first that is no worse than the best by
    more than a standard error (Breiman, Friedman, Olshen & Stone 1984, "Classification and
    Regression Trees").

    `w` (draw, param) are draws, standard normal under the prior, nearest to the observation first;
    a way is what becomes of the first of them, (kept, param), with weights (kept,) of sum 1.
    """
    shortest = min(len(weights) for _, weights in ways)
    out = max(1, min(LEFT_OUT, shortest // 2))
    found = np.array([scores(w[:out], *way) for way in ways])
    behind = found[found.mean(axis=1).argmax()] - found
    error = behind.std(axis=1) / np.sqrt(out)
    return int(np.argmax(behind.mean(axis=1) <= error))


def scores(w: np.ndarray, kept: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the log density (left out,) at the first of the `kept` draws (kept, param) given all
    others; before they were moved they were `w` (left out, param).
    """
    out, p = w.shape
    n = 1.0 / (weights**2).sum()
    spread = np.maximum(np.sqrt(weights @ (kept - weights @ kept) ** 2), LEAST)
    scaled = kept / spread
    apart = cdist(scaled[:out], scaled, "sqeuclidean")
    each = np.arange(out)
    apart[each, each] = np.inf
    share = (
        np.log(n / (n + 1.0))
        - np.log(np.maximum(1.0 - weights[:out], LEAST))
        - np.log(spread).sum()
    )
    prior = -0.5 * (w**2).sum(axis=1) - 0.5 * p * LOG_2_PI - np.log(n + 1.0)
    found = []
    for width in PARTS * silverman(n, p):
        inside = logsumexp(-0.5 * apart / width**2, b=weights, axis=1)
        inside = inside + share - p * np.log(width) - 0.5 * p * LOG_2_PI
        found.append(np.logaddexp(inside, prior))
    return found[int(np.argmax(np.mean(found, axis=1)))]
