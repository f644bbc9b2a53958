"""Rank ECDFs and their simultaneous bands: exact probabilities, and what they catch."""

import itertools

import numpy as np
import pytest
from gaussian_posteriors import WRONG, posterior, problem

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.evaluate import rank_bands, sbc_ranks
from hpcvbi.evaluate.rank_bands import _stays


def test_the_probability_to_stay_is_that_of_all_paths_counted():
    # 4 cases, ranks 0 ... 2: all 81 outcomes are equally likely.
    lower, upper, points = np.array([1, 2]), np.array([2, 4]), np.array([1, 2]) / 3
    stay = 0
    for ranks in itertools.product(range(3), repeat=4):
        counts = np.array([sum(r < 1 for r in ranks), sum(r < 2 for r in ranks)])
        stay += ((counts >= lower) & (counts <= upper)).all()
    assert _stays(lower, upper, 4, points) == pytest.approx(stay / 81, rel=1e-12)
    assert _stays(np.zeros(2, int), np.full(2, 4), 4, points) == pytest.approx(1, rel=1e-12)
    assert _stays(np.array([3, 0]), np.array([2, 4]), 4, points) == 0


def test_bands_hold_all_points_together_as_often_as_they_say():
    ranks = np.random.default_rng(0).integers(0, 100, (150, 2000))
    found = rank_bands(ranks, draws=99)
    # 2000 independent curves: three standard errors of .95 are .015; few are lost to discreteness.
    assert abs(found.inside.mean() - 0.95) < 0.018
    np.testing.assert_array_equal(found.inside, found.p_value > 0.05)
    for alpha in (0.01, 0.05, 0.2, 0.5, 0.8):
        error = np.sqrt(alpha * (1 - alpha) / 2000)
        assert abs((found.p_value <= alpha).mean() - alpha) < 3.3 * error
    # A band for one point alone is narrower, Dvoretzky-Kiefer-Wolfowitz' wider in the tails.
    width = found.upper - found.lower
    assert width[49] > 2 * 1.96 * np.sqrt(0.25 / 150)
    assert width[0] < 2 * np.sqrt(np.log(2 / 0.05) / 300) < width[49] * 1.2


def test_the_exact_posterior_stays_inside_and_wrong_ones_do_not():
    rng = np.random.default_rng(1)
    u, x = problem(rng, 300)
    assert rank_bands(sbc_ranks(posterior(rng, x, 99), u), 99).inside.all()
    bands = {
        name: rank_bands(sbc_ranks(posterior(rng, x, 99, *wrong), u), 99)
        for name, wrong in WRONG.items()
    }
    for name in ("too narrow", "too wide", "shifted"):
        assert not bands[name].inside.any() and (bands[name].p_value < 1e-3).all(), name
    # Ranks of single parameters do not see a correlation.
    assert bands["of the wrong correlation"].inside.all()
    assert (bands["shifted"].deviation > 0.1).all()
    narrow = bands["too narrow"]
    assert (np.sign(narrow.deviation) == np.sign(0.5 - narrow.where)).all()


def test_large_and_small_studies_work():
    rng = np.random.default_rng(2)
    assert rank_bands(rng.integers(0, 1001, (4000, 1)), 1000).points.size == 100
    assert rank_bands(np.array([[0], [1]]), 1).inside.all()
    same = rank_bands(np.zeros((50, 1), int), 99)
    assert not same.inside[0] and same.p_value[0] < 1e-12 and same.deviation[0] > 0.98


def test_what_is_not_ranks_is_refused():
    with pytest.raises(DataError, match=r"0 \.\.\. 9"):
        rank_bands(np.array([[10]]), 9)
    with pytest.raises(DataError, match="sbc_ranks"):
        rank_bands(np.array([[0.5]]), 9)
    with pytest.raises(DataError, match="case, param"):
        rank_bands(np.zeros(5), 9)
    with pytest.raises(ConfigError, match=r"0\.95"):
        rank_bands(np.zeros((5, 1), int), 9, level=95)
