"""What a posterior says, and whether posteriors can be trusted over many cases with known truth.

Samples are (draw, param), cases of a calibration study (case, draw, param) with truths (case,
param).

Talts, Betancourt, Simpson, Vehtari & Gelman (2018), arXiv:1804.06788: if truths come from the prior
and data from the model, the rank of the truth among L independent posterior draws is uniform on 0,
..., L.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.core.seeds import generator

# Variance of the uniform distribution on the unit interval.
UNIT_VARIANCE = 1 / 12


@dataclass(frozen=True, eq=False)
class Summary:
    """Mean, standard deviation and central `level` interval of each parameter; arrays (param,), the
    samples' units.
    """

    mean: np.ndarray
    sd: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float


@dataclass(frozen=True, eq=False)
class Uniformity:
    """Chi-square test of ranks against uniformity: arrays (param,), counts (bin, param)."""

    statistic: np.ndarray
    p_value: np.ndarray
    counts: np.ndarray
    dof: int


def summarise(samples: np.ndarray, level: float = 0.9) -> Summary:
    """Mean, sd and central interval (5 % and 95 % quantile for the default level) of `samples`
    (draw, param).
    """
    samples = np.asarray(samples, float)
    if samples.ndim != 2 or len(samples) < 2 or not np.isfinite(samples).all():
        raise DataError(
            f"samples must be finite, (draw, param), 2 draws at least: got {samples.shape}"
        )
    lower, upper = _central(samples, level)
    return Summary(samples.mean(0), samples.std(0, ddof=1), lower, upper, level)


def shrinkage(
    samples: np.ndarray, prior_variance: np.ndarray | float = UNIT_VARIANCE
) -> np.ndarray:
    """1 - posterior variance / prior variance, (..., param) of `samples` (..., draw, param).

    0: the data say nothing; 1: they say everything; negative: the posterior is wider than the
    prior. The default is meant for samples in the unit cube, where every prior is uniform with
    variance 1/12 (`Space.to_unit`): then the number does not depend on whether a parameter is
    written on a linear or a logarithmic scale. Anything else needs its own variance.
    """
    return 1.0 - np.asarray(samples, float).var(-2, ddof=1) / prior_variance


def recovery_z(samples: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(posterior mean - truth) / posterior sd, (..., param); over many cases its mean is 0 and its
    sd 1. NaN where all samples are one point, which has no width.
    """
    samples = np.asarray(samples, float)
    point = np.ptp(samples, axis=-2) == 0  # rounding leaves their standard deviation above 0
    sd = np.where(point, np.nan, samples.std(-2, ddof=1))
    return (samples.mean(-2) - truth) / sd


def sbc_ranks(samples: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Number of posterior draws below the truth, (case, param) of 0 ... L, from (case, L, param)
    and (case, param).

    The draws of a case must be independent: thin the chains of a Markov sampler first. Where draws
    come again, as those of few particles do, L of them are worth k (`distinct_draws`): among k the
    truth has a rank of 0 ... k, which is spread at random over as many of 0 ... L.
    """
    samples, truth = _cases(samples, truth)
    below, draws = (samples < truth[:, None]).sum(1), samples.shape[1]
    worth = np.array([distinct_draws(case) for case in samples])[:, None]
    within = generator("ranks among draws that come again").random(below.shape)
    spread = (worth * below / draws + within) / (worth + 1) * (draws + 1)
    return np.where(worth < draws, np.minimum(spread.astype(int), draws), below)


def distinct_draws(samples: np.ndarray) -> float:
    """How many draws as different as can be the draws (draw, param) are worth: Kish's effective
    number, of rows that are counted once each (1965, Survey Sampling).
    """
    _, times = np.unique(samples, axis=0, return_counts=True)
    return float(times.sum() ** 2 / (times**2).sum())


def uniformity(ranks: np.ndarray, draws: int, bins: int = 20) -> Uniformity:
    """Test ranks (case, param) of 0 ... `draws` for uniformity.

    Bins must hold equally many ranks, and 5 expected cases each: 99 draws, 20 bins and 200 cases
    are a good choice.
    """
    ranks = np.asarray(ranks)
    if (draws + 1) % bins:
        fitting = [b for b in range(2, draws + 2) if (draws + 1) % b == 0]
        near = min(fitting, key=lambda b: abs(b - bins))
        raise ConfigError(
            f"{draws + 1} possible ranks do not divide into {bins} equal bins: use {near} bins, "
            f"or draws = {bins * max(1, (draws + 1) // bins) - 1}"
        )
    if len(ranks) < 5 * bins:
        raise ConfigError(
            f"{len(ranks)} cases are too few for {bins} bins: use {5 * bins} cases, "
            f"or {len(ranks) // 5} bins"
        )
    if ranks.min() < 0 or ranks.max() > draws:
        raise DataError(f"ranks must lie in 0 ... {draws}, got {ranks.min()} to {ranks.max()}")
    bin_of = ranks // ((draws + 1) // bins)
    counts = (bin_of[None] == np.arange(bins)[:, None, None]).sum(1)
    expected = len(ranks) / bins
    statistic = ((counts - expected) ** 2 / expected).sum(0)
    return Uniformity(statistic, chdtrc(bins - 1, statistic), counts, bins - 1)


def coverage(samples: np.ndarray, truth: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Share of cases whose truth lies in the central interval, (level, param), for each of `levels`
    (level,).

    From samples (case, draw, param) and truth (case, param); the shares of a calibrated posterior
    equal the levels.
    """
    samples, truth = _cases(samples, truth)
    shares = []
    for level in np.asarray(levels, float):
        lower, upper = _central(samples, level)
        shares.append(((truth >= lower) & (truth <= upper)).mean(0))
    return np.array(shares)


def coverage_tolerance(levels: np.ndarray, cases: int) -> np.ndarray:
    """Three standard errors of the coverage (level,) that a calibrated posterior shows in that many
    cases.
    """
    levels = np.asarray(levels, float)
    return 3.0 * np.sqrt(levels * (1 - levels) / cases)


def _central(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    tail = (1 - level) / 2
    # Weibull's quantile i / (n + 1): the interval then holds a further draw with probability
    # `level` exactly.
    lower, upper = np.quantile(samples, [tail, 1 - tail], axis=-2, method="weibull")
    return lower, upper


def _cases(samples: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    samples, truth = np.asarray(samples, float), np.asarray(truth, float)
    if samples.ndim != 3 or truth.shape != (samples.shape[0], samples.shape[2]):
        raise DataError(
            f"calibration needs samples (case, draw, param) and truth (case, param), "
            f"got {samples.shape} and {truth.shape}"
        )
    return samples, truth
