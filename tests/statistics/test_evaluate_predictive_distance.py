"""Distances of recorded from predicted FC, FCD and power: known values, calibrated ranks."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from hpcvbi.core.errors import DataError, TooFewSurvivors
from hpcvbi.evaluate import (
    fc_correlation_check,
    fc_rmse_check,
    fcd_check,
    predictive_distances,
    psd_check,
)
from hpcvbi.evaluate.predictive_distance import DISTANCES
from hpcvbi.features.curves import FCD_VALUES

DRAWS = 39
CHECKS = {
    "fc_correlation": fc_correlation_check,
    "fc_rmse": fc_rmse_check,
    "fcd": fcd_check,
    "psd": psd_check,
}
PATTERN = np.random.default_rng(8).normal(size=60)


def made(rng, n):
    """Positive rows about one pattern, each with a level and a spread of its own."""
    level = 1 + 0.2 * rng.normal(size=(n, 1))
    return np.exp(0.3 * (level * PATTERN + rng.normal(size=(n, 60))))


@pytest.mark.parametrize("name", CHECKS)
def test_p_is_uniform_for_one_more_draw_and_small_for_a_foreign_recording(name):
    rng, p = np.random.default_rng(0), []
    for _ in range(150):
        pool = made(rng, DRAWS + 1)
        p.append(CHECKS[name](pool[0], pool[1:]).p_value)
    for alpha in (0.05, 0.25, 0.5, 0.8):
        error = np.sqrt(alpha * (1 - alpha) / 150)
        assert abs((np.array(p) <= alpha + 1e-9).mean() - alpha) < 3.3 * error
    draws = made(rng, DRAWS)
    foreign = CHECKS[name](5 * made(rng, 1)[0][::-1] ** 3, draws)
    assert foreign.p_value == pytest.approx(1 / (DRAWS + 1)) and not foreign.inside()
    assert foreign.distance > foreign.draw_distances.max()


def test_fc_distances_are_the_written_ones():
    rng = np.random.default_rng(1)
    recorded, draws = rng.normal(size=45), rng.normal(size=(30, 45))
    r = [np.corrcoef(recorded, draw)[0, 1] for draw in draws]
    assert fc_correlation_check(recorded, draws).distance == pytest.approx(1 - np.mean(r))
    rmse = np.sqrt(((recorded - draws) ** 2).mean(1))
    found = fc_rmse_check(recorded, draws)
    assert found.distance == pytest.approx(rmse.mean())
    others = np.vstack([recorded, draws[1:]])
    own = np.sqrt(((draws[0] - others) ** 2).mean(1)).mean()
    assert found.draw_distances[0] == pytest.approx(own)
    # A level that is shared by all pairs changes no correlation.
    scaled = fc_correlation_check(3 + 2 * recorded, draws)
    assert scaled.distance == pytest.approx(1 - np.mean(r))


def test_fcd_distance_is_that_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(2)
    recorded, draws = rng.beta(4, 2, 300), rng.beta(2, 2, (25, 200))
    below = [
        np.searchsorted(np.sort(values), FCD_VALUES, side="right") / len(values)
        for values in (recorded, *draws)
    ]
    found = fcd_check(below[0], np.array(below[1:]))
    exact = np.mean([ks_2samp(recorded, draw).statistic for draw in draws])
    # between two hundredths lie a few values only
    assert found.distance == pytest.approx(exact, abs=0.01)
    assert found.p_value == pytest.approx(1 / 26)


def test_log_spectral_distance_is_in_decibels():
    rng = np.random.default_rng(3)
    power = 1 / np.arange(1, 41)
    draws = np.tile(power, (20, 5, 1))
    assert psd_check(10 * draws[0], draws).distance == pytest.approx(10)
    draws = draws * np.exp(rng.normal(size=draws.shape))
    expected = np.sqrt(((10 * np.log10(draws / draws[0])) ** 2).mean((1, 2)))[1:].mean()
    with pytest.raises(TooFewSurvivors):
        psd_check(draws[0], draws[1:])
    draws = np.concatenate([draws, draws[1:]])
    assert psd_check(draws[0], draws[1:]).distance == pytest.approx(expected)


@pytest.mark.parametrize("name", CHECKS)
def test_broken_draws_are_left_out_and_broken_recordings_refused(name):
    rng = np.random.default_rng(4)
    recorded, draws = made(rng, 1)[0], made(rng, 30)
    sound = CHECKS[name](recorded, draws)
    broken = np.vstack([draws, np.full((2, 60), np.nan), np.full((1, 60), np.inf)])
    found = CHECKS[name](recorded, broken)
    assert (found.draws, found.left_out) == (30, 3) and found.distance == sound.distance
    with pytest.raises(DataError, match="not finite"):
        CHECKS[name](np.full(60, np.nan), draws)
    with pytest.raises(TooFewSurvivors, match="19 of 22"):
        CHECKS[name](recorded, broken[11:])


def test_constant_fc_zero_power_and_other_shapes():
    rng = np.random.default_rng(5)
    recorded, draws = made(rng, 1)[0], made(rng, 30)
    with pytest.raises(DataError, match="no spread"):
        fc_correlation_check(np.ones(60), draws)
    with pytest.raises(DataError, match="above zero"):
        psd_check(np.zeros(60), draws)
    draws[0] = 0.0
    assert psd_check(recorded, draws).left_out == 1
    assert fc_correlation_check(recorded, draws).left_out == 1
    for check in CHECKS.values():
        with pytest.raises(DataError, match="share"):
            check(recorded[:3], draws)


def test_all_distances_at_once_and_what_cannot_be_compared_is_said():
    rng = np.random.default_rng(6)
    recorded = {name: made(rng, 1)[0] for name in ("fc", "fcd", "psd")}
    draws = {name: made(rng, 30) for name in recorded}
    numbers, words = predictive_distances(recorded, draws)
    assert numbers.keys() == DISTANCES.keys() and words == ""
    assert numbers["psd_distance"] == psd_check(recorded["psd"], draws["psd"]).distance
    assert all(1 / 31 <= numbers[f"{name}_p"] <= 1 for name in CHECKS)
    recorded["fcd"][:] = np.nan
    recorded["psd"][10:] = np.nan  # outside a band-pass
    draws["fc"][15:] = np.nan
    numbers, words = predictive_distances(recorded, draws)
    assert np.isnan([numbers["fcd_p"], numbers["fc_correlation_p"]]).all()
    band = psd_check(recorded["psd"][:10], draws["psd"][:, :10])
    assert numbers["psd_p"] == band.p_value
    assert words == (
        "FC is not compared: only 15 draws have one, 20 are needed; "
        "FCD is not compared: the recording is too short for one"
    )
