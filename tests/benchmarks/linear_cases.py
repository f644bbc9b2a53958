"""Cases of the linear whole-brain model with known truth and known posterior, and how a method's
answers compare with both.

    truth u ~ U([0, 1]^p),   x ~ p(x | u),   posterior p(u | x) of `tasks/linear_posterior.py`

A method is asked in one of two ways: it learns once and answers all cases, where it claims to hold
for any x, or it learns anew for each case, where it aims at one recording.

Talts, Betancourt, Simpson, Vehtari & Gelman (2018), arXiv:1804.06788.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc
from tasks.linear_brain import LinearBrain, made_up_connectome
from tasks.linear_posterior import Grid, given_features_of_many

from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.evaluate import rank_bands, recovery_z, sbc_ranks
from hpcvbi.infer import learn

DRAWS = 199
"""Posterior draws of a case: ranks 0 ... 199, of which 50, 80 and 90 % are whole numbers."""
LEVELS = np.array([0.5, 0.8, 0.9])
TOGETHER = 50
"""Cases answered at once."""
SHORT_BRAIN = LinearBrain(
    made_up_connectome(20), frames=60, bands=2, low=(0.0, 0.04), high=(0.8, 0.06)
)
"""Posteriors a tenth of the prior wide, which some thousand draws find. So few frames have features
near enough to Gaussian for 1000 cases to tell no difference, up to a coupling of 0.8.
"""


@dataclass(frozen=True, eq=False)
class Cases:
    """Truths `u` (case, param), features `x` (case, feature), and the exact posteriors."""

    brain: LinearBrain
    u: np.ndarray
    x: np.ndarray
    exact: tuple[Grid, ...]

    @property
    def mean(self) -> np.ndarray:
        """Exact posterior means (case, param)."""
        return np.array([grid.mean for grid in self.exact])

    @property
    def sd(self) -> np.ndarray:
        """Exact posterior standard deviations (case, param)."""
        return np.array([grid.sd for grid in self.exact])

    def simulate(self, u: np.ndarray, seed: int) -> np.ndarray:
        """Features (draw, feature) of draws (draw, param) of the unit cube."""
        return self.brain.draw(self.brain.prior.natural(u), generator("linear case", seed))

    def some(self, which: slice) -> "Cases":
        """Return some of the cases."""
        return Cases(self.brain, self.u[which], self.x[which], self.exact[which])


def prior_cases(brain: LinearBrain, n: int, seed: int) -> Cases:
    """Draw `n` truths of the prior, simulate each once, and find its posterior."""
    rng = generator("prior cases", seed)
    u = rng.random((n, brain.n_params))
    x = brain.draw(brain.prior.natural(u), rng)
    return Cases(brain, u, x, tuple(given_features_of_many(brain, x)))


def answered_at_once(
    algorithm: Any, cases: Cases, seed: int, first: int = 0
) -> Iterator[tuple[np.ndarray, float]]:
    """Learn once; yield posterior draws (case, draw, param) of parts of the cases from `first` on,
    with the CPU seconds a case took, its share of the learning included.
    """
    before = time.process_time()
    learned = learn(algorithm, cases.simulate, cases.brain.n_params, cases.x[0], seed)
    share = (time.process_time() - before) / len(cases.x)
    for start in range(first, len(cases.x), TOGETHER):
        before, x = time.process_time(), cases.x[start : start + TOGETHER]
        drawn = learned.posterior(x, DRAWS, derive_seed("answers", seed, start))
        yield drawn, share + (time.process_time() - before) / len(x)


def answered_one_by_one(
    algorithm: Any, cases: Cases, seed: int, first: int = 0
) -> Iterator[tuple[np.ndarray, float]]:
    """Learn anew for each case from `first` on; yield posterior draws (1, draw, param), with the
    CPU seconds.
    """
    for number, x in enumerate(cases.x[first:], first):
        own = derive_seed("case", seed, number)
        before = time.process_time()
        learned = learn(algorithm, cases.simulate, cases.brain.n_params, x, own)
        drawn = learned.posterior(x, DRAWS, derive_seed("answers", own))
        yield drawn[None], time.process_time() - before


@dataclass(frozen=True, eq=False)
class Compared:
    """What answers (case, draw, param) say of the truths and of the exact posteriors; arrays
    (case, param).

    `rank` of the truth among the draws; `z` = (mean - truth) / sd; `error` of the mean in exact
    standard deviations; `width` over the exact one.
    """

    rank: np.ndarray
    z: np.ndarray
    error: np.ndarray
    width: np.ndarray


def compared(drawn: np.ndarray, cases: Cases) -> Compared:
    """Compare answers with truths and exact posteriors."""
    return Compared(
        rank=sbc_ranks(drawn, cases.u),
        z=recovery_z(drawn, cases.u),
        error=(drawn.mean(axis=1) - cases.mean) / cases.sd,
        width=drawn.std(axis=1) / cases.sd,
    )


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks against the uniform distribution: `p` (param,) of their whole ECDF, its largest
    `deviation` (param,), 1 being the least that leaves the 95 % band, and `held` (level, param),
    the share of truths inside central intervals.
    """

    p: np.ndarray
    deviation: np.ndarray
    held: np.ndarray


def calibration(rank: np.ndarray) -> Calibration:
    """Judge the ranks (case, param) of truths among `DRAWS` draws."""
    bands = rank_bands(rank, DRAWS)
    off = bands.ecdf - bands.points[:, None]
    above, below = bands.upper - bands.points, bands.points - bands.lower
    reach = np.where(off > 0, above[:, None], below[:, None]) + 1 / len(rank)
    tails = (DRAWS + 1) * (1 - LEVELS) / 2
    inside = (rank >= tails[:, None, None]) & (rank < DRAWS + 1 - tails[:, None, None])
    return Calibration(bands.p_value, np.abs(off / reach).max(axis=0), inside.mean(axis=1))


def beyond(drawn: np.ndarray, cases: Cases) -> float:
    """Probability of truths farther from the means than these are, of Gaussian posteriors with
    these covariances: (u - mean)' C^-1 (u - mean) summed over cases is chi2(param * case).
    """
    apart = cases.u - drawn.mean(axis=1)
    covariance = np.array([np.cov(one.T) for one in drawn])
    squared = (apart * np.linalg.solve(covariance, apart[..., None])[..., 0]).sum()
    return float(chdtrc(apart.size, squared))


def narrowed(drawn: np.ndarray, factor: float) -> np.ndarray:
    """Return draws (case, draw, param) pulled towards their mean: those of a wrong method."""
    mean = drawn.mean(axis=1, keepdims=True)
    return mean + factor * (drawn - mean)
