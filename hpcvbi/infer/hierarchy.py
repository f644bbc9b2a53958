"""Partial pooling: a group's mean and spread, and each person anew in its light, from stored draws.

    z = logit(u),   z_j ~ N(mu, diag tau²) for each person j of the group
    p(mu, tau | all) ∝ p(mu) p(tau) ∏_j 1/N sum_n N(z_jn | mu, tau²) / p0(z_jn)

over the draws z_jn of person j's posterior under the flat prior p0 in the unit cube: importance
re-weighting, without any new simulation (Hogg, Myers & Bovy 2010, doi:10.1088/0004-637X/725/2/2166;
partial pooling: Gelman 2006, doi:10.1214/06-BA117A). Draws are smoothed first, see `kernels`.

Priors: mu ~ N(0, (1 - 1/√5) π²/3), tau half-normal of scale² π²/(3 √5). With them somebody of whom
only the group is known has the mean, variance (π²/3) and kurtosis (4.2) of the flat prior's logit,
so that a group of one says about what the person's own posterior says.

A person's draws are joint, which couples the parameters of the group. (mu_p, log tau_p) of one
parameter at a time are moved given all others, each walker of an ensemble by the difference of two
from its other half, which needs no tuning: ter Braak (2006), doi:10.1007/s11222-006-8769-1; halves:
Goodman & Weare (2010), doi:10.2140/camcos.2010.5.65.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from scipy.special import expit

from hpcvbi.core.errors import DataError
from hpcvbi.core.seeds import generator
from hpcvbi.infer.kernels import LEAST, Kernels

MEAN_SD = np.pi * np.sqrt((1 - 5**-0.5) / 3)
"""Sd of the prior of a group's mean, on the logit scale."""
SPREAD_SCALE = np.pi * np.sqrt(5**-0.5 / 3)
"""Scale of the half-normal prior of a group's spread, on the logit scale."""
ENOUGH = 50.0
"""Effective draws of a person below which pooling warns."""
COARSE = 0.7
"""Kernel width, in sds, beyond which pooling warns."""
MOST = 1000
"""Draws of a person that are used at most, evenly spaced; more would smooth hardly less."""

_WALKERS, _REPEATS = 16, 2
_SWEEPS, _RUNS, _GOAL = 150, 12, 400.0
_JUMP, _JITTER = 2.38 / np.sqrt(4), 1e-4  # ter Braak's 2.38 / √(2 d) in d = 2 dimensions
_FARTHEST = 40.0  # of mu and tau; beyond it a prior density has no bits left


@dataclass(frozen=True, eq=False)
class Pooled:
    """What a group says: draws of its mean and spread, and of each person's parameters with them.

    Draw i of `people_u` belongs to draw i of `mean` and `spread`: together they are one draw.
    `ess` counts each person's effective stored draws (Kish), `effective` those of the group's mean
    and spread, where they are fewest.
    """

    mean: np.ndarray  # (draw, param), logit scale
    spread: np.ndarray  # (draw, param), logit scale
    people_u: np.ndarray  # (person, draw, param), unit cube
    ess: np.ndarray  # (person,)
    effective: float
    warnings: tuple[str, ...]

    @property
    def centre_u(self) -> np.ndarray:
        """The group's median in the unit cube, (draw, param)."""
        return expit(self.mean)

    @property
    def range_u(self) -> tuple[np.ndarray, np.ndarray]:
        """One spread below and above the mean, in the unit cube, each (draw, param): 68 % of the
        group lie between them.
        """
        return expit(self.mean - self.spread), expit(self.mean + self.spread)


@dataclass(frozen=True, eq=False)
class Contrast:
    """How the means of two groups differ, on the logit scale.

    `probability` that the first group's is larger holds in natural units as well.
    """

    difference: np.ndarray  # (draw, param)
    probability: np.ndarray  # (param,)


def pool(
    samples_u: np.ndarray, seed: int, draws: int = 1000, people: Sequence[str] | None = None
) -> Pooled:
    """Infer a group from its people's posterior draws in the unit cube, (person, draw, param).

    People's order does not matter, to the bit. `people` are their names for warnings.

    Raises
    ------
    DataError
        Samples of another shape, fewer than two of a person, or not all in the unit cube.
    """
    u = _checked(samples_u, draws)
    names = [str(j) for j in range(len(u))] if people is None else list(people)
    if len(names) != len(u):
        raise DataError(f"{len(names)} names for {len(u)} people: give one to each")
    if u.shape[1] > MOST:
        u = u[:, np.linspace(0, u.shape[1] - 1, MOST).astype(int)]
    order = sorted(range(len(u)), key=lambda j: sha256(u[j].tobytes()).digest())
    kernels = Kernels.of(u[order])
    states, effective = _sample(kernels, seed)
    flat = states.reshape(-1, *states.shape[2:])
    chosen = flat[np.linspace(0, len(flat) - 1, draws).round().astype(int)]
    mean, spread = chosen[:, 0], np.exp(chosen[:, 1])
    rng = generator("pooled people", seed)
    people_u = np.empty((len(u), draws, u.shape[2]))
    weights = np.zeros(u.shape[:2])
    for i in range(draws):
        people_u[order, i], given = kernels.sample(mean[i], spread[i], rng)
        weights[order] += given / draws
    ess = 1 / (weights**2).sum(1)
    warnings = _warnings(names, ess, effective, kernels.bandwidth, u.shape)
    return Pooled(mean, spread, people_u, ess, effective, warnings)


def contrast(one: Pooled, other: Pooled) -> Contrast:
    """Compare two groups of different people, which were pooled apart, each with a seed of its own.

    The same seed would move both groups' draws alike, and their differences would scatter less.
    """
    if one.mean.shape[1] != other.mean.shape[1]:
        raise DataError(
            f"groups with {one.mean.shape[1]} and {other.mean.shape[1]} parameters: pool both over "
            "the same ones"
        )
    draws = min(len(one.mean), len(other.mean))
    difference = one.mean[:draws] - other.mean[:draws]
    return Contrast(difference, (difference > 0).mean(0))


def _checked(samples_u: np.ndarray, draws: int) -> np.ndarray:
    u = np.ascontiguousarray(samples_u, dtype=float)
    if u.ndim != 3 or u.shape[0] < 1 or u.shape[1] < 2 or u.shape[2] < 1:
        raise DataError(
            f"pooling needs samples (person, draw, param), two draws of each at least: "
            f"got {u.shape}"
        )
    if not ((u >= 0) & (u <= 1)).all():
        raise DataError("samples must lie in the unit cube: map them there by Space.to_unit")
    if draws < 1:
        raise DataError(f"draws = {draws}: ask for one at least")
    return u


def _sample(kernels: Kernels, seed: int) -> tuple[np.ndarray, float]:
    """Walkers' states (sweep, walker, 2, param), mu and log tau, and how many count."""
    rng = generator("group", seed)
    state = _start(kernels, rng)
    state, _ = _sweeps(kernels, state, rng, _SWEEPS)
    kept: list[np.ndarray] = []
    effective = 0.0
    while effective < _GOAL and len(kept) < _RUNS:
        state, states = _sweeps(kernels, state, rng, _SWEEPS)
        kept.append(states)
        effective = _effective(np.concatenate(kept))
    return np.concatenate(kept), effective


def _start(kernels: Kernels, rng: np.random.Generator) -> np.ndarray:
    """Walkers about what the people's means say, (walker, 2, param)."""
    means = kernels.z.mean(2)
    width = np.sqrt(kernels.z.var(2).mean(1) + means.var(1)) + LEAST
    shape = (_WALKERS, len(means))
    mu = means.mean(1) + 0.3 * width * rng.standard_normal(shape)
    log_tau = np.log(width) + 0.5 * rng.standard_normal(shape)
    return np.stack([mu, np.clip(log_tau, np.log(LEAST) + 0.1, 2.0)], 1)


def _sweeps(
    kernels: Kernels, state: np.ndarray, rng: np.random.Generator, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Move every walker in every parameter `count` times; the last state, and all of them."""
    state = state.copy()
    total = kernels.log_factors(state[:, 0], np.exp(state[:, 1]))
    states = np.empty((count, *state.shape))
    halves = np.arange(_WALKERS // 2), np.arange(_WALKERS // 2, _WALKERS)
    for sweep in range(count):
        for p in range(state.shape[2]):
            own = kernels.log_factor(p, state[:, 0, p], np.exp(state[:, 1, p]))
            total -= own
            log_p = _log_likelihood(total + own) + _log_prior(state[:, :, p])
            for _ in range(_REPEATS):
                for moved, still in (halves, halves[::-1]):
                    one = rng.permutation(still)
                    apart = state[one, :, p] - state[np.roll(one, 1), :, p]
                    proposed = state[moved, :, p] + apart * _jump(rng, len(moved))
                    proposed += _JITTER * rng.standard_normal(proposed.shape)
                    limit = np.log(1 - rng.random(len(moved)))
                    able = _inside(proposed)
                    if not able.any():
                        continue
                    who, to = moved[able], proposed[able]
                    factor = kernels.log_factor(p, to[:, 0], np.exp(to[:, 1]))
                    there = _log_likelihood(total[who] + factor) + _log_prior(to)
                    taken = limit[able] < there - log_p[who]
                    state[who[taken], :, p] = to[taken]
                    log_p[who[taken]] = there[taken]
                    own[who[taken]] = factor[taken]
            total += own
        states[sweep] = state
    return state, states


def _jump(rng: np.random.Generator, count: int) -> np.ndarray:
    """Length of jumps in differences of walkers, (walker, 1)."""
    return _JUMP * (1 + 0.1 * rng.standard_normal((count, 1)))


def _inside(state: np.ndarray) -> np.ndarray:
    mu, log_tau = state[:, 0], state[:, 1]
    return (np.abs(mu) < _FARTHEST) & (log_tau > np.log(LEAST)) & (log_tau < np.log(_FARTHEST))


def _log_prior(state: np.ndarray) -> np.ndarray:
    """Log density of mu and log tau, (walker,) from (walker, 2), up to a constant."""
    mu, log_tau = state[:, 0], state[:, 1]
    return log_tau - (mu / MEAN_SD) ** 2 / 2 - (np.exp(log_tau) / SPREAD_SCALE) ** 2 / 2


def _log_likelihood(log_factors: np.ndarray) -> np.ndarray:
    """Log of the product over people of the sum over draws, (walker,) from (walker, person, draw).

    The logarithm of a mean over N draws is low by half its relative variance, 1/ESS - 1/N, which is
    given back: else wide groups, where more draws count, would be preferred.
    """
    top = log_factors.max(2)
    weights = np.exp(log_factors - top[..., None])
    total = weights.sum(2)
    low = ((weights**2).sum(2) / total**2 - 1 / weights.shape[2]) / 2
    return (top + np.log(total) + low).sum(1)


def _effective(states: np.ndarray) -> float:
    """Effective number of states, of the least certain of mu and log tau, from (sweep, walker, 2,
    param); sum of autocorrelations up to five times itself (Sokal 1997,
    doi:10.1007/978-1-4899-0319-8_6).
    """
    sweeps, walkers = states.shape[:2]
    centred = states.reshape(sweeps, walkers, -1)
    centred = centred - centred.mean((0, 1))
    power = np.abs(np.fft.rfft(centred, 2 * sweeps, axis=0)) ** 2
    correlation = np.fft.irfft(power, axis=0)[:sweeps].mean(1)
    correlation /= correlation[0]
    time = 2 * correlation.cumsum(0) - 1
    ends = np.arange(sweeps)[:, None] >= 5 * time
    end = np.where(ends.any(0), ends.argmax(0), sweeps - 1)
    longest = float(np.take_along_axis(time, end[None], 0).max())
    return sweeps * walkers / max(longest, 1.0)


def _warnings(
    names: Sequence[str],
    ess: np.ndarray,
    effective: float,
    bandwidth: float,
    shape: tuple[int, ...],
) -> tuple[str, ...]:
    people, draws, params = shape
    said = []
    few = [f"{name} ({n:.0f})" for name, n in zip(names, ess, strict=True) if n < ENOUGH]
    if few:
        said.append(
            f"fewer than {ENOUGH:.0f} effective draws carry the pooled posterior of "
            f"{', '.join(few)}: store more posterior draws, or read them unpooled"
        )
    if bandwidth > COARSE:
        said.append(
            f"{draws} draws are few for {params} parameters: pooling takes people's posteriors as "
            "nearly Gaussian on the logit scale"
        )
    if effective < _GOAL / 4:
        said.append(
            f"the group's mean and spread rest on {effective:.0f} effective draws only: read them "
            "as rough"
        )
    if people < 3:
        said.append(f"the spread of a group of {people} is what its prior says, more or less")
    return tuple(said)
