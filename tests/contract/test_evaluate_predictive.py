"""The predictive check: what it catches, what it says, what it refuses."""

import numpy as np
import pytest

from hpcvbi.core.errors import DataError, TooFewSurvivors
from hpcvbi.evaluate import feature_check, joint_check, verdict
from hpcvbi.evaluate.predictive import mahalanobis, shrunk_covariance

DRAWS, FEATURES = 64, 11
NAMES = [f"f{i}" for i in range(FEATURES)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def draws(rng):
    common = rng.normal(size=(DRAWS, 1))
    return 0.3 + 0.1 * (common + 0.3 * rng.normal(size=(DRAWS, FEATURES)))


def test_a_combination_the_model_never_makes_is_outside_though_each_feature_is_inside(draws):
    # Every feature moves with the others; here half of them go up and half go down, modestly.
    sign = np.where(np.arange(FEATURES) % 2, 1, -1)
    recorded = draws.mean(0) + sign * draws.std(0)
    single, joint = feature_check(recorded, draws), joint_check(recorded, draws)
    assert single.inside.all()
    assert joint.p_value == pytest.approx(1 / (DRAWS + 1)) and not joint.inside()
    assert joint.distance > joint.draw_distances.max()
    text = verdict(single, joint, NAMES)
    assert text.startswith("OUTSIDE") and "0 of 64 draws" in text and "0 of 11 features" in text


def test_a_typical_recording_is_inside_and_called_so(draws):
    single, joint = feature_check(draws[0], draws[1:]), joint_check(draws[0], draws[1:])
    assert joint.inside()
    text = verdict(single, joint, NAMES)
    assert text.startswith("inside: all features together") and "chance alone makes it 0.3" in text


def test_a_single_feature_far_out_is_named(draws):
    recorded = draws.mean(0)
    recorded[4] += 10 * draws[:, 4].std()
    single, joint = feature_check(recorded, draws), joint_check(recorded, draws)
    np.testing.assert_array_equal(np.flatnonzero(~single.inside), [4])
    assert single.rank[4] == 1.0
    assert "(f4)" in verdict(single, joint, NAMES)


def test_many_features_out_with_a_joint_distance_inside_is_said_with_reserve(draws):
    single = feature_check(draws[0], draws[1:])
    some_out = type(single)(**{**vars(single), "inside": np.arange(FEATURES) > 3})
    text = verdict(some_out, joint_check(draws[0], draws[1:]), NAMES)
    assert text.startswith("inside, with reserve") and "4 of 11" in text


def test_scale_and_order_do_not_matter(draws, rng):
    recorded = draws.mean(0) + 0.1 * rng.normal(size=FEATURES)
    scale = 10.0 ** np.arange(FEATURES)
    joint = joint_check(recorded, draws)
    scaled = joint_check(recorded * scale, draws[::-1] * scale)
    assert scaled.distance == pytest.approx(joint.distance, rel=1e-9)
    assert scaled.p_value == joint.p_value


def test_draws_that_are_not_finite_are_left_out_and_counted(draws):
    recorded = draws.mean(0)
    broken = draws.copy()
    broken[5, 2] = np.nan
    joint = joint_check(recorded, broken)
    assert (joint.draws, joint.left_out) == (DRAWS - 1, 1)
    assert joint.distance == joint_check(recorded, np.delete(draws, 5, 0)).distance


def test_more_features_than_draws_and_repeated_features_still_work(rng):
    wide = rng.normal(size=(30, 50))
    assert joint_check(rng.normal(size=50), wide).inside()
    assert not joint_check(np.full(50, 5.0), wide).inside()
    twice = np.repeat(rng.normal(size=(30, 1)), 2, axis=1)
    assert np.isfinite(joint_check(np.zeros(2), twice).distance)


def test_a_feature_without_spread_is_no_division_by_zero(draws):
    draws[:, 3] = 0.5
    shared, other = draws.mean(0), draws.mean(0) + 0.2 * (np.arange(FEATURES) == 3)
    assert joint_check(shared, draws).inside()
    assert joint_check(other, draws).distance == np.inf
    assert joint_check(other, draws).p_value == pytest.approx(1 / (DRAWS + 1))
    assert mahalanobis(np.zeros(2), np.zeros((20, 2))) == 0.0


def test_too_few_draws_and_a_broken_recording_are_refused(draws):
    with pytest.raises(TooFewSurvivors, match="19 of 19"):
        joint_check(draws[0], draws[:19])
    with pytest.raises(DataError, match="not finite"):
        joint_check(np.full(FEATURES, np.nan), draws)
    with pytest.raises(DataError, match="share"):
        feature_check(draws[0, :3], draws)


def test_shrinkage_is_the_published_formula(rng):
    z = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5))
    z -= z.mean(0)
    s = z.T @ z / 40
    m = np.trace(s) / 5
    d2 = ((s - m * np.eye(5)) ** 2).sum()
    b2 = min(sum(((np.outer(x, x) - s) ** 2).sum() for x in z) / 40**2, d2)
    np.testing.assert_allclose(
        shrunk_covariance(z), b2 / d2 * m * np.eye(5) + (d2 - b2) / d2 * s, rtol=1e-12
    )
