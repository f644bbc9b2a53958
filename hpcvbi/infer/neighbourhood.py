"""How much of the neighbourhood of an observation to keep, and whether to move it: found by leaving
draws out.

Each of the draws nearest to the observation is left out in turn, and the others of a neighbourhood,
as they are or moved by as much as their features tell, say how probable it is: see `bandwidth.py`,
with h in units of their spread. The expected log density is highest for the posterior itself
(Gneiting & Raftery 2007, DOI 10.1198/016214506000001437), whatever its shape: a line through two
modes, or one so long that features bend, does not raise it.
"""

from collections.abc import Sequence

import numpy as np

from hpcvbi.infer.bandwidth import LEAST, left_out
from hpcvbi.infer.coordinates import log_prior

LEFT_OUT = 100
"""Draws that are left out in turn, at most half of all."""


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
    spread = np.maximum(np.sqrt(weights @ (kept - weights @ kept) ** 2), LEAST)
    volume = np.log(spread).sum()
    _, found = left_out(kept / spread, np.arange(len(w)), weights, log_prior(w) + volume)
    return found[int(found.mean(axis=1).argmax())] - volume
