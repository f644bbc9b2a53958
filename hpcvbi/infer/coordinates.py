"""Coordinates in which networks learn: the unit cube laid out over all real numbers.

    w = Φ⁻¹(u),    q(u) = q(w) / φ(w)

with Φ and φ of the standard normal distribution. A density over real numbers puts no mass outside
the cube, so that none leaks; and the prior is a standard normal, which flows start from.
"""

import numpy as np
from scipy.special import ndtr, ndtri

EDGE = 2.0**-40
"""Nearest that a draw comes to a face of the cube; |w| is at most 7.1."""


def to_real(u: np.ndarray) -> np.ndarray:
    """Return coordinates (row, param) of draws of the unit cube."""
    return ndtri(np.clip(u, EDGE, 1.0 - EDGE))


def from_real(w: np.ndarray) -> np.ndarray:
    """Inverse of `to_real`."""
    return np.clip(ndtr(w), EDGE, 1.0 - EDGE)


def log_prior(w: np.ndarray) -> np.ndarray:
    """Log density (row,) of the prior at coordinates (row, param)."""
    return -0.5 * (w**2 + np.log(2.0 * np.pi)).sum(axis=1)
