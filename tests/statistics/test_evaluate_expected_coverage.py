"""Expected coverage by TARP and by highest density: exact posteriors pass, wrong ones fail."""

import numpy as np
import pytest
from gaussian_posteriors import COVARIANCE, WRONG, log_density, posterior, problem

from hpcvbi.core.errors import DataError
from hpcvbi.evaluate import density_coverage, references_near, tarp

CASES, DRAWS = 400, 100


def densities(u, x, samples, covariance=COVARIANCE, shift=0.0):
    return (
        log_density(samples, x[:, None], covariance, shift),
        log_density(u, x, covariance, shift),
    )


def test_p_values_of_exact_posteriors_are_uniform():
    rng = np.random.default_rng(0)
    by_tarp, by_near, by_density = [], [], []
    for seed in range(60):
        u, x = problem(rng, 60)
        samples = posterior(rng, x, 19)
        by_tarp.append(tarp(samples, u, seed).p_value)
        by_near.append(tarp(samples, u, seed, references_near(u, x, seed)).p_value)
        by_density.append(density_coverage(*densities(u, x, samples), seed).p_value)
    for p in (by_tarp, by_near, by_density):
        # Kolmogorov's 99.9 % quantile.
        assert np.abs(np.sort(p) - (np.arange(60) + 0.5) / 60).max() < 1.95 / np.sqrt(60)


def test_references_near_the_data_blame_no_exact_posterior_more_often_than_chance():
    rng, p = np.random.default_rng(6), []
    for seed in range(500):
        u, x = problem(rng, 40)
        p.append(tarp(posterior(rng, x, 19), u, seed, references_near(u, x, seed)).p_value)
    for alpha in (0.05, 0.25):
        error = np.sqrt(alpha * (1 - alpha) / 500)
        assert abs((np.array(p) <= alpha).mean() - alpha) < 3.3 * error


def test_the_exact_posterior_covers_and_its_curve_is_the_diagonal():
    rng = np.random.default_rng(1)
    u, x = problem(rng, CASES)
    samples = posterior(rng, x, DRAWS)
    for found in (tarp(samples, u, 0), density_coverage(*densities(u, x, samples), 0)):
        assert found.p_value > 0.01 and found.area < 0.05 and abs(found.width) < 0.045
        np.testing.assert_allclose(found.coverage, found.levels, atol=found.distance + 1e-12)
        assert found.coverage[0] == 0 and found.coverage[-1] == 1 and found.cases == CASES


@pytest.mark.parametrize("name", WRONG)
def test_wrong_posteriors_fail(name):
    rng = np.random.default_rng(2)
    # A correlation is what balls see least: it takes more cases than the rest.
    u, x = problem(rng, 1000)
    samples = posterior(rng, x, DRAWS, *WRONG[name])
    balls = tarp(samples, u, 0, references_near(u, x, 0))
    dense = density_coverage(*densities(u, x, samples, *WRONG[name]), 0)
    assert balls.p_value < 1e-3 and dense.p_value < 1e-3
    sign = {"too narrow": -1, "too wide": 1}.get(name)
    if sign:
        assert sign * tarp(samples, u, 0).width > 0.03 and sign * dense.width > 0.08
        assert balls.area > 0.03 and dense.area > 0.08


def test_coverage_of_a_narrow_normal_is_the_known_one():
    # In one dimension the region of credibility a of N(0, s) holds a truth of N(0, 1) with
    # probability 2 Phi(s z) - 1, z the quantile (1 + a) / 2.
    from scipy.special import ndtr, ndtri

    rng = np.random.default_rng(3)
    truth, samples = rng.normal(size=4000), 0.5 * rng.normal(size=(4000, 400))
    found = density_coverage(-(samples**2), -(truth**2), 0)
    expected = 2 * ndtr(0.5 * ndtri((1 + found.levels[1:-1]) / 2)) - 1
    np.testing.assert_allclose(found.coverage[1:-1], expected, atol=0.025)
    assert found.width == pytest.approx(
        np.trapezoid(expected - found.levels[1:-1], dx=0.01), abs=0.02
    )


def test_the_prior_is_caught_by_references_that_depend_on_the_data_only():
    rng = np.random.default_rng(4)
    u, x = problem(rng, CASES)
    prior = rng.normal(size=(CASES, DRAWS, 2))
    assert tarp(prior, u, 0).p_value > 0.01
    for references in (x, references_near(u, x, 0)):
        assert tarp(prior, u, 0, references).p_value < 1e-6
        assert tarp(posterior(rng, x, DRAWS), u, 0, references).p_value > 0.01
    wide = np.hstack([x, np.ones((CASES, 1)), rng.normal(size=(CASES, 500))])
    assert np.isfinite(references_near(u, wide, 0)).all()


def test_units_seeds_and_ties():
    rng = np.random.default_rng(5)
    u, x = problem(rng, 100)
    samples = posterior(rng, x, 50)
    scale, shift = np.array([1e-3, 64.0]), np.array([0.0, 128.0])
    found, scaled = tarp(samples, u, 7), tarp(samples * scale + shift, u * scale + shift, 7)
    np.testing.assert_allclose(found.credibility, scaled.credibility, atol=0.03)
    np.testing.assert_array_equal(found.credibility, tarp(samples, u, 7).credibility)
    assert (found.credibility != tarp(samples, u, 8).credibility).any()
    # A density that is flat tells nothing, and is calibrated.
    assert density_coverage(np.zeros((200, 50)), np.zeros(200), 0).p_value > 0.01
    # A truth outside the posterior's support is in no region.
    assert density_coverage(np.zeros((200, 50)), np.full(200, -np.inf), 0).coverage[90] == 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="case, param"):
        tarp(np.zeros((5, 4, 2)), np.zeros((5, 3)), 0)
    with pytest.raises(DataError, match="finite"):
        tarp(np.full((5, 4, 2), np.nan), np.zeros((5, 2)), 0)
    with pytest.raises(DataError, match="references"):
        tarp(np.zeros((5, 4, 2)), np.zeros((5, 2)), 0, references=np.zeros((4, 2)))
    with pytest.raises(DataError, match="8 cases"):
        references_near(np.zeros((5, 2)), np.zeros((5, 2)), 0)
    with pytest.raises(DataError, match="data must be finite"):
        references_near(np.zeros((9, 2)), np.full((9, 2), np.nan), 0)
    with pytest.raises(DataError, match="log densities"):
        density_coverage(np.zeros((5, 4)), np.zeros(4), 0)
    with pytest.raises(DataError, match="numbers"):
        density_coverage(np.full((5, 4), np.nan), np.zeros(5), 0)
