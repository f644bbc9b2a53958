"""Draws from a density cut to the unit cube, and from the uniform distribution cut to a region:
bounded work, always `n` rows.

Exact rejection comes first; what is missing when its candidates are used up is filled by sampling
importance resampling (Rubin 1988; without replacement by the Gumbel top-k trick, Efraimidis &
Spirakis 2006, DOI 10.1016/j.ipl.2005.11.003), which is approximate: its error falls with the
number of candidates.
"""

from collections.abc import Callable

import numpy as np

Density = Callable[[np.ndarray], np.ndarray]
Sampler = Callable[[int], np.ndarray]

BATCH = 8192
FEWEST = 0.01  # share of samples inside the cube below which a density counts as leaking


def in_cube(u: np.ndarray) -> np.ndarray:
    """Which rows of `u` (row, param) lie strictly inside the unit cube."""
    return np.all((u > 0.0) & (u < 1.0), axis=1)


def sobol(n_params: int, rng: np.random.Generator) -> Sampler:
    """Return a function that continues one scrambled Sobol sequence of the open unit cube."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(n_params, scramble=True, rng=rng)
    half = 0.5**31  # half the spacing of the sequence: moves its points off the faces

    def draw(n: int) -> np.ndarray:
        balanced = 1 << (n - 1).bit_length()  # the sequence is balanced in powers of two
        return sequence.random(balanced)[:n] + half

    return draw


def in_unit_cube(
    sample: Sampler, log_density: Density, n_params: int, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Draw `n` rows from a density cut to the unit cube, and the share of its mass inside.

    Where less than `FEWEST` of the first samples fall inside, rows are resampled from Sobol
    points of the cube with the density as weight instead.
    """
    size = max(n + n // 2 + 64, 512)
    inside, tried = [], 0
    limit = max(n / FEWEST, size)
    while tried < limit:
        drawn = sample(size)
        tried += size
        inside.append(drawn[in_cube(drawn)])
        found = sum(map(len, inside))
        if found >= n:
            return np.concatenate(inside)[:n], found / tried
        if found < FEWEST * tried:
            break
    points = sobol(n_params, rng)(max(BATCH, 16 * n))
    return resample(points, log_density(points), n, rng), sum(map(len, inside)) / tried


def resample(
    points: np.ndarray, log_weight: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Pick `n` different rows of `points`, each next one with probability proportional to its
    weight.
    """
    keys = log_weight + rng.gumbel(size=len(points))
    return points[np.argsort(-keys, kind="stable")[:n]]


def uniform_in_region(
    log_density: Density,
    threshold: float,
    sample: Sampler,
    n_params: int,
    n: int,
    candidates: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw `n` rows uniform over the part of the unit cube where `log_density` exceeds `threshold`.

    At most `candidates` Sobol points of the cube are tried; missing rows are resampled from draws
    of the density itself inside the cube (`sample`), nearly all of which lie in the region, with
    the inverse density as weight.
    """
    draw, accepted, tried = sobol(n_params, rng), [np.empty((0, n_params))], 0
    while tried < candidates and sum(map(len, accepted)) < n:
        points = draw(BATCH)
        tried += BATCH
        accepted.append(points[log_density(points) > threshold])
    missing = n - sum(map(len, accepted))
    if missing > 0:
        points = sample(max(BATCH, 32 * missing))
        density = log_density(points)
        # The densest rows lie in the region by its definition, unless truncation is extreme.
        kept = density >= min(threshold, np.partition(density, -missing)[-missing])
        accepted.append(resample(points[kept], -density[kept], missing, rng))
    return np.concatenate(accepted)[:n]


def share_resampled(volume: float, n: int, candidates: int) -> float:
    """Return the share of `n` rows for which `uniform_in_region` is to be expected to find no
    point, in a region that fills so much of the cube.
    """
    tried = -(-candidates // BATCH) * BATCH
    return max(0.0, 1.0 - volume * tried / n)
