"""Weighted draws as a smooth density of the same mean and spread.

With draws w_j of weights k_j, mean m and covariance C in the coordinates of `coordinates.py`,

    q(w) = sum_j k_j N(w | m + sqrt(1 - h^2) (w_j - m), h^2 K),    K = C or its diagonal

(West 1993, DOI 10.1111/j.2517-6161.1993.tb01911.x): unlike a plain kernel density it is no wider
than the draws. h is Silverman's bandwidth or a part of it, and K what makes draws left out most
probable (`bandwidth.py`): where the posterior has several modes or is a crescent, its spread and
direction as a whole say little of any place.
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
    cube with `weights` (row,), which sum to 1; `factor` multiplies h, at most to 1.
    """
    w = to_real(u)
    center = weights @ w
    covariance = (weights[:, None] * (w - center)).T @ (w - center)
    out = rng.permutation(np.flatnonzero(weights))[:LEFT_OUT]
    found = []
    for root in _roots(covariance):
        z, volume = (w - center) @ np.linalg.pinv(root).T, 0.5 * np.linalg.slogdet(root.T @ root)[1]
        widths, scores = left_out(z, out, weights, log_prior(w[out]) + volume)
        each = scores.mean(axis=1) - volume
        found.append((each.max(), widths[each.argmax()], z, root))
    _, h, z, root = max(found, key=lambda kernel: kernel[0])
    h = min(1.0, factor * h)
    drawn = np.sqrt(1.0 - h**2) * z[resampled(weights, n, rng)]
    drawn = drawn + h * rng.standard_normal(drawn.shape)
    return from_real(center + drawn @ root.T)


def _roots(covariance: np.ndarray) -> list[np.ndarray]:
    """Return the kernel's shapes, whose squares (param, param) they are: that of the covariance,
    and where it has no flat direction, its diagonal.
    """
    variance, axes = np.linalg.eigh(covariance)
    some = variance > max(FLAT * variance[-1], LEAST**2)
    roots = [axes[:, some] * np.sqrt(variance[some])]
    if some.all():
        roots.append(np.diag(np.sqrt(np.diag(covariance))))
    return roots
