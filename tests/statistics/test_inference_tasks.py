"""The problems with known posteriors are what they say: simulators against likelihoods, and
likelihoods against reference samples.

    E_{x ~ p(x | a)} p(x | b) / p(x | a) = 1     where p(. | b) has no mass outside p(. | a)

holds only where the simulator draws from the likelihood. Metropolis-Hastings steps towards a
density leave samples of it distributed as they are; samples of another density move. Steps stay
in a mode, so that the weights of modes are compared on a grid, where there are two parameters.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from tasks import TASKS, dynamics, reference

DRAWS = 20_000
NORMAL = 4.0  # most standard errors that a right mean may lie off, some hundred being looked at
SBIBM = [name for name, task in TASKS.items() if isinstance(task.known, reference.Sbibm)]
PLANE = [name for name in SBIBM if TASKS[name].n_params == 2]
EARLIEST, LATEST = 1, 10

needs_reference = pytest.mark.skipif(
    not reference.available(),
    reason="sbibm's data are missing: make build/sbibm/.installed gets them",
)


@pytest.mark.parametrize("name", TASKS)
def test_priors_are_bijections_of_the_cube(name):
    task = TASKS[name]
    u = np.random.default_rng(1).random((1000, task.n_params))
    assert task.prior.unit(task.prior.natural(u)) == pytest.approx(u, abs=1e-10)


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_gives_the_same_draws_and_another_seed_gives_others(name):
    task = TASKS[name]
    u = np.random.default_rng(2).random((50, task.n_params))
    x = task.simulate(u, 5)
    assert x.shape == (50, task.n_features)
    assert np.array_equal(x, task.simulate(u, 5))
    assert not np.array_equal(x, task.simulate(u, 6))


@pytest.mark.parametrize("name", SBIBM)
def test_the_simulator_draws_from_the_likelihood(name):
    task = TASKS[name]
    u = np.full((DRAWS, task.n_params), 0.65)
    x = task.simulate(u, 7)
    here = task.log_likelihood(task.prior.natural(u), x)
    # Two moons moved against the parameters keep inside their former half plane.
    for direction in -np.vstack([np.eye(task.n_params), np.ones(task.n_params)]):

        def log_ratio(step, direction=direction):
            return task.log_likelihood(task.prior.natural(u + step * direction), x) - here

        small = log_ratio(1e-5)
        step = 1e-5 * 0.4 / small[np.isfinite(small)].std()
        ratio = np.exp(log_ratio(step))
        error = ratio.std() / np.sqrt(DRAWS)
        assert 0.1 < ratio.std() < 2
        assert abs(ratio.mean() - 1) < NORMAL * error, direction


def test_the_differential_equations_are_solved_to_a_thousandth_of_the_noise():
    for task, solved, slope, start, every in (
        (TASKS["sir"], dynamics.infected, _sir, [1 - 1e-6, 1e-6], dynamics.SIR_EVERY),
        (TASKS["lotka_volterra"], dynamics.populations, _lv, np.log([30.0, 1.0]), 2.1),
    ):
        theta = task.prior.natural(np.random.default_rng(3).random((20, task.n_params)))
        times = every * np.arange(10)
        for row, found in zip(theta, solved(theta), strict=True):
            exact = solve_ivp(slope, (0, times[-1]), start, "LSODA", times, args=tuple(row),
                              rtol=1e-10, atol=1e-12).y  # fmt: skip
            wanted = exact[1] if task.name == "sir" else exact.ravel()
            assert found == pytest.approx(wanted, abs=5e-6 if task.name == "sir" else 1e-4)


def _sir(_, state, beta, gamma):
    caught = beta * state[0] * state[1]
    return [-caught, caught - gamma * state[1]]


def _lv(_, state, alpha, beta, gamma, delta):
    return [alpha - beta * np.exp(state[1]), delta * np.exp(state[0]) - gamma]


@needs_reference
def test_the_reference_of_gaussian_linear_is_its_closed_form():
    for number in range(EARLIEST, LATEST + 1):
        samples = TASKS["gaussian_linear"].known.samples(number)
        mean = TASKS["gaussian_linear"].known.observation(number) / 2
        assert samples.mean(axis=0) == pytest.approx(mean, abs=4.5 * np.sqrt(0.05 / 10_000))
        assert np.cov(samples.T) == pytest.approx(0.05 * np.eye(10), abs=4.5 * 0.05 * 0.0142)


@needs_reference
@pytest.mark.parametrize("name", SBIBM)
def test_the_reference_samples_rest_under_steps_towards_the_posterior(name):
    for number in (EARLIEST, LATEST):
        drift = _drift(TASKS[name], number, chains=2000, steps=40)
        assert np.abs(drift).max() < NORMAL, number


@needs_reference
def test_samples_of_a_slightly_wider_density_would_not_rest():
    task = TASKS["gaussian_linear"]
    samples = task.known.samples(1)
    wider = samples.mean(axis=0) + 1.06 * (samples - samples.mean(axis=0))
    assert np.abs(_drift(task, 1, chains=2000, steps=40, start=wider)).max() > NORMAL


def _drift(task, number, chains, steps, start=None):
    """Change of mean parameters, squares and log density over the steps, in standard errors."""
    rng = np.random.default_rng(number)
    x = task.known.observation(number)
    samples = task.known.samples(number) if start is None else start
    before = samples[:chains]
    root = np.linalg.cholesky(np.cov(samples.T)) * 0.8 / np.sqrt(task.n_params)
    at, log_here = before, task.log_posterior(before, x)
    log_before = log_here
    for _ in range(steps):
        scale = rng.choice([0.1, 0.3, 1.0], (chains, 1))  # of the proposal: modes may be narrow
        there = at + scale * rng.standard_normal(before.shape) @ root.T
        log_there = task.log_posterior(there, x)
        taken = np.log(rng.random(chains)) < log_there - log_here
        at = np.where(taken[:, None], there, at)
        log_here = np.where(taken, log_there, log_here)
    centre = samples.mean(axis=0)
    change = np.column_stack(
        [at - before, (at - centre) ** 2 - (before - centre) ** 2, log_here - log_before]
    )
    return change.mean(axis=0) / (change.std(axis=0) / np.sqrt(chains))


@needs_reference
@pytest.mark.parametrize("name", PLANE)
def test_the_reference_samples_have_the_exact_posteriors_quantiles(name):
    task = TASKS[name]
    for number in range(EARLIEST, LATEST + 1):
        points, mass = _on_a_grid(task, number, 160 if name == "sir" else 900)
        samples = task.known.samples(number)
        for i in range(2):
            cells, inverse = np.unique(points[:, i], return_inverse=True)
            below = np.cumsum(np.bincount(inverse, mass))
            edges = (cells[1:] + cells[:-1]) / 2
            found = np.searchsorted(np.sort(samples[:, i]), edges) / len(samples)
            # Kolmogorov-Smirnov statistic, exceeded once in 10 000 times
            assert np.abs(found - below[:-1]).max() < 2.23 / np.sqrt(len(samples)), (number, i)


def _on_a_grid(task, number, cells):
    samples = task.known.samples(number)
    low, high = samples.min(axis=0), samples.max(axis=0)
    margin = 0.15 * (high - low)
    bounds = task.prior.natural(np.array([[1e-9] * 2, [1 - 1e-9] * 2]))
    low, high = np.maximum(low - margin, bounds[0]), np.minimum(high + margin, bounds[1])
    middle = (np.arange(cells) + 0.5) / cells
    axes = [a + middle * (b - a) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    log_mass = task.log_posterior(points, task.known.observation(number))
    mass = np.exp(log_mass - log_mass.max())
    return points, mass / mass.sum()
