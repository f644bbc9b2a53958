"""Summaries and calibration numbers of posteriors: exact cases and refusals."""

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.evaluate import (
    coverage,
    coverage_tolerance,
    recovery_z,
    sbc_ranks,
    shrinkage,
    summarise,
    uniformity,
)
from hpcvbi.evaluate.posterior import distinct_draws


def test_summary_of_known_samples():
    samples = np.stack([np.arange(1, 100), np.arange(1, 100) * 10.0], axis=1)
    summary = summarise(samples)
    np.testing.assert_allclose(summary.mean, [50, 500])
    np.testing.assert_allclose(summary.sd, np.std(np.arange(1, 100), ddof=1) * np.array([1, 10]))
    np.testing.assert_allclose(summary.lower, [5, 50])
    np.testing.assert_allclose(summary.upper, [95, 950])
    with pytest.raises(DataError, match="finite"):
        summarise(np.full((5, 1), np.nan))


def test_shrinkage_is_zero_for_the_prior_one_for_certainty_negative_for_wider():
    grid = (np.arange(10000) + 0.5) / 10000
    samples = np.stack([grid, np.full_like(grid, 0.3), np.round(grid)], axis=1)
    np.testing.assert_allclose(shrinkage(samples), [0.0, 1.0, -2.0], atol=1e-3)
    assert shrinkage(2 * grid[:, None], prior_variance=4 / 12) == pytest.approx(0, abs=1e-3)


def test_recovery_z_counts_posterior_sds_over_cases():
    samples = np.random.default_rng(0).normal(size=(4, 5000, 2)) * [1, 10] + [3, 0]
    z = recovery_z(samples, np.tile([1.0, 20.0], (4, 1)))
    np.testing.assert_allclose(z, np.tile([2.0, -2.0], (4, 1)), atol=0.15)


def test_recovery_z_of_a_point_is_undefined():
    # 200 times 0.1 has a standard deviation of rounding errors, not of 0
    z = recovery_z(np.full((3, 200, 2), 0.1) * [1.0, 7.0], np.zeros((3, 2)))
    assert np.isnan(z).all()


def test_ranks_count_the_draws_below_the_truth():
    samples = np.arange(9.0)[None, :, None] * np.ones((3, 1, 1))
    truth = np.array([[-1.0], [4.5], [100.0]])
    np.testing.assert_array_equal(sbc_ranks(samples, truth), [[0], [5], [9]])
    with pytest.raises(DataError, match="truth"):
        sbc_ranks(samples, truth[:2])


def test_draws_that_come_again_are_ranked_as_the_few_that_they_are():
    few = np.random.default_rng(0).random((4000, 9, 1))
    truth, again = np.random.default_rng(1).random((4000, 1)), np.repeat(few, 11, axis=1)
    assert distinct_draws(again[0]) == pytest.approx(9)
    ranks = sbc_ranks(again, truth)
    assert ranks.min() == 0 and ranks.max() == 99
    assert uniformity(ranks, draws=99).p_value[0] > 1e-3
    # their place among the few that they are is kept
    np.testing.assert_array_equal(ranks // 10, sbc_ranks(few, truth))
    np.testing.assert_array_equal(ranks, sbc_ranks(again, truth))


def test_uniformity_knows_flat_from_lopsided():
    flat = np.repeat(np.arange(100), 2)[:, None]
    test = uniformity(np.hstack([flat, flat // 2]), draws=99)
    np.testing.assert_allclose(test.statistic, [0, 200])
    assert test.p_value[0] == 1.0 and test.p_value[1] < 1e-20
    np.testing.assert_array_equal(test.counts[:, 0], 10)
    assert test.dof == 19


def test_the_chi_square_quantile_is_the_tabulated_one():
    # 35.96 lies just below 36.19, the 99 % quantile for 19 degrees of freedom.
    counts = np.full(20, 100)
    counts[:2] += [42, -42]
    counts[2:4] += [5, -5]
    counts[4:6] += [3, -3]
    ranks = np.repeat(np.arange(20) * 5, counts)[:, None]
    test = uniformity(ranks, draws=99)
    assert test.statistic[0] == pytest.approx(35.96)
    assert test.p_value[0] == pytest.approx(0.0107, abs=2e-4)


@pytest.mark.parametrize(
    ("ranks", "draws", "error", "says"),
    [
        (np.zeros((200, 1), int), 100, ConfigError, "draws = 99"),
        (np.zeros((50, 1), int), 99, ConfigError, "100 cases, or 10 bins"),
        (np.full((200, 1), 100), 99, DataError, "0 ... 99"),
    ],
)
def test_ranks_that_cannot_be_tested_are_refused(ranks, draws, error, says):
    with pytest.raises(error, match=says):
        uniformity(ranks, draws)


def test_coverage_of_intervals_that_are_right_too_narrow_or_beside():
    grid = (np.arange(999) + 0.5) / 999
    samples = np.tile(grid[None, :, None], (100, 1, 3))
    uniform = (np.arange(100) + 0.5) / 100
    truth = np.stack([uniform, 2 * uniform - 0.5, uniform + 1], axis=1)
    got = coverage(samples, truth, np.array([0.5, 0.9]))
    np.testing.assert_allclose(got, [[0.5, 0.25, 0.0], [0.9, 0.45, 0.0]], atol=0.011)


def test_coverage_tolerance_is_three_standard_errors():
    np.testing.assert_allclose(coverage_tolerance(np.array([0.5, 0.9]), 100), [0.15, 0.09])
