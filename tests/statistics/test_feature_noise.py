"""The noise of features where it is known, and what distances in units of it are good for."""

import numpy as np
import pytest

from hpcvbi.infer import Knn, Regression, Rejection, learn
from hpcvbi.infer.feature_noise import LEAST, feature_noise, noise_near
from hpcvbi.infer.table import robust
from hpcvbi.infer.truncation import sobol

SHARE = 0.15
"""Noise of a feature in units of its parameter."""
SIGMA = np.array([0.02, 0.1, 3.0])
SLOPE = np.array([1.0, -4.0, 0.0])
UNTOLD = 8
"""Features that tell nothing."""


def simulated(draws, seed=0):
    rng = np.random.default_rng(seed)
    u = rng.random((draws, 2))
    return u, u[:, :1] * SLOPE + SIGMA * rng.standard_normal((draws, 3))


def noise_of(u, x):
    return feature_noise(u, x, robust(x)[1], np.random.default_rng(0))


@pytest.mark.parametrize("draws", [2_000, 20_000])
def test_noise_is_found_whatever_the_parameters_do(draws):
    # two draws are .5 / sqrt(draws) apart: the slopes add less than a tenth
    np.testing.assert_allclose(noise_of(*simulated(draws)), SIGMA, rtol=0.15)


def test_noise_is_that_of_the_whole_prior_though_rows_be_in_order():
    """Every second point of a Sobol sequence lies in one half of the prior."""
    u = sobol(2, np.random.default_rng(1))(8000)
    x = u[:, :1] * np.random.default_rng(2).standard_normal((len(u), 1))
    for order in (np.arange(len(u)), np.argsort(u[:, 0])):
        # the mean of a noise of sd u
        np.testing.assert_allclose(noise_of(u[order], x[order]), 0.5, rtol=0.1)


def test_parameters_that_come_twice():
    u, x = simulated(6_000)
    other = u[:, :1] * SLOPE + SIGMA * np.random.default_rng(9).standard_normal(x.shape)
    twice = np.concatenate([u, u]), np.concatenate([x, other])
    np.testing.assert_allclose(noise_of(*twice), SIGMA, rtol=0.1)


def test_units_wild_draws_constants_and_what_has_no_noise():
    u, x = simulated(4_000)
    plain = noise_of(u, x)
    np.testing.assert_allclose(noise_of(u, x * 1e9), plain * 1e9, rtol=1e-9)
    wild = x.copy()
    wild[:8] = 1e12
    np.testing.assert_allclose(noise_of(u, wild), plain, rtol=0.1)
    constant = np.column_stack([x, np.full(len(u), 7.0), u[:, 0]])
    assert noise_of(u, constant)[3] == 0
    # one draw in 4,000 is 1 / 80 away, the floor is a thousandth of the spread
    assert LEAST * 0.3 < noise_of(u, constant)[4] < 0.03


def growing(u, seed):
    """Two features of two parameters; the noise of the first grows with its parameter."""
    noise = SHARE * np.random.default_rng(seed).standard_normal((len(u), 2))
    return u + noise * np.stack([u[:, 0], np.ones(len(u))], axis=1)


@pytest.mark.parametrize("draws", [2_000, 50_000])
def test_noise_is_that_near_each_observation(draws):
    u = sobol(2, np.random.default_rng(1))(draws)
    x = growing(u, 2)
    scale = robust(x)[1]
    cases = np.array([[0.2, 0.5], [0.9, 0.5]])
    found = noise_near(cases, u, x, scale, np.random.default_rng(3))
    np.testing.assert_allclose(found, SHARE * np.array([[0.2, 1.0], [0.9, 1.0]]), rtol=0.25)
    for case, noise in zip(cases, found, strict=True):  # whatever else is asked for
        alone = noise_near(case[None], u, x, scale, np.random.default_rng(3))
        np.testing.assert_array_equal(alone[0], noise)


@pytest.mark.parametrize("algorithm", [Rejection, Knn, Regression])
def test_a_feature_counts_by_its_noise_near_the_observation(algorithm):
    observed, elsewhere = np.array([0.05, 0.5]), np.array([0.9, 0.5])
    exact = np.array([SHARE * 0.05, SHARE])
    for learned_at in (observed, elsewhere):
        found = learn(algorithm(draws=8192), growing, 2, learned_at, 1)
        drawn = found.posterior(observed[None], 4000, seed=1)[0]
        assert (np.abs(drawn.mean(axis=0) - observed) < exact).all()
        # by the noise of the whole prior the first is three times as wide
        assert (drawn.std(axis=0) < 2 * exact).all()


@pytest.mark.parametrize("algorithm", [Rejection, Knn, Regression])
def test_features_that_tell_nothing_cost_little(algorithm):
    def simulate(u, seed):
        rng = np.random.default_rng(seed)
        told = u + 0.05 * rng.standard_normal(u.shape)
        return np.hstack([told, rng.standard_normal((len(u), UNTOLD))])

    observed = np.append(0.5, np.zeros(UNTOLD))
    found = learn(algorithm(draws=4096), simulate, 1, observed, 1)
    drawn = found.posterior(observed, 2000, seed=1)
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.std() < 2 * 0.05
