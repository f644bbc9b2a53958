"""How features are bent so that their noise is about the same wherever they are.

    y = asinh(bend (x - origin)) / bend    or  y = x - origin  where bend is 0

A power that spans decades has noise in proportion to its size: in units of a standard deviation
that the largest few draws make, a network sees little of all others.
The bend of a feature is that under which the nearest draws i, j in parameters are likeliest, if
they differ by noise of one size:

    -log mean |y_i - y_j| + mean log dy/dx   [nats a draw],

where origin is one of its lower end, median and upper end; by less than `WORTH` no feature is bent,
nor is a count, for its small values would be torn apart. The bend is monotone, so that it leaves
the posterior as it is.

Box & Cox (1964), An analysis of transformations, DOI 10.1111/j.2517-6161.1964.tb00553.x; Huber et
al. (2002), Variance stabilization, DOI 10.1093/bioinformatics/18.suppl_1.S96.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.infer.feature_noise import nearest_pairs

ENDS = 0.005
"""Share of values beyond the lower and the upper end."""
STRENGTHS = 2.0 ** np.arange(1, 13)
"""What is tried, over the range between the ends."""
WORTH = 0.1  # nats a draw
COUNT = 0.5
"""Share of values that others repeat, from which on a feature is a count."""


@dataclass(frozen=True, eq=False)
class Bend:
    """Where and how strongly features are bent: `origin` and `bend` (feature,), float64."""

    origin: np.ndarray
    bend: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return y (..., feature) of `values` (..., feature)."""
        y = np.asarray(values, float) - self.origin
        of = self.bend > 0
        if of.any():
            y[..., of] = np.arcsinh(y[..., of] * self.bend[of]) / self.bend[of]
        return y

    def log_slope(self, values: np.ndarray) -> np.ndarray:
        """Return log dy/dx (..., feature)."""
        return -0.5 * np.log1p(np.square(self.bend * (values - self.origin)))


def straight(features: int) -> Bend:
    """Return what bends no feature."""
    return Bend(np.zeros(features), np.zeros(features))


def choose_bend(u: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> Bend:
    """Choose the bend of features `x` (draw, feature), all finite, of draws `u` (draw, param)."""
    some, other = nearest_pairs(u, rng)
    first, median, last = (np.quantile(x, q, axis=0) for q in (ENDS, 0.5, 1.0 - ENDS))
    pairs = np.clip(np.stack([x[some], x[other]]), first, last)
    chosen = straight(x.shape[1])
    varying = last - first > 1e-9 * np.maximum(np.abs(first), np.abs(last))
    of = varying & (_repeated(x[some]) < COUNT)
    span = np.where(of, last - first, 1.0)
    best = np.where(of, _likelihood(chosen, pairs) + WORTH, np.inf)
    for origin in (first, median, last):
        for strength in STRENGTHS:
            tried = Bend(origin, strength / span)
            found = _likelihood(tried, pairs)
            better = found > best
            best = np.where(better, found, best)
            chosen = Bend(
                np.where(better, tried.origin, chosen.origin),
                np.where(better, tried.bend, chosen.bend),
            )
    return chosen


def _likelihood(bend: Bend, pairs: np.ndarray) -> np.ndarray:
    """Return the log likelihood of a draw (feature,), up to a constant, of `pairs` (2, pair,
    feature).
    """
    y = bend(pairs)
    apart = np.abs(y[0] - y[1]).mean(axis=0)
    return bend.log_slope(pairs).mean(axis=(0, 1)) - np.log(np.maximum(apart, 1e-300))


def _repeated(x: np.ndarray) -> np.ndarray:
    """Return the share (feature,) of values that are the same as another of their feature."""
    return (np.diff(np.sort(x, axis=0), axis=0) == 0).mean(axis=0)
