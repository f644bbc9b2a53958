"""The linear whole-brain model with the exact posterior: the process against its Lyapunov equation
and against hpcvbi's own engine, the likelihood against a multivariate normal, and both posteriors
against the ranks of prior draws.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.stats import kstest, multivariate_normal

from hpcvbi import LINEAR, Brain, Connectome, Sample, WhiteNoise, simulate
from hpcvbi.models import linear

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from tasks.linear_brain import TAU, TR, LinearBrain, made_up_connectome
from tasks.linear_posterior import LINEAR_BRAIN, MadeUp, given_features, given_recording
from tasks.linear_posterior import log_of_features as log_density_of_features

SMALL = LinearBrain(made_up_connectome(8), frames=60, bands=2)
THETA = np.array([[0.6, 0.045]])


def lagged(brain, theta, lag):
    """Covariance (region, region) of states `lag` frames apart."""
    g, sigma = theta[0]
    regions = len(brain.weights)
    drift = (g * brain.weights - np.eye(regions)) / TAU
    stationary = solve_continuous_lyapunov(drift, -(sigma**2) * np.eye(regions))
    return expm(drift * TR * lag) @ stationary


def test_the_connectome_is_symmetric_with_unit_spectral_radius():
    weights = LINEAR_BRAIN.weights
    assert np.array_equal(weights, weights.T) and not np.diag(weights).any()
    assert np.abs(np.linalg.eigvalsh(weights)).max() == pytest.approx(1)


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_the_modes_have_the_covariance_of_the_lyapunov_equation(lag):
    variance, keep = LINEAR_BRAIN.process(THETA)
    vectors = LINEAR_BRAIN.modes[1]
    found = vectors @ np.diag((variance * keep**lag)[0]) @ vectors.T
    assert found == pytest.approx(lagged(LINEAR_BRAIN, THETA, lag), abs=1e-12)


def test_the_engine_simulates_this_process():
    brain, draws, frames = LINEAR_BRAIN, 256, 40
    regions = len(brain.weights)
    names = tuple(f"region {i}" for i in range(regions))
    g, sigma = THETA[0]
    engine = Brain(
        Connectome(brain.weights, np.zeros((regions, regions)), names),
        linear,
        LINEAR,
        WhiteNoise(("x",)),
        dt=5.0,
        duration=frames * TR,
        burn_in=20 * TAU,
        monitors=(Sample("x", TR),),
        values={"G": g / TAU, "gamma": -1 / TAU, "sigma": sigma},
    )
    x = simulate(engine, np.zeros((draws, 0)), seed=4).signals["sample"].astype(float)
    x = x.reshape(draws, frames, regions)
    for lag in range(2):
        each = np.einsum("dti,dtj->dij", x[:, lag:], x[:, : frames - lag]) / (frames - lag)
        error = each.std(axis=0) / np.sqrt(draws)
        exact = lagged(brain, THETA, lag)
        # Euler steps of dt change a variance by a factor of about 1 + dt / 2τ.
        assert (np.abs(each.mean(axis=0) - exact) < 4.5 * error + 0.004 * np.abs(exact)).all()
        uncoupled = lagged(brain, np.array([[0.0, sigma]]), lag)
        assert (np.abs(each.mean(axis=0) - uncoupled) / error).max() > 20


def test_recordings_and_features_have_their_moments():
    z = LINEAR_BRAIN.recordings(np.repeat(THETA, 3000, axis=0), np.random.default_rng(1))
    mean, covariance = LINEAR_BRAIN.feature_moments(THETA)
    x = LINEAR_BRAIN.features(z)
    sd = np.sqrt(np.diag(covariance[0]))
    assert np.abs((x.mean(axis=0) - mean[0]) / sd).max() < 4 / np.sqrt(len(x))
    assert np.cov(x.T) / np.outer(sd, sd) == pytest.approx(
        covariance[0] / np.outer(sd, sd), abs=7 / np.sqrt(len(x))
    )


def test_more_draws_than_a_chunk_are_repeated_by_their_seed():
    theta = SMALL.prior.natural(np.random.default_rng(3).random((20_000, 2)))
    found = [SMALL.draw(theta, np.random.default_rng(1)) for _ in range(2)]
    assert found[0].shape == (20_000, SMALL.n_features) and np.isfinite(found[0]).all()
    assert np.array_equal(*found)
    assert len(np.unique(found[0][:, 0])) == 20_000


@pytest.mark.parametrize("free_decay", [False, True])
def test_the_likelihood_is_that_of_the_normal_distribution_of_all_frames(free_decay):
    brain = LinearBrain(made_up_connectome(4), frames=12, free_decay=free_decay)
    theta = brain.prior.natural(np.random.default_rng(2).random((3, brain.n_params)))
    z = brain.recordings(theta, np.random.default_rng(3))
    variance, keep = brain.process(theta)
    lags = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    for row, found in enumerate(brain.log_likelihood(theta, z).T):
        for case, value in enumerate(found):
            exact = sum(
                multivariate_normal.logpdf(
                    z[case, :, k],
                    cov=variance[row, k] * keep[row, k] ** lags + brain.noise**2 * np.eye(12),
                )
                for k in range(4)
            )
            assert value == pytest.approx(exact, rel=1e-10)


def test_prior_draws_have_uniform_ranks_given_recordings():
    rng = np.random.default_rng(5)
    u = rng.random((300, 2))
    z = SMALL.recordings(SMALL.prior.natural(u), rng)
    cells = np.array([40, 80])
    points = _grid(cells)
    logs = np.concatenate(
        [SMALL.log_likelihood(SMALL.prior.natural(points), part) for part in np.split(z, 20)]
    )
    for ranks in _ranks(u, logs, cells):
        assert kstest(ranks, "uniform").pvalue > 1e-3


def test_prior_draws_have_uniform_ranks_given_features():
    rng = np.random.default_rng(6)
    u = rng.random((2000, 2))
    x = LINEAR_BRAIN.draw(LINEAR_BRAIN.prior.natural(u), rng)
    cells = np.array([40, 120])
    theta = LINEAR_BRAIN.prior.natural(_grid(cells))
    logs = log_density_of_features(LINEAR_BRAIN, theta, x)
    for ranks in _ranks(u, logs, cells):
        assert kstest(ranks, "uniform").pvalue > 1e-3


def _grid(cells):
    middles = [(np.arange(n) + 0.5) / n for n in cells]
    return np.stack(np.meshgrid(*middles, indexing="ij"), -1).reshape(-1, 2)


def _ranks(u, logs, cells):
    """Posterior mass (param, case) below the draws `u`, given log densities (case, cell)."""
    mass = np.exp(logs - logs.max(axis=1, keepdims=True)).reshape(len(u), *cells)
    for i in range(2):
        line = mass.sum(axis=2 - i)
        below = np.cumsum(line, axis=1) / line.sum(axis=1, keepdims=True)
        below = np.concatenate([np.zeros((len(u), 1)), below], axis=1)
        edges = np.linspace(0, 1, cells[i] + 1)
        yield np.array([np.interp(v, edges, b) for v, b in zip(u[:, i], below, strict=True)])


@pytest.mark.parametrize("free_decay", [False, True])
def test_features_know_less_than_the_recording_and_agree_with_it(free_decay):
    brain = LinearBrain(made_up_connectome(8), frames=100, bands=3, free_decay=free_decay)
    known = MadeUp(brain)
    whole = given_recording(brain, known.recording(1))
    less = given_features(brain, known.observation(1))
    truth = brain.prior.unit(known.truth(1)[None])[0]
    assert (less.sd > 0.9 * whole.sd).all()
    assert (np.abs(less.mean - whole.mean) < 2 * less.sd).all()
    assert (np.abs(whole.mean - truth) < 4 * whole.sd).all()


def test_samples_of_a_grid_have_its_moments():
    grid = given_recording(SMALL, MadeUp(SMALL).recording(2))
    samples = grid.samples(20_000, np.random.default_rng(7))
    assert ((samples > 0) & (samples < 1)).all()
    assert samples.mean(axis=0) == pytest.approx(grid.mean, abs=4 * grid.sd.max() / 141)
    assert samples.std(axis=0) == pytest.approx(grid.sd, rel=0.03)
