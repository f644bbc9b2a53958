"""The pair vector: what is above the diagonal of a symmetric (region, region) matrix, row by row.

Functional connectivity is compared, stored and summarised as a vector over pairs of regions; this
is the only place that knows its order: (0, 1), (0, 2), ..., (0, n-1), (1, 2), ...
"""

from functools import lru_cache

import numpy as np

from hpcvbi.core.errors import DataError


@lru_cache(maxsize=16)
def pair_indices(n_regions: int) -> tuple[np.ndarray, np.ndarray]:
    """First and second region of every pair, two read-only arrays of shape (pair,)."""
    first, second = np.triu_indices(n_regions, 1)
    first.flags.writeable = second.flags.writeable = False
    return first, second


def upper(matrix: np.ndarray) -> np.ndarray:
    """Pair vector (..., pair) of the upper triangles of `matrix` (..., region, region), diagonal
    left out.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise DataError(f"a matrix over regions must be square, got shape {matrix.shape}")
    first, second = pair_indices(matrix.shape[-1])
    return matrix[..., first, second]


def from_upper(pairs: np.ndarray, diagonal: float = 1.0) -> np.ndarray:
    """Symmetric matrices (..., region, region) with pair vectors (..., pair) off the diagonal."""
    pairs = np.asarray(pairs)
    n_pairs = pairs.shape[-1]
    n_regions = round((1 + (1 + 8 * n_pairs) ** 0.5) / 2)
    if n_regions * (n_regions - 1) // 2 != n_pairs:
        raise DataError(f"{n_pairs} is not the number of pairs of any number of regions")
    first, second = pair_indices(n_regions)
    matrix = np.full((*pairs.shape[:-1], n_regions, n_regions), diagonal, pairs.dtype)
    matrix[..., first, second] = matrix[..., second, first] = pairs
    return matrix


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation over the last axis, broadcast over the others; NaN where a side is
    constant.

    Constant means a spread below rounding: the sum of squares about the mean is under (1e-12 x
    largest value)^2 per entry.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    a_part, b_part = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    a_power, b_power = (a_part**2).sum(-1), (b_part**2).sum(-1)
    constant = _constant(a, a_power) | _constant(b, b_power)
    norm = np.sqrt(np.where(constant, np.nan, a_power * b_power))
    return np.clip((a_part * b_part).sum(-1) / norm, -1.0, 1.0)


def _constant(values: np.ndarray, power: np.ndarray) -> np.ndarray:
    return power <= values.shape[-1] * (1e-12 * np.abs(values).max(-1)) ** 2
