"""Fits and yardsticks: known values, known traps."""

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, DataError, TooFewSurvivors
from hpcvbi.core.pairs import upper
from hpcvbi.evaluate import (
    cohort_fit,
    fc_fit,
    halves_fit,
    linear_network_fc,
    others_fit,
    predictive_fit,
    structure_fit,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_averaging_draws_removes_noise_from_the_fit(rng):
    recorded = rng.normal(size=300)
    draws = recorded + rng.normal(size=(64, 300))
    fit = predictive_fit(draws, recorded)
    assert fit.mean == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert fit.of_mean == pytest.approx(np.sqrt(64 / 65), abs=0.01)
    assert fit.sd == pytest.approx(fc_fit(draws, recorded).std(ddof=1))


def test_draws_that_are_not_finite_are_left_out_and_counted(rng):
    recorded = rng.normal(size=30)
    draws = recorded + rng.normal(size=(5, 30))
    broken = np.vstack([draws, np.full((2, 30), np.nan)])
    assert predictive_fit(broken, recorded).draws == 5
    assert predictive_fit(broken, recorded).mean == predictive_fit(draws, recorded).mean
    with pytest.raises(TooFewSurvivors, match="got 1"):
        predictive_fit(broken[4:], recorded)


def test_structure_fit_takes_both_directions(rng):
    weights = rng.gamma(1, size=(8, 8))
    assert structure_fit(weights, upper(weights + weights.T)) == pytest.approx(1)
    assert structure_fit(weights, upper(weights)) < 0.99


def test_other_people_predict_a_person_as_far_as_they_are_alike(rng):
    group = rng.normal(size=2000)
    people = group + rng.normal(size=(7, 2000))
    single = cohort_fit(people)
    assert np.isnan(np.diag(single)).all()
    assert np.nanmean(single) == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(others_fit(people), np.sqrt(3 / 7), atol=0.04)
    expected = np.corrcoef(np.delete(people, 2, 0).mean(0), people[2])[0, 1]
    assert others_fit(people)[2] == pytest.approx(expected)
    with pytest.raises(DataError, match="2 people"):
        cohort_fit(people[:1])


def test_halves_tell_a_stationary_recording_from_a_transient(rng):
    stationary = rng.normal(size=(4001, 6)) @ rng.normal(size=(6, 6))
    assert halves_fit(stationary) > 0.95
    changing = stationary.copy()
    changing[2000:] = rng.normal(size=(2001, 6))
    assert halves_fit(changing) < 0.9
    with pytest.raises(DataError, match="4 frames"):
        halves_fit(stationary[:3])


@pytest.mark.parametrize(
    ("weights", "fractions", "error", "says"),
    [
        (np.zeros((3, 3)), [0.5], DataError, "all zero"),
        (np.ones((3, 2)), [0.5], DataError, "square"),
        (np.ones((3, 3)), [1.0], ConfigError, "stable"),
    ],
)
def test_linear_networks_that_do_not_exist_are_refused(weights, fractions, error, says):
    with pytest.raises(error, match=says):
        linear_network_fc(weights, np.array(fractions))
