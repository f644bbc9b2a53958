"""How much of a feature is noise: how far it differs between draws of nearly the same parameters.

    s_f = sqrt(pi) / 2 mean_i |x_if - x_jf|,

with j the draw nearest to i in parameters, and the largest differences clipped: the standard
deviation of Gaussian noise. Distances in units of s count a feature by what it tells of parameters,
not by how much they move it, as a likelihood of Gaussian, independent features does. With few draws
of many parameters the nearest differ as much as any two, and s is the spread of the feature.

Scaling by the spread of all features, median absolute deviations among them, is the usual choice
(Prangle 2017, DOI 10.1214/16-BA1002): it counts what tells nothing as much as what tells all.
"""

import numpy as np
from scipy.spatial import KDTree

from hpcvbi.infer.table import inverse

PAIRS = 1000
"""Pairs of draws that are compared at most: s is then known to 2 or 3 %."""
WILD = 0.01
"""Of all pairs, those whose difference is taken as no larger than that of all others."""
LEAST = 1e-3
"""Noise at least, in units of a feature's scale: one without any would be all that is seen."""


def feature_noise(
    u: np.ndarray, x: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the noise (feature,) of features `x` (draw, feature), all finite, of draws `u` (draw,
    param); `scale` (feature,) is their spread, and 0 where all draws agree.
    """
    some, other = nearest_pairs(u, rng)
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
    nearest = np.asarray(KDTree(u).query(u[some], k=2)[1])
    # a draw whose parameters come twice may find its double first
    return some, np.where(nearest[:, 0] == some, nearest[:, 1], nearest[:, 0])
