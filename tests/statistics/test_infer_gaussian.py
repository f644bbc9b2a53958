"""TSNPE against an exact posterior: linear features, Gaussian noise, uniform prior on the square.

    x = A u + sigma e,  e ~ N(0, I):   p(u | x) is a Gaussian cut to the square (quadrature).

Rank statistics: Talts et al. (2018), Validating Bayesian inference algorithms with
simulation-based calibration, DOI 10.48550/arXiv.1804.06788. With L = 99 posterior draws a case the
ranks 0..99 fall into 20 bins of 5.
"""

import numpy as np
import pytest

from hpcvbi.core.block import Status
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param, Space
from hpcvbi.evaluate.calibration_check import Cases, calibration_check, calibration_words
from hpcvbi.infer import Draws, Tsnpe, calibration

A = np.array([[1.0, 0.4], [-0.5, 1.0], [0.3, -0.8], [0.8, 0.8], [0.0, 0.5]])
SIGMA = 0.2
OBSERVED = A @ np.array([0.4, 0.65]) + np.array([0.1, -0.15, 0.05, 0.1, -0.1])
LIMIT = 36.19  # chi2 with 19 degrees of freedom, 99 %
DRAWS, CASES = 99, 200


def simulate(u, seed):
    return u @ A.T + SIGMA * np.random.default_rng(seed).standard_normal((len(u), len(A)))


def exact_mean_and_sd(x):
    axis = (np.arange(400) + 0.5) / 400
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_mass = -0.5 * ((x - grid @ A.T) ** 2).sum(1) / SIGMA**2
    mass = np.exp(log_mass - log_mass.max())
    mass /= mass.sum()
    mean = mass @ grid
    return mean, np.sqrt(mass @ (grid - mean) ** 2)


def learn(algorithm, seed):
    states, parts = [algorithm.init(2, OBSERVED)], []
    while not algorithm.done(states[-1]):
        u = algorithm.propose(states[-1], algorithm.draws, seed)
        parts.append(Draws.of(u, simulate(u, seed + len(states)), len(parts)))
        state, _ = algorithm.update(states[-1], Draws.join(parts), seed)
        states.append(state)
    return states


def ranks(u, posterior):
    """Rank of the truth (case, param) among posterior draws (case, draw, param)."""
    return (posterior < u[:, None]).sum(axis=1)


def chi2(ranks):
    counts = np.histogram(ranks, bins=20, range=(0, DRAWS + 1))[0]
    expected = len(ranks) / 20
    return ((counts - expected) ** 2).sum() / expected


@pytest.fixture(scope="module")
def calibrated():
    algorithm = Tsnpe(draws=768, members=2, batch=100, learning_rate=4e-3)
    return algorithm, learn(algorithm, seed=11)


def test_two_small_rounds_come_near_the_exact_posterior():
    # 512 draws teach the spread averaged over x, which the edges of the square make smaller than
    # the spread at this x in its middle: most networks tried came out about 20 % too narrow.
    algorithm = Tsnpe()
    state = learn(algorithm, seed=5)[-1]
    drawn = algorithm.posterior(state, OBSERVED, 4000, seed=1)
    mean, sd = exact_mean_and_sd(OBSERVED)
    assert (np.abs(drawn.mean(0) - mean) < 0.3 * sd).all()
    assert (np.abs(drawn.std(0) / sd - 1) < 0.3).all()


def test_two_larger_rounds_come_close_to_the_exact_posterior(calibrated):
    algorithm, (_, _, second) = calibrated
    drawn = algorithm.posterior(second, OBSERVED, 4000, seed=1)
    mean, sd = exact_mean_and_sd(OBSERVED)
    assert (np.abs(drawn.mean(0) - mean) < 0.2 * sd).all(), (drawn.mean(0) - mean) / sd
    assert (np.abs(drawn.std(0) / sd - 1) < 0.2).all(), drawn.std(0) / sd


def test_ranks_of_the_first_round_are_uniform_over_the_prior(calibrated):
    algorithm, (_, first, _) = calibrated
    u = np.random.default_rng(21).random((CASES, 2))
    posterior = algorithm.posterior(first, simulate(u, 22), DRAWS, seed=23)
    for column in range(2):
        assert chi2(ranks(u, posterior)[:, column]) < LIMIT
    # the statistic sees a posterior that is too narrow, and one that is shifted
    mean = posterior.mean(1, keepdims=True)
    narrow = ranks(u, mean + 0.6 * (posterior - mean))
    shifted = ranks(u, posterior + 0.5 * posterior.std(1, keepdims=True))
    for column in range(2):
        assert chi2(narrow[:, column]) > LIMIT and chi2(shifted[:, column]) > LIMIT


def test_ranks_of_the_second_round_are_uniform_over_the_truncated_prior(calibrated):
    algorithm, (_, first, second) = calibrated
    u = algorithm.propose(first, CASES, seed=31)
    posterior = algorithm.posterior(second, simulate(u, 32), 6 * DRAWS, seed=33)
    # Outside the region there are draws of round 0 only: the prior of this check ends there.
    inside = [case[algorithm.inside(first, case)][:DRAWS] for case in posterior]
    enough = np.array([len(case) == DRAWS for case in inside])
    assert enough.mean() > 0.95
    kept = np.stack([case for case in inside if len(case) == DRAWS])
    for column in range(2):
        assert chi2(ranks(u[enough], kept)[:, column]) < LIMIT


def test_a_studys_own_check_finds_the_truncated_posterior_calibrated_and_a_narrow_one_not(
    calibrated,
):
    algorithm, (_, _, second) = calibrated
    space = Space(tuple(Param(n, 0.5, prior=Uniform(0, 1)) for n in "ab"))
    arrays = algorithm.to_arrays(second)
    u = calibration.truths(algorithm, space, CASES, 41, arrays)
    simulated = {
        "theta": u,
        "status": np.full(CASES, Status.OK, np.uint8),
        "features": simulate(u, 42),
    }
    found = calibration.cases(
        algorithm, space, 43, arrays, simulated, observed={"features": OBSERVED}
    )
    assert found["kept"].mean() > 0.95
    numbers = calibration_check(Cases(**found), 44)
    assert calibration_words(numbers, ("a", "b")) == "", numbers
    middle = found["samples"].mean(1, keepdims=True)
    narrow = {**found, "samples": middle + 0.6 * (found["samples"] - middle)}
    words = calibration_words(calibration_check(Cases(**narrow), 44), ("a", "b"))
    assert words.count("too narrow: ") == 2


def test_the_region_keeps_the_exact_posterior(calibrated):
    algorithm, (_, first, _) = calibrated
    axis = (np.arange(100) + 0.5) / 100
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_mass = -0.5 * ((OBSERVED - grid @ A.T) ** 2).sum(1) / SIGMA**2
    mass = np.exp(log_mass - log_mass.max())
    lost = mass[~algorithm.inside(first, grid)].sum() / mass.sum()
    assert lost < 10 * algorithm.truncation
    assert algorithm.inside(first, grid).mean() < 0.8
