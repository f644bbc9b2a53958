"""C2ST against theory, L-C2ST against posteriors that are exact or wrong."""

import numpy as np
import pytest
from gaussian_posteriors import WRONG, posterior, problem
from scipy.special import ndtr

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.evaluate import c2st, local_c2st


def test_c2st_is_one_half_for_equal_distributions_and_the_bayes_rate_for_others():
    rng = np.random.default_rng(0)
    first, same = rng.normal(size=(2, 1500, 2))
    # Standard error of the accuracy over 3000 points: .009.
    assert c2st(first, same, 0).accuracy == pytest.approx(0.5, abs=0.03)
    shifted = c2st(first[:, :1], 1 + same[:, :1], 0)
    assert shifted.accuracy == pytest.approx(ndtr(0.5), abs=0.03)
    assert shifted.folds.shape == (5,) and shifted.draws == 1500
    assert c2st(first, 10 + same, 0).accuracy > 0.999


def test_c2st_sees_a_correlation_knows_no_units_and_keeps_its_bits():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(600, 2)), rng.normal(size=(600, 2)) @ [[1, 0.9], [0, 0.45]]
    found = c2st(first, second, 3)
    assert found.accuracy > 0.63
    np.testing.assert_array_equal(found.folds, c2st(first, second, 3).folds)
    flat = np.full((600, 1), 4.0)
    scaled = c2st(np.hstack([first * 1024, flat]), np.hstack([second * 1024, flat]), 3)
    assert scaled.accuracy == pytest.approx(found.accuracy, abs=0.05)


def test_c2st_takes_as_many_of_both():
    rng = np.random.default_rng(2)
    found = c2st(rng.normal(size=(900, 1)), rng.normal(size=(100, 1)), 0)
    assert found.draws == 100 and found.accuracy < 0.62


def test_c2st_refuses_what_it_cannot_tell():
    with pytest.raises(DataError, match="same parameters"):
        c2st(np.zeros((50, 2)), np.zeros((50, 3)), 0)
    with pytest.raises(DataError, match="finite"):
        c2st(np.full((50, 2), np.inf), np.zeros((50, 2)), 0)
    with pytest.raises(DataError, match="20 draws each, got 19"):
        c2st(np.zeros((19, 2)), np.zeros((50, 2)), 0)
    with pytest.raises(ConfigError, match="2 folds"):
        c2st(np.zeros((50, 2)), np.zeros((50, 2)), 0, folds=1)


def local(seed, cases=500, trials=19, **wrong):
    rng = np.random.default_rng(seed)
    u, x = problem(rng, cases)
    x_observed = np.array([0.4, -0.2])
    q = posterior(rng, x, 1, **wrong)[:, 0]
    return local_c2st(
        u, x, q, posterior(rng, x_observed[None], 300, **wrong)[0], x_observed, 0, trials
    )


@pytest.mark.parametrize("name", ["too narrow", "shifted", "of the wrong correlation"])
def test_l_c2st_finds_a_wrong_posterior_at_the_observation(name):
    covariance, shift = WRONG[name]
    found = local(1, covariance=covariance, shift=shift)
    assert found.p_value == 0.05 and not found.right()
    assert found.statistic > found.null.max()


def test_l_c2st_passes_the_exact_posterior():
    found = [local(seed, cases=200) for seed in range(3)]
    # Three of three p-values at the least possible one would be chance in 1 of 8000.
    assert max(f.p_value for f in found) > 0.1
    assert all(f.null.shape == (19,) and f.probability.shape == (300,) for f in found)
    assert max(f.statistic for f in found) < 0.02
    again = local(2, cases=200)
    np.testing.assert_array_equal(again.null, found[2].null)
    assert again.statistic == found[2].statistic


def test_l_c2st_leaves_failed_cases_out_and_refuses_the_rest():
    rng = np.random.default_rng(3)
    u, x = problem(rng, 60)
    q, at = posterior(rng, x, 1)[:, 0], posterior(rng, x[:1], 50)[0]
    x[:20] = np.nan
    assert local_c2st(u, x, q, at, np.zeros(2), 0, trials=19).cases == 40
    x[20] = np.inf
    with pytest.raises(DataError, match="got 39 of 60"):
        local_c2st(u, x, q, at, np.zeros(2), 0)
    with pytest.raises(DataError, match=r"\(case, feature\)"):
        local_c2st(u, x, q, at, np.zeros(3), 0)
    with pytest.raises(DataError, match="x_observed must be finite"):
        local_c2st(u, x, q, at, np.full(2, np.nan), 0)
    with pytest.raises(ConfigError, match="19 at least"):
        local_c2st(u, x, q, at, np.zeros(2), 0, trials=9)
