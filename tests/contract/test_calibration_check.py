"""What is asked of calibration, of the recording beside the prior, and of what a study keeps of it:
exact posteriors pass, wrong ones do not, and too little says nothing.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from test_infer_tsnpe import OBSERVED, QUICK, learn, simulate

from hpcvbi.core.block import Status
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param, Space
from hpcvbi.evaluate.calibration_check import (
    CALIBRATION,
    Cases,
    calibration_check,
    calibration_words,
    pooled,
    unchecked,
)
from hpcvbi.evaluate.judge import EVALUATION
from hpcvbi.evaluate.recording_check import RECORDING, recording_check
from hpcvbi.infer import Draws, Rejection, Tsnpe, calibration

NAMES, NOISE = ("G", "sigma"), 0.15
SPACE = Space(tuple(Param(name, 0.5, prior=Uniform(0.0, 1.0)) for name in NAMES))


def posterior(x, n, rng):
    """Exact draws (case, n, param) given x = u + noise, u uniform."""
    low, high = (ndtr((end - x) / NOISE)[:, None] for end in (0.0, 1.0))
    return x[:, None] + NOISE * ndtri(low + (high - low) * rng.random((len(x), n, x.shape[1])))


def exact(count: int, left_out: int = 0, seed: int = 3) -> Cases:
    rng = np.random.default_rng(seed)
    truth = rng.random((count, 2))
    x = truth + NOISE * rng.standard_normal(truth.shape)
    kept = np.ones(count + left_out, bool)
    kept[:left_out] = False
    seen = np.array([0.4, 0.7])
    samples, there = posterior(x, 99, rng), posterior(seen[None], 500, rng)[0]
    points = np.concatenate([truth[:, None], samples], axis=1)
    density = -((points - x[:, None]) ** 2).sum(-1)
    return Cases(kept, truth, x, samples, density, seen, there)


def narrow(cases: Cases) -> Cases:
    middle = cases.samples.mean(1, keepdims=True)
    return replace(cases, samples=middle + 0.3 * (cases.samples - middle))


def test_an_exact_posterior_passes_and_what_is_left_out_is_counted() -> None:
    found = calibration_check(exact(120, left_out=5), 1)
    assert found.keys() == CALIBRATION.keys() <= EVALUATION.keys()
    assert found["calibrated"] == 1 and calibration_words(found, NAMES) == ""
    assert (found["calibration_cases"], found["calibration_left_out"]) == (120, 5)
    off = np.abs(found["coverage"] - [[0.5], [0.8], [0.9]])
    assert (off < found["coverage_tolerance"][:, None]).all()
    assert found["calibration_z"] == pytest.approx(0.8, abs=0.15)
    assert found["local_p"] > 0.05
    assert np.isnan(found["calibration_rank"][:5]).all()
    assert np.isfinite(found["calibration_rank"][5:]).all()
    assert np.isfinite(found["calibration_credibility"]).sum() == 120


def test_too_narrow_posteriors_are_named() -> None:
    found = calibration_check(narrow(exact(60)), 1)
    words = calibration_words(found, NAMES)
    assert found["calibrated"] == 0 and found["tarp_width"] < 0 and np.isnan(found["local_p"])
    assert "G (" in words and "sigma (" in words and "all parameters together (TARP p" in words
    assert words.count("too narrow: ") == 2
    assert (found["calibration_z"] > 1.2).all() and not found["sbc_inside"].any()


def test_one_wrong_parameter_of_two_is_named_alone() -> None:
    cases = exact(60)
    shifted = cases.samples + np.array([0.0, 0.2])
    words = calibration_words(calibration_check(replace(cases, samples=shifted), 1), NAMES)
    assert "sigma (on average too high: " in words and "G (" not in words


def test_from_a_hundred_cases_on_the_posterior_at_the_recording_is_tested() -> None:
    cases = exact(100)
    shift = np.array([0.0, 0.3])
    shifted = replace(cases, samples=cases.samples + shift, at_observed=cases.at_observed + shift)
    found = calibration_check(shifted, 1)
    assert found["local_p"] <= 0.0167
    assert "the posterior at the recording (L-C2ST p = 0.01)" in calibration_words(found, NAMES)
    nowhere = calibration_check(replace(shifted, at_observed=np.empty((0, 2))), 1)
    assert np.isnan(nowhere["local_p"]) and nowhere["calibrated"] == 0


def test_regions_of_highest_density_are_looked_at_where_there_are_densities() -> None:
    cases = exact(100)
    found = calibration_check(cases, 1)
    assert found["hpd_p"] > 0.05 and np.isfinite(found["calibration_hpd"]).all()
    # densities that favour what is far out: draws are exact, and regions hold the wrong share
    turned = calibration_check(replace(cases, log_density=-(cases.log_density**2)), 1)
    assert turned["hpd_p"] > 0.05  # another order of the same regions is as good
    truth, draws = cases.log_density[:, :1], cases.log_density[:, 1:]
    wrong = np.concatenate([truth - 2.0 * NOISE**2, draws], axis=1)
    found = calibration_check(replace(cases, log_density=wrong), 1)
    assert found["hpd_p"] < 1e-3 and found["hpd_width"] < 0 and found["calibrated"] == 0
    words = calibration_words(found, NAMES)
    assert words.startswith("the regions of highest density (coverage p ")
    for none in (np.empty((100, 0)), np.full((100, 100), np.nan)):
        found = calibration_check(replace(cases, log_density=none), 1)
        assert np.isnan(found["hpd_p"]) and np.isnan(found["calibration_hpd"]).all()
        assert found["calibrated"] == 1


def test_a_small_error_that_people_share_is_seen_in_all_their_cases_together() -> None:
    def checked(seed: int, shift: float) -> dict[str, np.ndarray]:
        cases = exact(90, seed=seed)
        return calibration_check(replace(cases, samples=cases.samples + np.array([0.0, shift])), 1)

    fine = [checked(seed, 0.0) for seed in range(8)]
    together = pooled([*fine, unchecked(30, 2)])
    assert together is not None and together["calibration_cases"] == 720
    assert together["calibrated"] == 1 and calibration_words(together, NAMES) == ""
    assert together["calibration_rank"].shape == (720, 2)
    every = np.array([numbers["coverage"] for numbers in fine])
    np.testing.assert_allclose(together["coverage"], every.mean(0))
    off = [checked(seed, 0.04) for seed in range(8)]
    together = pooled(off)
    assert together is not None and together["calibrated"] == 0
    assert together["sbc_p"][1] < min(numbers["sbc_p"][1] for numbers in off) / 10
    assert "sigma (on average too high: " in calibration_words(together, NAMES)
    assert pooled(fine[:1]) is None and pooled([unchecked(9, 2), fine[0]]) is None
    assert pooled([fine[0], {**fine[1], "calibration_draws": np.array(9)}]) is None


def test_a_handful_of_cases_says_nothing() -> None:
    found, nothing = calibration_check(exact(19), 1), unchecked(19, 2)
    assert found.keys() == nothing.keys() == CALIBRATION.keys()
    assert np.isnan(found["calibrated"]) and calibration_words(found, NAMES) == ""
    assert found["calibration_rank"].shape == (19, 2)
    assert unchecked(0, 2)["calibration_rank"].shape == (0, 2)


def test_the_recording_beside_the_prior_predictive() -> None:
    draws = np.random.default_rng(1).standard_normal((200, 3))
    draws[:, 2] = 4.0
    inside, words = recording_check(np.array([0.1, -0.2, 4.0]), draws, ("a", "b", "c"), 1)
    assert inside.keys() == RECORDING.keys() <= EVALUATION.keys() and words == ""
    assert inside["feature_constant"].tolist() == [0, 0, 1] and inside["mmd_p"] > 0.05
    far, words = recording_check(np.array([0.1, 9.0, 4.0]), draws, ("a", "b", "c"), 1)
    assert "beyond all 200 draws in b" in words and far["feature_beyond"].tolist() == [0, 1, 0]
    assert far["mmd_p"] <= 0.025
    draws[39:] = np.nan
    few, words = recording_check(np.array([0.1, 9.0, 4.0]), draws, ("a", "b", "c"), 1)
    assert all(np.isnan(value).all() for value in few.values()) and words == ""


@pytest.fixture(scope="module")
def learned():
    state, _ = learn(QUICK, rounds=2)
    return QUICK, QUICK.to_arrays(state), state


def test_truths_are_the_priors_for_one_round_and_the_regions_after_more(learned) -> None:
    algorithm, arrays, state = learned
    drawn = calibration.truths(algorithm, SPACE, 60, 5, arrays)
    assert drawn.shape == (60, 2) and len(np.unique(drawn, axis=0)) == 60
    assert algorithm.inside(state, drawn).all()
    np.testing.assert_array_equal(drawn, calibration.truths(algorithm, SPACE, 60, 5, arrays))
    first = algorithm.to_arrays(replace(state, round=1))
    of_prior = calibration.truths(algorithm, SPACE, 400, 5, first)
    assert not algorithm.inside(state, of_prior).all()
    assert of_prior.min(0).max() < 0.02 and of_prior.max(0).min() > 0.98


def test_posteriors_of_cases_stay_inside_the_region(learned) -> None:
    algorithm, arrays, state = learned
    theta = calibration.truths(algorithm, SPACE, 30, 5, arrays)
    x = simulate(theta, 7)
    status = np.full(30, Status.OK, np.uint8)
    status[3], x[4, 0] = Status.DIVERGED, np.nan
    found = calibration.cases(
        algorithm,
        SPACE,
        6,
        state=arrays,
        calibration={"theta": theta, "status": status, "features": x},
        observed={"features": OBSERVED},
    )
    kept = found["kept"]
    assert kept.sum() >= 26 and not kept[[3, 4]].any()
    np.testing.assert_array_equal(found["truth"], theta[kept])
    np.testing.assert_array_equal(found["x"], x[kept])
    assert found["samples"].shape == (kept.sum(), calibration.DRAWS, 2)
    assert algorithm.inside(state, found["samples"].reshape(-1, 2)).all()
    density = found["log_density"]
    assert density.shape == (kept.sum(), 1 + calibration.DRAWS)
    first = algorithm.log_density(state, found["truth"][:1], found["x"][0])
    assert density[0, 0] == pytest.approx(first[0], rel=1e-4)
    fifth = algorithm.log_density(state, found["samples"][5], found["x"][5])
    np.testing.assert_allclose(density[5, 1:], fifth, rtol=1e-4, atol=1e-4)
    assert algorithm.inside(state, found["at_observed"]).all()
    assert len(found["at_observed"]) == calibration.AT_RECORDING


def test_a_method_without_densities_gives_none() -> None:
    algorithm, rng = Rejection(draws=400), np.random.default_rng(8)
    theta = rng.random((400, 2))
    draws = Draws.of(theta, simulate(theta, 3))
    state, _ = algorithm.update(algorithm.init(2, OBSERVED), draws, 1)
    whole = np.full(400, Status.OK, np.uint8)
    round_ = {"theta": theta, "status": whole, "features": draws.x}
    found = calibration.cases(
        algorithm,
        SPACE,
        6,
        state=algorithm.to_arrays(state),
        calibration={name: array[:25] for name, array in round_.items()},
        observed={"features": OBSERVED},
        round_000=round_,
    )
    assert found["log_density"].shape == (25, 0)
    assert np.isnan(calibration_check(Cases(**found), 1)["hpd_p"])


def test_a_method_that_is_right_at_the_recording_alone_has_no_cases() -> None:
    class Local(Tsnpe):
        local = True

    assert calibration.has_cases(Tsnpe(rounds=2)) and calibration.has_cases(Local(rounds=1))
    assert not calibration.has_cases(Local(rounds=2))
