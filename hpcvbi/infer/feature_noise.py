"""How much of a feature is noise: how far it differs between draws of nearly the same parameters.

    s_f = sqrt(pi) / 2 mean_i |x_if - x_jf|,

with j the draw nearest to i in parameters, and the largest differences clipped: the standard
deviation of Gaussian noise. Distances in units of s count a feature by what it tells of parameters,
not by how much they move it, as a likelihood of Gaussian, independent features does. With few draws
of many parameters the nearest differ as much as any two, and s is the spread of the feature.

Noise depends on parameters: that of a count is largest where it is half of all. So it is measured
where the observation is, among the tenth of draws i whose features are nearest to it in units of
the noise of all draws.

Scaling by the spread of all features, median absolute deviations among them, is the usual choice
(Prangle 2017, DOI 10.1214/16-BA1002): it counts what tells nothing as much as what tells all.
"""

import numpy as np
from scipy.spatial import KDTree

from hpcvbi.infer.table import inverse, norm

PAIRS = 1000
"""Pairs of draws that are compared at most: s is then known to 2 or 3 %."""
NEAR, FEWEST = 10, 100
"""The draws near an observation are one in so many, though at least a hundred: s to 8 %."""
WILD = 0.01
"""Of all pairs, those whose difference is taken as no larger than that of all others."""
LEAST = 1e-3
"""Noise at least, in units of a feature's scale: one without any would be all that is seen."""


def noise_near(
    cases: np.ndarray, u: np.ndarray, x: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the noise (case, feature) near each of the `cases` (case, feature) of features `x`
    (draw, feature), all finite, of draws `u` (draw, param); `scale` (feature,) is their spread, and
    0 where all draws agree.
    """
    distance = norm(inverse(feature_noise(u, x, scale, rng)))
    some = rng.permutation(len(u))[: NEAR * PAIRS]
    kept = max(FEWEST, len(some) // NEAR)
    near = [some[np.argsort(distance(x[some], case), kind="stable")[:kept]] for case in cases]
    rows = np.unique(near)
    other = nearest_others(u, rows)
    return np.stack([_noise(x, of, other[np.searchsorted(rows, of)], scale) for of in near])


def feature_noise(
    u: np.ndarray, x: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the noise (feature,) of features `x` (draw, feature), all finite, of draws `u` (draw,
    param), the mean over all of them; `scale` (feature,) is their spread, and 0 where all agree.
    """
    return _noise(x, *nearest_pairs(u, rng), scale)


def _noise(x: np.ndarray, some: np.ndarray, other: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the noise (feature,) that pairs of rows (pair,) differ by."""
    apart = np.abs(x[some] * inverse(scale) - x[other] * inverse(scale))
    most = np.quantile(apart, 1.0 - WILD, axis=0)
    apart = np.where(most > 0, np.minimum(apart, most), apart)
    noise = 0.5 * np.sqrt(np.pi) * apart.mean(axis=0)
    return scale * np.maximum(noise, LEAST)


def nearest_pairs(u: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return random rows (pair,) of draws `u` (draw, param), and for each the row of the nearest
    other draw.
    """
    some = rng.permutation(len(u))[:PAIRS]
    return some, nearest_others(u, some)


def nearest_others(u: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return for each of the `rows` (row,) of draws `u` (draw, param) that of the nearest other."""
    nearest = np.asarray(KDTree(u).query(u[rows], k=2)[1])
    # a draw whose parameters come twice may find its double first
    return np.where(nearest[:, 0] == rows, nearest[:, 1], nearest[:, 0])
