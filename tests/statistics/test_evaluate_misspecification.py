"""MMD and out-of-distribution: calibrated under the null, loud where a recording is foreign."""

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, DataError, TooFewSurvivors
from hpcvbi.evaluate import mmd_check, out_of_distribution, recording_warning
from hpcvbi.evaluate.reference import beside

FEATURES = 6
NAMES = [f"f{i}" for i in range(FEATURES)]
MIXING = np.random.default_rng(9).normal(size=(FEATURES, FEATURES))


def simulated(rng, n):
    """Skewed, heavy-tailed features that go together, of unlike scales."""
    return np.exp(0.5 * rng.normal(size=(n, FEATURES)) @ MIXING) * 10.0 ** np.arange(FEATURES)


@pytest.mark.parametrize("recordings", [1, 3])
def test_p_values_are_uniform_when_the_model_made_the_recordings(recordings):
    rng = np.random.default_rng(recordings)
    p = []
    for seed in range(150):
        made = simulated(rng, recordings)
        draws = simulated(rng, 200)
        p.append([mmd_check(made, draws, seed, groups=99).p_value])
        if recordings == 1:
            found = out_of_distribution(made[0], draws, seed)
            p[-1] += [found.mahalanobis_p, found.neighbour_p]
    p = np.array(p)
    for alpha in (0.05, 0.2, 0.5, 0.8):
        error = np.sqrt(alpha * (1 - alpha) / 150)
        assert (np.abs((p <= alpha).mean(0) - alpha) < 3.3 * error + 0.01).all()


def test_foreign_recordings_are_found():
    rng = np.random.default_rng(3)
    draws = simulated(rng, 1000)
    shifted = simulated(rng, 1)[0] * 300
    assert mmd_check(shifted, draws, 0).p_value < 0.01
    assert not mmd_check(shifted, draws, 0).possible()
    found = out_of_distribution(shifted, draws, 0)
    assert found.unlike() and found.outside.any()
    # Several recordings show a shift that each alone does not.
    normal = rng.normal(size=(1000, 3))
    several = rng.normal(size=(12, 3)) + 1.0
    assert mmd_check(several, normal, 0).p_value <= 0.01
    assert np.median([mmd_check(one, normal, 0).p_value for one in several]) > 0.05


def test_mmd_of_many_recordings_is_the_known_one():
    # E k of N(0, s^2) pairs: 1 / sqrt(1 + s^2 / h^2), s^2 the variance of the difference.
    rng = np.random.default_rng(4)
    draws, shifted = rng.normal(size=(4000, 1)), rng.normal(size=(150, 1)) + 1.5
    found = mmd_check(shifted, draws, 0, groups=19)
    h2 = found.bandwidth**2
    even = 1 / np.sqrt(1 + 2 / h2)
    squared = 2 * even * (1 - np.exp(-(1.5**2) / (2 * (h2 + 2))))
    assert found.bandwidth == pytest.approx(0.954, abs=0.05)
    assert found.mmd == pytest.approx(np.sqrt(squared), abs=0.06)


def test_a_hole_in_the_middle_is_seen_by_neighbours_only():
    rng = np.random.default_rng(5)
    angle = 2 * np.pi * rng.random(2000)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.02 * rng.normal(size=(2000, 2))
    found = out_of_distribution(np.zeros(2), ring, 0)
    assert found.mahalanobis_p > 0.9 and found.neighbour_p < 0.005 and found.unlike()
    said = recording_warning(found, ["a", "b"])
    assert "in a combination of features" in said and "extrapolation" in said


def test_the_warning_names_features_and_is_silent_for_a_typical_recording():
    rng = np.random.default_rng(6)
    draws = rng.normal(size=(2000, FEATURES))
    assert recording_warning(out_of_distribution(np.zeros(FEATURES), draws, 0), NAMES) == ""
    foreign = np.zeros(FEATURES)
    foreign[4] = 30
    found = out_of_distribution(foreign, draws, 0)
    assert "beyond all 2000 draws in f4;" in recording_warning(found, NAMES)
    assert found.position[4] == 1 and found.position[0] == pytest.approx(0.5, abs=0.05)


def test_failed_draws_and_constant_features_do_no_harm():
    rng = np.random.default_rng(7)
    draws = rng.normal(size=(300, 3))
    draws[:50, 0], draws[50, 1] = np.nan, np.inf
    draws[:, 2] = 0.1 + 0.2
    shared, other = np.array([0.0, 0.0, 0.3]), np.array([0.0, 0.0, 0.31])
    inside = out_of_distribution(shared, draws, 0)
    assert inside.left_out == 51 and inside.draws == 249 and not inside.unlike()
    np.testing.assert_array_equal(inside.flat, [False, False, True])
    assert not inside.outside.any() and inside.position[2] == 0.5
    assert mmd_check(shared, draws, 0).possible()
    beyond = out_of_distribution(other, draws, 0)
    np.testing.assert_array_equal(beyond.outside, [False, False, True])
    assert "f2" in recording_warning(beyond, NAMES[:3])
    assert beyond.mahalanobis_p < 0.01 and mmd_check(other, draws, 0).p_value < 0.01
    constant = np.full((100, 3), 2.0)
    assert mmd_check(constant[0], constant, 0).p_value == 1
    assert not out_of_distribution(constant[0], constant, 0).unlike()


def test_memory_is_bounded_and_the_seed_decides():
    rng = np.random.default_rng(8)
    parts = beside(np.zeros(2), rng.normal(size=(30000, 2)), 0)
    assert len(parts.reference) == len(parts.held) == 2000
    draws = rng.normal(size=(200, 2))
    first, again, other = (mmd_check(np.ones(2), draws, seed) for seed in (0, 0, 1))
    assert first.mmd == again.mmd != other.mmd
    np.testing.assert_array_equal(first.null, again.null)


def test_what_cannot_be_checked_is_refused():
    draws = np.random.default_rng(0).normal(size=(100, 2))
    with pytest.raises(DataError, match=r"features \[1\]"):
        mmd_check(np.array([0, np.nan]), draws, 0)
    with pytest.raises(DataError, match="share"):
        mmd_check(np.zeros(3), draws, 0)
    with pytest.raises(DataError, match="one recording"):
        out_of_distribution(np.zeros((2, 2)), draws, 0)
    with pytest.raises(TooFewSurvivors, match="39 of 39"):
        out_of_distribution(np.zeros(2), draws[:39], 0)
    with pytest.raises(TooFewSurvivors, match="200 finite draws"):
        mmd_check(np.zeros((10, 2)), draws, 0)
    with pytest.raises(ConfigError, match="19 at least"):
        mmd_check(np.zeros(2), draws, 0, groups=9)
