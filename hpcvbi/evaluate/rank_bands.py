"""Ranks of simulation-based calibration as ECDFs, in bands that hold at all points together.

With N cases and ranks r on 0 ... L of a calibrated posterior, the count of ranks below k,

    C_k = #(r < k) ~ Binomial(N, z_k),   z_k = k / (L + 1),

and its two-sided tail probability is t_k = 2 min(P(C <= C_k), P(C >= C_k)). The band is what has
t_k > gamma at every k; gamma is the largest for which the whole curve leaves it with probability
1 - level at most. That probability is exact: counts are the path of a Poisson process that is
conditioned on its total N, so that one convolution per point carries it on. The p-value of a
parameter is the probability of a path with a smallest t_k as small as its own.

Säilynoja, Bürkner & Vehtari (2022), Stat. Comput. 32, 32, doi:10.1007/s11222-022-10090-6.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from hpcvbi.core.errors import ConfigError, DataError

# Points at which the curve is looked at; more of them change the band by less than its line.
MOST_POINTS = 100


@dataclass(frozen=True, eq=False)
class RankBands:
    """ECDF of ranks (point, param) at `points` (point,), and the band a calibrated one stays in.

    `deviation` (param,) is the largest ECDF - point, with its sign, met at `where` (param,):
    positive at low, negative at high points says too narrow; positive all along, too high a
    posterior: most truths lie below its draws.
    """

    points: np.ndarray
    ecdf: np.ndarray
    lower: np.ndarray  # (point,)
    upper: np.ndarray  # (point,)
    inside: np.ndarray  # (param,)
    p_value: np.ndarray  # (param,)
    deviation: np.ndarray
    where: np.ndarray
    level: float
    cases: int


def rank_bands(ranks: np.ndarray, draws: int, level: float = 0.95) -> RankBands:
    """Compare the ECDF of `ranks` (case, param) of 0 ... `draws` with the uniform one.

    Raises
    ------
    DataError
        Where ranks are not whole numbers of 0 ... `draws`.
    ConfigError
        Where `level` is not between 0 and 1.
    """
    ranks = _checked(ranks, draws)
    if not 0 < level < 1:
        raise ConfigError(f"the level of a band lies between 0 and 1, got {level:g}: write 0.95")
    cases = len(ranks)
    below = np.unique(np.linspace(1, draws, min(draws, MOST_POINTS)).round().astype(int))
    points = below / (draws + 1)
    counts = np.array([(ranks < k).sum(0) for k in below])
    tails = _tails(counts, cases, points[:, None])
    lower, upper = _band(_critical(cases, tuple(points), level), cases, points)
    ecdf = counts / cases
    off = ecdf - points[:, None]
    at = np.abs(off).argmax(0)
    # Rounding must not take a path for one that is less unusual than itself.
    own = tails.min(0) * (1 + 1e-9)
    p_value = np.array([1 - _stays(*_band(gamma, cases, points), cases, points) for gamma in own])
    return RankBands(
        points=points,
        ecdf=ecdf,
        lower=lower / cases,
        upper=upper / cases,
        inside=np.all((counts >= lower[:, None]) & (counts <= upper[:, None]), axis=0),
        p_value=np.clip(p_value, 0.0, 1.0),
        deviation=np.take_along_axis(off, at[None], 0)[0],
        where=points[at],
        level=level,
        cases=cases,
    )


def _checked(ranks: np.ndarray, draws: int) -> np.ndarray:
    ranks = np.asarray(ranks)
    if ranks.ndim != 2 or not len(ranks) or draws < 1:
        raise DataError(
            f"rank bands need ranks (case, param) among one draw at least, "
            f"got {ranks.shape} and {draws} draws"
        )
    if not (np.isfinite(ranks).all() and (ranks == np.round(ranks)).all()):
        raise DataError("ranks must be whole numbers: use sbc_ranks")
    if ranks.min() < 0 or ranks.max() > draws:
        raise DataError(f"ranks must lie in 0 ... {draws}, got {ranks.min()} to {ranks.max()}")
    return ranks


def _tails(counts: np.ndarray, cases: int, points: np.ndarray) -> np.ndarray:
    from scipy.stats import binom  # takes a second, which no command should wait for in vain

    below, above = binom.cdf(counts, cases, points), binom.sf(counts - 1, cases, points)
    return np.minimum(1.0, 2 * np.minimum(below, above))


@lru_cache(maxsize=64)
def _critical(cases: int, points: tuple[float, ...], level: float) -> float:
    """Largest tail probability whose band a calibrated path stays in with probability `level`."""
    at = np.array(points)
    # Bonferroni's inequality makes the lower end safe, one point alone the upper end too narrow.
    low, high = np.log((1 - level) / len(at)), np.log(1 - level)
    for _ in range(40):
        middle = (low + high) / 2
        if _stays(*_band(np.exp(middle), cases, at), cases, at) >= level:
            low = middle
        else:
            high = middle
    return float(np.exp(low))


def _band(gamma: float, cases: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest count (point,) with a two-sided tail probability above `gamma`."""
    from scipy.stats import binom

    lower = binom.ppf(gamma / 2, cases, points)
    lower += binom.cdf(lower, cases, points) <= gamma / 2
    upper = binom.isf(gamma / 2, cases, points)
    upper -= binom.sf(upper - 1, cases, points) <= gamma / 2
    return lower.astype(int), upper.astype(int)


def _stays(lower: np.ndarray, upper: np.ndarray, cases: int, points: np.ndarray) -> float:
    """Probability that the counts of `cases` uniform ranks stay in lower ... upper at all points.

    A band that is empty at a point holds no path.
    """
    if (lower > upper).any():
        return 0.0
    path, first, before = np.ones(1), 0, 0.0
    for low, high, point in zip([*lower, cases], [*upper, cases], [*points, 1.0], strict=True):
        steps = _poisson(np.arange(high - first + 1), cases * (point - before))
        reached = np.convolve(path, steps)
        kept = np.zeros(high - low + 1)
        start = max(low, first)
        kept[start - low :] = reached[start - first : high - first + 1]
        path, first, before = kept, low, point
    return float(path[0] / _poisson(np.array([cases]), cases)[0])


def _poisson(counts: np.ndarray, mean: float) -> np.ndarray:
    return np.exp(counts * np.log(mean) - mean - gammaln(counts + 1))
