"""The checks themselves are calibrated: on problems whose answer is known exactly.

Seeds are fixed; thresholds are stated quantiles of the statistic, so a failure is a defect.
"""

import numpy as np
import pytest
from scipy.special import chdtrc

from hpcvbi.evaluate import (
    coverage,
    coverage_tolerance,
    feature_check,
    joint_check,
    recovery_z,
    sbc_ranks,
    shrinkage,
    uniformity,
)

DRAWS, FEATURES, CASES = 64, 11, 195


def gaussian(rng, mixing, n):
    return rng.normal(size=(n, FEATURES)) @ mixing


def skewed(rng, mixing, n):
    return np.exp(gaussian(rng, mixing, n) / 2)


@pytest.mark.parametrize("family", [gaussian, skewed])
def test_joint_p_value_is_uniform_when_the_recording_is_one_of_the_draws(family):
    rng = np.random.default_rng(1)
    # One strong common factor, as in FC summaries, over features of very unlike scales.
    mixing = 0.3 * rng.normal(size=(FEATURES, FEATURES)) + rng.normal(size=FEATURES)
    p = []
    for _ in range(CASES):
        pool = family(rng, mixing, DRAWS + 1)
        p.append(joint_check(pool[0], pool[1:]).p_value)
    steps = np.rint(np.array(p) * (DRAWS + 1)).astype(int)
    assert steps.min() >= 1 and steps.max() <= DRAWS + 1
    # 65 possible values in 13 bins of 5: chi-square with 12 degrees of freedom, 15 cases a bin.
    counts = np.bincount((steps - 1) // 5, minlength=13)
    statistic = ((counts - CASES / 13) ** 2 / (CASES / 13)).sum()
    assert chdtrc(12, statistic) > 0.001
    # Rejections at .05: 3 of 65 values.
    rate = 3 / 65
    assert abs((np.array(p) <= 0.05).mean() - rate) < 3.3 * np.sqrt(rate * (1 - rate) / CASES)


def test_joint_check_rejects_what_the_model_does_not_make():
    rng = np.random.default_rng(2)
    mixing = 0.3 * rng.normal(size=(FEATURES, FEATURES)) + rng.normal(size=FEATURES)
    # Recordings with the spread of every single feature, but not with what ties them together.
    spread = np.sqrt((mixing**2).sum(0))
    p = [
        joint_check(spread * rng.normal(size=FEATURES), gaussian(rng, mixing, DRAWS)).p_value
        for _ in range(40)
    ]
    assert np.mean(np.array(p) <= 0.05) > 0.9


def test_features_fall_outside_as_often_as_stated():
    rng = np.random.default_rng(3)
    for level, draws in ((0.99, DRAWS), (0.9, 199)):
        outside = []
        for _ in range(300):
            check = feature_check(rng.normal(size=20), rng.normal(size=(draws, 20)), level)
            outside.append(1 - check.inside.mean())
        stated = check.chance_outside
        assert np.mean(outside) == pytest.approx(stated, abs=4 * np.sqrt(stated / 6000))


def test_recordings_of_the_model_are_called_outside_no_more_often_than_chance_allows():
    rng, outside = np.random.default_rng(5), 0
    for _ in range(200):
        pool = rng.standard_normal((65, 15))
        found = feature_check(pool[0], pool[1:])
        outside += not (found.by_chance and joint_check(pool[0], pool[1:]).inside())
    # one feature of 15 lies outside 64 draws in a third of the cases
    assert outside <= 200 * 0.07 + 3 * np.sqrt(200 * 0.07 * 0.93)


@pytest.fixture(scope="module")
def conjugate():
    """Theta ~ N(0, 1), x | theta ~ N(theta, s^2): posterior N(k x, 1 - k), k = 1 / (1 + s^2)."""
    rng = np.random.default_rng(4)
    s = np.array([0.5, 2.0])
    k = 1 / (1 + s**2)
    truth = rng.normal(size=(1000, 2))
    x = truth + s * rng.normal(size=truth.shape)
    noise = rng.normal(size=(1000, 99, 2))
    return (
        truth,
        (k * x)[:, None] + np.sqrt(1 - k) * noise,
        k,
        np.sqrt(1 - k),
        (k * x)[:, None],
        noise,
    )


def test_ranks_of_exact_posteriors_are_uniform(conjugate):
    truth, samples, *_ = conjugate
    test = uniformity(sbc_ranks(samples, truth), draws=99, bins=20)
    assert (test.statistic < 36.19).all()
    assert (test.p_value > 0.01).all()


@pytest.mark.parametrize("error", ["narrow", "wide", "shifted"])
def test_ranks_of_wrong_posteriors_are_not(conjugate, error):
    truth, _, _, sd, mean, noise = conjugate
    wrong = {
        "narrow": mean + 0.7 * sd * noise,
        "wide": mean + 1.5 * sd * noise,
        "shifted": mean + 0.4 * sd + sd * noise,
    }[error]
    assert (uniformity(sbc_ranks(wrong, truth), draws=99).p_value < 1e-6).all()


def test_coverage_of_exact_posteriors_is_the_level(conjugate):
    truth, samples, *_ = conjugate
    levels = np.array([0.5, 0.8, 0.9])
    off = np.abs(coverage(samples, truth, levels) - levels[:, None])
    assert (off < coverage_tolerance(levels, len(truth))[:, None]).all()


def test_shrinkage_and_z_of_exact_posteriors(conjugate):
    truth, samples, k, *_ = conjugate
    np.testing.assert_allclose(shrinkage(samples, 1.0).mean(0), k, atol=0.01)
    z = recovery_z(samples, truth)
    # The mean and sd of 99 draws widen z by (1 + 1/99) and Student's factor: 1.02 instead of 1.
    np.testing.assert_allclose(z.mean(0), 0, atol=3.3 / np.sqrt(1000))
    np.testing.assert_allclose(z.std(0), 1.02, atol=3.3 / np.sqrt(2000))
