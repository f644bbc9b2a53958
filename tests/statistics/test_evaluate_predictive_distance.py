"""Distances of recorded from predicted FC, FCD and power: known values, calibrated ranks."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from hpcvbi.core.errors import DataError, TooFewSurvivors
from hpcvbi.evaluate import fc_correlation_check, fc_rmse_check, fcd_check, psd_check

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


def test_fcd_distance_is_that_of_kolmogorov_and_smirnov_for_any_lengths():
    rng = np.random.default_rng(2)
    recorded = rng.beta(4, 2, 300)
    draws = [rng.beta(2, 2, 200 + i) for i in range(25)]
    found = fcd_check(recorded, draws)
    exact = np.mean([ks_2samp(recorded, draw).statistic for draw in draws])
    assert found.distance == pytest.approx(exact, abs=0.006)
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
    for check in (fc_correlation_check, fc_rmse_check, psd_check):
        with pytest.raises(DataError, match="share"):
            check(recorded[:3], draws)
    with pytest.raises(DataError, match="FCD values"):
        fcd_check(recorded, [*draws, np.zeros(0)])
