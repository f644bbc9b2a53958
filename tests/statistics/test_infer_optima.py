"""Optimisers against optima that are known: a noisy quadratic, and linear features with noise.

    x = u - u0 + 0.05 e        the loss is lowest at u0
    x = A u + 0.2 e            the likelihood is highest at the least-squares point; the loss at the
                               least-squares point of features in units of their prior spread

A grid of n points in 5 dimensions is off by about n^(-1/5): a search that learns needs fewer draws.
"""

import numpy as np
import pytest
from test_infer_gaussian import OBSERVED, SIGMA, A, simulate

from hpcvbi.infer import BayesOpt, CmaEs, Grid, Weights, learn

NOISE = 0.05


def quadratic(n_params):
    goal = np.linspace(0.3, 0.7, n_params)

    def features(u, seed):
        noise = np.random.default_rng(seed).standard_normal(u.shape)
        return u - goal + NOISE * noise

    return goal, features


def distance(algorithm, n_params, seed):
    goal, features = quadratic(n_params)
    found = learn(algorithm, features, n_params, np.zeros(n_params), seed)
    return float(np.linalg.norm(found.state.best - goal))


def least_squares(scale):
    return np.linalg.lstsq(A / scale[:, None], OBSERVED / scale, rcond=None)[0]


@pytest.mark.parametrize(
    ("algorithm", "within"),
    [
        # a grid of spacing 0.04, and noise of 0.05 / sqrt(4) on each point
        (Grid(draws=2304, replicates=4, design="factorial"), 0.08),
        (CmaEs(rounds=16, draws=32, replicates=2), 0.05),
        (BayesOpt(rounds=8, draws=16), 0.05),
    ],
)
def test_the_optimum_of_a_noisy_quadratic_is_found(algorithm, within):
    assert max(distance(algorithm, 2, seed) for seed in range(3)) < within


@pytest.mark.parametrize(
    "algorithm",
    [
        # many replicates: the lowest of many noisy losses is low by chance
        Grid(draws=16384, replicates=64, design="factorial"),
        CmaEs(rounds=24, draws=64, replicates=4),
        BayesOpt(rounds=8, draws=64, replicates=4),
    ],
    ids=["grid", "cmaes", "bayes_opt"],
)
def test_linear_features_lead_to_the_most_likely_point(algorithm):
    covariance = SIGMA**2 * np.linalg.inv(A.T @ A)
    sd = np.sqrt(np.diag(covariance))
    off = []
    for seed in range(3):
        found = learn(algorithm, simulate, 2, OBSERVED, seed)
        scaled = least_squares(found.state.spread)
        off.append(np.abs(found.state.best - scaled) / sd)
        # features in units of their prior spread are not weighted as the likelihood does
        likely = least_squares(np.ones(len(A)))
        assert (np.abs(scaled - likely) < 0.4 * sd).all()
    assert (np.median(off, axis=0) < 0.4).all() and np.max(off) < 0.8, off


def test_cmaes_needs_fewer_draws_than_the_grid_in_five_dimensions():
    few = [distance(CmaEs(rounds=20, draws=16), 5, seed) for seed in range(7)]
    many = [distance(Grid(draws=3200), 5, seed) for seed in range(7)]
    assert np.median(few) < 0.5 * np.median(many) and max(few) < max(many), (few, many)


def test_the_prior_pulls_to_its_middle_and_stability_to_quiet_points():
    goal, features = quadratic(2)
    pulled = CmaEs(rounds=16, draws=32, weights=Weights(prior=0.2))
    u = learn(pulled, features, 2, np.zeros(2), 1).state.best
    # lowest of mean_p((u - u0)^2 / s^2) + 0.2 * 12 mean_p((u - 1/2)^2), s^2 = 1/12 + noise^2
    attraction = 1 / (1 / 12 + NOISE**2)
    expected = (attraction * goal + 0.2 * 12 * 0.5) / (attraction + 0.2 * 12)
    assert np.abs(u - expected).max() < 0.03 < np.abs(goal - expected).max() + 0.01

    def restless(u, seed):
        noise = np.random.default_rng(seed).standard_normal((len(u), 1))
        return 0.5 * u[:, :1] * noise  # any u explains 0; noise grows with the first parameter

    quiet = Grid(draws=1024, replicates=8, weights=Weights(stability=5.0))
    assert learn(quiet, restless, 2, np.zeros(1), 1).state.best[0] < 0.05
