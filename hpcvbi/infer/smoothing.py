"""Weighted draws as a smooth density with their own mean and covariance.

With draws w_j of weights k_j, mean m and covariance C in the coordinates of `coordinates.py`,

    q(w) = sum_j k_j N(w | m + sqrt(1 - h^2) (w_j - m), h^2 C)

(West 1993, DOI 10.1111/j.2517-6161.1993.tb01911.x): unlike a plain kernel density it is no wider
than the draws. h is Silverman's bandwidth, or the part of it under which draws left out are most
probable (`bandwidth.py`): where the posterior has several modes or is a crescent, the spread over
all of it says little of any place.
"""

import numpy as np

from hpcvbi.infer.bandwidth import LEAST, left_out
from hpcvbi.infer.coordinates import from_real, log_prior, to_real
from hpcvbi.infer.table import resampled

LEFT_OUT = 200
"""Draws that are left out in turn."""
FLAT = 1e-12
"""Directions of less variance, in units of the largest, are taken as without any."""


def smoothed(
    u: np.ndarray, weights: np.ndarray, factor: float, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Return `n` draws (draw, param) of the smooth density of draws `u` (row, param) of the unit
    cube with `weights` (row,), which sum to 1; `factor` multiplies the width h.
    """
    w = to_real(u)
    center = weights @ w
    variance, axes = np.linalg.eigh((weights[:, None] * (w - center)).T @ (w - center))
    some = variance > max(FLAT * variance[-1], LEAST**2)
    scale, axes = np.sqrt(variance[some]), axes[:, some]
    z = (w - center) @ axes / scale
    out = rng.permutation(np.flatnonzero(weights))[:LEFT_OUT]
    tried, found = left_out(z, out, weights, log_prior(w[out]) + np.log(scale).sum())
    h = min(1.0, factor * tried[found.mean(axis=1).argmax()])
    drawn = np.sqrt(1.0 - h**2) * z[resampled(weights, n, rng)]
    drawn = drawn + h * rng.standard_normal(drawn.shape)
    return from_real(center + drawn * scale @ axes.T)
