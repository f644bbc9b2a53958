"""Simulated draws as a table to look up: distances to an observation, the nearest draws, and
weighted draws turned into equal ones.

    d_i = ( sum_f |w_f (x_if - x_f)|^p )^(1/p)

with w_f = 1 / noise_f or 1 / scale_f; a feature that is the same in all draws has w_f = 0: it says
nothing about parameters. Rows are read a chunk at a time, so that the features need not fit into
memory. A draw without finite features is infinitely far from everything.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hpcvbi.infer.draws import CHUNK, Rows

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Distances (row,) of features (row, feature) to one observation (feature,)."""

NORMAL = 1.4826  # standard deviations per median absolute deviation of a Gaussian


def robust(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre and the scale (feature,) of rows (row, feature), all finite: median, and
    median absolute deviation as that of a Gaussian.

    Where more than half of the rows share a value the standard deviation takes its place; a scale
    of 0 says that all rows are equal.
    """
    center = np.median(x, axis=0)
    scale = NORMAL * np.median(np.abs(x - center), axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.nan_to_num(x.std(axis=0), nan=np.inf, posinf=np.inf)
    resolution = 1e-12 * np.maximum(np.abs(center), np.finfo(float).tiny)
    scale = np.where(scale > resolution, scale, np.where(np.isfinite(spread), spread, 0.0))
    return center, np.where(scale > resolution, scale, 0.0)


def inverse(scale: np.ndarray) -> np.ndarray:
    """Return 1 / scale (feature,), and 0 where the scale is 0."""
    return np.divide(1.0, scale, out=np.zeros(len(scale)), where=scale > 0)


def norm(weights: np.ndarray, p: float = 2.0) -> Distance:
    """Return the weighted p-norm of differences; `weights` has shape (feature,)."""

    def distance(x: np.ndarray, to: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.abs(weights * (x - to))
            if np.isinf(p):
                return apart.max(axis=1, initial=0.0)
            return (apart**p).sum(axis=1) ** (1.0 / p)

    return distance


def distances(x: Rows, to: np.ndarray, distance: Distance) -> np.ndarray:
    """Return the distance (draw,) of every draw to `to` (feature,), infinite where not finite."""
    return np.concatenate([distance_of(rows, to, distance) for _, rows in chunks(x)])


def distance_of(rows: np.ndarray, to: np.ndarray, distance: Distance) -> np.ndarray:
    """Return the distances (row,) of some rows in memory, infinite where not finite."""
    found = np.full(len(rows), np.inf)
    whole = np.isfinite(rows).all(axis=1)
    found[whole] = np.nan_to_num(distance(rows[whole], to), nan=np.inf)
    return found


def nearest(
    x: Rows, cases: np.ndarray, k: int, by: Sequence[Distance]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (case, k) nearest to each of the `cases` (case, feature), nearest first, and
    how far they are, `by` a distance for each case; of equal ones the first.
    """
    rows = np.zeros((len(cases), 0), np.int64)
    apart = np.zeros((len(cases), 0))
    for start, part in chunks(x):
        found = np.stack([distance_of(part, *own) for own in zip(cases, by, strict=True)])
        number = np.arange(start, start + len(part))
        rows = np.concatenate([rows, np.broadcast_to(number, found.shape)], axis=1)
        apart = np.concatenate([apart, found], axis=1)
        order = np.argsort(apart, axis=1, kind="stable")[:, :k]
        rows = np.take_along_axis(rows, order, axis=1)
        apart = np.take_along_axis(apart, order, axis=1)
    return rows, apart


def at(x: Rows, rows: np.ndarray) -> np.ndarray:
    """Return the features (row, feature) of the draws `rows`, in their order."""
    found = np.empty((len(rows), x.shape[1]))
    for start, part in chunks(x):
        here = (rows >= start) & (rows < start + len(part))
        found[here] = part[rows[here] - start]
    return found


def chunks(x: Rows) -> Iterator[tuple[int, np.ndarray]]:
    """Read all rows, some at a time, with the number of the first."""
    for start in range(0, x.shape[0], CHUNK):
        yield start, np.asarray(x[start : start + CHUNK], float)


def extent(x: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest (feature,) of all rows that are finite."""
    low, high = np.full(x.shape[1], np.inf), np.full(x.shape[1], -np.inf)
    for _, part in chunks(x):
        whole = part[np.isfinite(part).all(axis=1)]
        low = np.minimum(low, whole.min(axis=0, initial=np.inf))
        high = np.maximum(high, whole.max(axis=0, initial=-np.inf))
    return low, high


def effective_size(weights: np.ndarray) -> float:
    """Return how many equal weights say as much: (sum w)^2 / sum w^2 (Kong 1992)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def resampled(weights: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` rows drawn by their weights (row,): systematically, in random order.

    Systematic resampling takes row i at least floor(n w_i) and at most ceil(n w_i) times (Kitagawa
    1996, DOI 10.1080/10618600.1996.10474692).
    """
    edges = np.cumsum(weights / weights.sum())
    points = (rng.random() + np.arange(n)) / n
    rows = np.minimum(np.searchsorted(edges, points, side="right"), len(weights) - 1)
    return rng.permutation(rows)
