"""Widths of a Gaussian kernel over draws: Silverman's, which is right where they are Gaussian, and
parts of it, to find the one that predicts best where there may be several modes.

Silverman (1986), "Density estimation for statistics and data analysis", Chapman & Hall.
"""

import numpy as np

PARTS = 2.0 ** -np.arange(0.0, 4.5, 0.5)
"""Widths that are tried, in units of Silverman's."""
LEAST = 1e-12
"""No spread is taken as smaller."""


def silverman(n: float, n_params: int) -> float:
    """Return Silverman's bandwidth for `n` equal draws of `n_params` parameters of variance 1."""
    return (4.0 / ((n_params + 2) * n)) ** (1.0 / (n_params + 4))
