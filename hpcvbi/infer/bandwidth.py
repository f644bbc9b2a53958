"""Widths of a Gaussian kernel over draws: Silverman's, which is right where they are Gaussian, and
parts of it, to find the one that predicts best where there may be several modes.

Of draws z_j with weights k_j, n = 1 / sum_j k_j^2, each is left out in turn, and the others say how
probable it is:

    p(z_i) = n / (n + 1) sum_j k_j N(z_i | z_j, h^2) / (1 - k_i) + 1 / (n + 1) p0(z_i),

where the last term is the prior: a draw that the others miss costs as much as one draw more can
repair, and does not widen all kernels.

Silverman (1986), "Density estimation for statistics and data analysis", Chapman & Hall.
"""

import numpy as np
from scipy.spatial.distance import cdist

PARTS = 2.0 ** -np.arange(0.0, 4.5, 0.5)
"""Widths that are tried, in units of Silverman's: the square of each is half that before it."""
LEAST = 1e-12
"""No spread is taken as smaller."""


def silverman(n: float, n_params: int) -> float:
    """Return Silverman's bandwidth for `n` equal draws of `n_params` parameters of variance 1."""
    return (4.0 / ((n_params + 2) * n)) ** (1.0 / (n_params + 4))


def left_out(
    z: np.ndarray, out: np.ndarray, weights: np.ndarray, log_prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the widths h (width,) that are tried, and the log densities (width, left out) at the
    draws `out` of all draws `z` (draw, param), of variance 1, given all others; `weights` (draw,)
    sum to 1, `log_prior` (left out,) is that of the draws left out.
    """
    n, p = 1.0 / (weights**2).sum(), z.shape[1]
    apart = cdist(z[out], z, "sqeuclidean")
    apart[np.arange(len(out)), out] = np.inf
    apart[:, weights == 0] = np.inf
    nearest = apart.min(axis=1)
    nearest = np.where(np.isfinite(nearest), nearest, 0.0)
    share = np.log(n / (n + 1.0)) - np.log(np.maximum(1.0 - weights[out], LEAST))
    prior, found = log_prior - np.log(n + 1.0), []
    tried = PARTS * silverman(n, p)
    kernel = np.exp(-0.5 * (apart - nearest[:, None]) / tried[0] ** 2)
    for h in tried:
        with np.errstate(divide="ignore"):  # no other draw has a weight
            inside = np.log(kernel @ weights) - 0.5 * nearest / h**2 + share
        kernel *= kernel  # the next h^2 is half as large
        found.append(np.logaddexp(inside - p * (np.log(h) + 0.5 * np.log(2.0 * np.pi)), prior))
    return tried, np.stack(found)
