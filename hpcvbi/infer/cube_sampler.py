"""Sampling an unnormalised density on the unit cube: a population tempered from the prior to the
posterior, in bounded work.

    p_b(u) ~ exp(b log f(u)),   b = 0 = Sobol points ... 1

The next b is the largest that leaves half of the effective sample size; then particles are
resampled by weight and moved by differential evolution (u + g (u_i - u_j) + jitter, folded at the
faces of the cube, u_i and u_j from the half of the population at rest). Four islands share the
temperatures only, so that their disagreement (R-hat between islands) tells whether the population
found the same posterior everywhere. A tempered population keeps separate modes in proportion, where
chains that start at single points do not; slice samplers update one coordinate at a time.

Del Moral, Doucet & Jasra (2006), Sequential Monte Carlo samplers,
DOI 10.1111/j.1467-9868.2006.00553.x; ter Braak (2006), A Markov chain Monte Carlo version of the
genetic algorithm differential evolution, DOI 10.1007/s11222-006-8769-1; Gelman & Rubin (1992),
Inference from iterative simulation using multiple sequences, DOI 10.1214/ss/1177011136.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.infer.truncation import Density, sobol

ISLANDS = 4
FEWEST, MOST, PER_PARAM = 512, 2048, 64  # particles; more where there are many parameters
LEVELS = 60  # temperatures after which the rest of the way is one step of resampling
KEPT = 0.5  # share of the effective sample size that a step of temperature leaves
JUMP = 0.1  # share of moves of full length, which lead from mode to mode
DECADES = 1.0  # over which the length of the other moves is spread
MIXED = 1.1
"""R-hat above which the islands do not agree."""
UNMIXED = 999.0
"""R-hat where the last temperature was not reached, or where some draws are impossible."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """Draws (draw, param) inside the unit cube, the largest R-hat of any parameter between the
    islands, and how many points were evaluated.
    """

    u: np.ndarray
    r_hat: float
    evaluations: int


def sample_cube(log_density: Density, n_params: int, n: int, rng: np.random.Generator) -> Sampled:
    """Draw `n` rows from the cube with probability proportional to exp(`log_density`)."""
    particles = int(np.clip(1 << (max(n, PER_PARAM * n_params) - 1).bit_length(), FEWEST, MOST))
    population = _Population(log_density, sobol(n_params, rng)(particles), rng)
    sweeps, warmth = 5 + n_params, 0.0
    for _ in range(LEVELS):
        after = _cooler(population.log_f, warmth)
        population.resample(after - warmth)
        warmth = after
        population.move(warmth, sweeps)
        if warmth == 1.0:
            break
    reached = warmth == 1.0
    population.resample(1.0 - warmth)
    population.move(1.0, sweeps)
    r_hat = population.r_hat() if reached else UNMIXED
    rows = [population.rows()]
    while sum(map(len, rows)) < n:
        population.move(1.0, sweeps)
        rows.append(population.rows())
    drawn = np.concatenate(rows)
    return Sampled(drawn[rng.permutation(len(drawn))[:n]], r_hat, population.evaluations)


class _Population:
    """Particles (island, particle, param) and their log density (island, particle)."""

    def __init__(self, log_density: Density, u: np.ndarray, rng: np.random.Generator) -> None:
        self.log_density, self.rng, self.evaluations = log_density, rng, 0
        self.u = u.reshape(ISLANDS, -1, u.shape[1])
        self.log_f = self._evaluate(self.u)

    def _evaluate(self, u: np.ndarray) -> np.ndarray:
        self.evaluations += u.shape[0] * u.shape[1]
        found = self.log_density(u.reshape(-1, u.shape[2])).reshape(u.shape[:2])
        return np.nan_to_num(found, nan=-np.inf, posinf=1e300, neginf=-np.inf)

    def resample(self, step: float) -> None:
        """Resample systematically within each island, with weights f^step."""
        if step == 0.0:
            return
        for island, log_f in enumerate(self.log_f):
            weight = _weights(step, log_f)
            size = len(weight)
            places = (np.arange(size) + self.rng.random()) / size
            chosen = np.searchsorted(np.cumsum(weight), places).clip(0, size - 1)
            # the two halves guide each other: copies must not all stand in one of them
            chosen = self.rng.permutation(chosen)
            self.u[island], self.log_f[island] = self.u[island, chosen], log_f[chosen]

    def move(self, warmth: float, sweeps: int) -> None:
        """Move every particle `sweeps` times, leaving f^warmth as it is."""
        middle = self.u.shape[1] // 2
        halves = slice(0, middle), slice(middle, None)
        for _ in range(sweeps):
            for moving, resting in (halves, halves[::-1]):
                self._move_half(warmth, moving, self.u[:, resting])

    def _move_half(self, warmth: float, moving: slice, resting: np.ndarray) -> None:
        rng, (islands, size, n_params) = self.rng, resting.shape
        island = np.arange(islands)[:, None]
        first = rng.integers(size, size=(islands, size))
        second = (first + rng.integers(1, size, size=(islands, size))) % size
        length = 2.38 / np.sqrt(2 * n_params) * 10 ** (-DECADES * rng.random((islands, size)))
        length[rng.random((islands, size)) < JUMP] = 1.0
        steps = length[..., None] * (resting[island, first] - resting[island, second])
        spread = resting.std(axis=1, keepdims=True)
        steps += 0.01 * spread * rng.standard_normal(steps.shape)
        proposed = _folded(self.u[:, moving] + steps)
        log_f = self._evaluate(proposed)
        chance = np.log(rng.random(log_f.shape))
        # where both are impossible the difference is NaN, which moves: anywhere is as good
        with np.errstate(invalid="ignore"):
            stays = chance > warmth * (log_f - self.log_f[:, moving])
        self.u[:, moving] = np.where(stays[..., None], self.u[:, moving], proposed)
        self.log_f[:, moving] = np.where(stays, self.log_f[:, moving], log_f)

    def rows(self) -> np.ndarray:
        return self.u.reshape(-1, self.u.shape[2]).copy()

    def r_hat(self) -> float:
        """Largest ratio of the spread of all to the spread within islands."""
        size = self.u.shape[1]
        within = self.u.var(axis=1, ddof=1).mean(axis=0)
        between = self.u.mean(axis=1).var(axis=0, ddof=1)
        if not ((within > 0).all() and np.isfinite(self.log_f).all()):
            return UNMIXED
        ratio = np.sqrt((size - 1) / size + between / within)
        return float(min(ratio.max(), UNMIXED))


def _weights(step: float, log_f: np.ndarray) -> np.ndarray:
    """Normalised weights f^step; equal where f is zero everywhere."""
    if not np.isfinite(log_f).any():
        return np.full(len(log_f), 1.0 / len(log_f))
    weight = np.exp(step * (log_f - log_f.max()))
    return weight / weight.sum()


def _cooler(log_f: np.ndarray, warmth: float) -> float:
    """Return the largest power up to 1 that leaves `KEPT` of the effective sample size."""

    def kept(power: float) -> float:
        return 1.0 / (_weights(power - warmth, log_f.ravel()) ** 2).sum() / log_f.size

    if kept(1.0) >= KEPT:
        return 1.0
    low, high = warmth, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if kept(middle) >= KEPT else (low, middle)
    return high


def _folded(u: np.ndarray) -> np.ndarray:
    """Reflect at the faces of the cube, and stay off them."""
    turned = np.mod(u, 2.0)
    return np.clip(np.where(turned > 1.0, 2.0 - turned, turned), 1e-12, 1.0 - 1e-12)
