"""Posteriors of the linear whole-brain model on a grid of the unit cube: given the whole recording,
and given its features.

    p(u | y) ∝ p(y | u)          exact but for the grid's spacing
    p(u | x) ∝ N(x; m(u), C(u))  m, C the exact moments of the features

The grid is laid over the prior, and then anew over where its mass is, so that a posterior is
resolved by some twenty cells in each direction. Many cases share one grid instead, which is fine
enough for each: as the process has the variance σ² times that of σ = 1, and the noise is beside it,

    m(g, σ) = m₀ + m₁(g) σ²,    C(g, σ) = C₀ + C₁(g) σ² + C₂(g) σ⁴.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tasks.linear_brain import SIGMA, LinearBrain, made_up_connectome
from tasks.task import Task

from hpcvbi.core.seeds import generator

LogDensity = Callable[[np.ndarray], np.ndarray]  # of the unit cube's (draw, param)

CELLS = {2: 40, 3: 16}  # per parameter
FINE = 60, 500  # cells of g and of σ, where cases share them
SAMPLES = 10_000
CHUNK = 400  # cells whose moments are held at once
KEPT = 1e-9  # mass, relative to the densest cell's, from where on a cell is in the next grid


@dataclass(frozen=True, eq=False)
class Grid:
    """A posterior as masses of equal boxes in the unit cube."""

    points: np.ndarray  # (cell, param) middles of the boxes
    mass: np.ndarray  # (cell,) sum 1
    size: np.ndarray  # (param,) of a box

    @property
    def mean(self) -> np.ndarray:
        """Mean (param,) in the unit cube."""
        return self.mass @ self.points

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation (param,) in the unit cube."""
        return np.sqrt(self.mass @ (self.points - self.mean) ** 2)

    def samples(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw (draw, param) in the unit cube, uniform within boxes."""
        cells = rng.choice(len(self.mass), n, p=self.mass)
        jitter = rng.random((n, len(self.size))) - 0.5
        return self.points[cells] + jitter * self.size


def on_a_grid(log_density: LogDensity, n_params: int, zooms: int = 3) -> Grid:
    """Lay grids over the mass of a density on the unit cube, each finer than the one before."""
    low, high = np.zeros(n_params), np.ones(n_params)
    cells = CELLS[n_params]
    for _ in range(zooms):
        size = (high - low) / cells
        middles = [a + (np.arange(cells) + 0.5) * s for a, s in zip(low, size, strict=True)]
        points = np.stack(np.meshgrid(*middles, indexing="ij"), -1).reshape(-1, n_params)
        logs = log_density(points)
        mass = np.exp(logs - logs.max())
        held = points[mass > KEPT]
        low = np.maximum(held.min(axis=0) - 1.5 * size, 0.0)
        high = np.minimum(held.max(axis=0) + 1.5 * size, 1.0)
    return Grid(points, mass / mass.sum(), size)


def given_recording(brain: LinearBrain, z: np.ndarray) -> Grid:
    """Return the exact posterior given a whole recording z (frame, mode)."""

    def log_density(u: np.ndarray) -> np.ndarray:
        return brain.log_likelihood(brain.prior.natural(u), z[None])[0]

    return on_a_grid(log_density, brain.n_params)


def given_features(brain: LinearBrain, x: np.ndarray) -> Grid:
    """Return the posterior given features x (feature,)."""

    def log_density(u: np.ndarray) -> np.ndarray:
        return log_of_features(brain, brain.prior.natural(u), x[None])[0]

    return on_a_grid(log_density, brain.n_params)


def given_features_of_many(brain: LinearBrain, x: np.ndarray) -> list[Grid]:
    """Return the posterior given the features of each case (case, feature), decay being known."""
    middles = [(np.arange(cells) + 0.5) / cells for cells in FINE]
    points = np.stack(np.meshgrid(*middles, indexing="ij"), -1).reshape(-1, 2)
    knots = np.stack(np.meshgrid(middles[0], [0.0, 0.5, 1.0], indexing="ij"), -1).reshape(-1, 2)
    power = np.linalg.inv(_variances(brain, knots[:3, 1]))
    weights = _variances(brain, middles[1]) @ power  # (σ, knot)

    def between(known: np.ndarray) -> np.ndarray:
        parts = known.reshape(FINE[0], 3, -1)
        return (weights @ parts).reshape(len(points), *known.shape[1:])

    mean, covariance = map(between, brain.feature_moments(brain.prior.natural(knots)))
    some = [slice(start, start + CHUNK) for start in range(0, len(points), CHUNK)]
    logs = np.concatenate([_log_normal(mean[s], covariance[s], x) for s in some], axis=1)
    mass = np.exp(logs - logs.max(axis=1, keepdims=True))
    mass /= mass.sum(axis=1, keepdims=True)
    return [Grid(points, one, 1 / np.array(FINE)) for one in mass]


def _variances(brain: LinearBrain, u: np.ndarray) -> np.ndarray:
    """Powers 0, 1, 2 of σ² (σ, power), of σ in the unit interval."""
    sigma = brain.prior.natural(np.column_stack([u, u]))[:, SIGMA]
    return np.vander(sigma**2, 3, increasing=True)


def log_of_features(brain: LinearBrain, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the Gaussian log density (case, draw) of features x (case, feature)."""
    parts = np.array_split(theta, len(theta) // CHUNK + 1)
    return np.concatenate([_log_normal(*brain.feature_moments(p), x) for p in parts], axis=1)


def _log_normal(mean: np.ndarray, covariance: np.ndarray, x: np.ndarray) -> np.ndarray:
    root = np.linalg.cholesky(covariance)
    apart = np.moveaxis(x[:, None] - mean, 0, 2)  # (draw, feature, case)
    white = np.linalg.solve(root, apart)
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return (-0.5 * (white**2).sum(axis=1) - log_root[:, None]).T


@dataclass(frozen=True, eq=False)
class MadeUp:
    """Observations of a linear brain, each simulated with a draw of the inner half of the prior."""

    brain: LinearBrain

    def truth(self, number: int) -> np.ndarray:
        u = generator("made-up truth", number).uniform(0.25, 0.75, (1, self.brain.n_params))
        return self.brain.prior.natural(u)[0]

    def recording(self, number: int) -> np.ndarray:
        """Recording (frame, mode)."""
        rng = generator("made-up recording", number)
        return self.brain.recordings(self.truth(number)[None], rng)[0]

    def observation(self, number: int) -> np.ndarray:
        return self.brain.features(self.recording(number)[None])[0]

    def samples(self, number: int) -> np.ndarray:
        grid = given_features(self.brain, self.observation(number))
        u = grid.samples(SAMPLES, generator("made-up samples", number))
        return self.brain.prior.natural(u)


def as_task(name: str, brain: LinearBrain) -> Task:
    """Return the inference from features as a task."""

    def log_likelihood(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        if x.ndim == 1:
            return log_of_features(brain, theta, x[None])[0]
        mean, covariance = brain.feature_moments(theta)
        apart = (x - mean)[..., None]
        exponent = (apart * np.linalg.solve(covariance, apart)).sum(axis=(1, 2))
        return -0.5 * (exponent + np.linalg.slogdet(covariance)[1])

    prior, sizes = brain.prior, (brain.n_params, brain.n_features)
    return Task(name, *sizes, prior, brain.draw, log_likelihood, MadeUp(brain))


LINEAR_BRAIN = LinearBrain(made_up_connectome(20))
linear_brain = as_task("linear_brain", LINEAR_BRAIN)
