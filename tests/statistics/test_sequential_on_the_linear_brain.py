"""Methods that aim at one recording, on a linear whole-brain model: learned anew for each case,
they are held against its posterior, and against the truths of all cases together.

    sum over cases of (u - mean)' C^-1 (u - mean) ~ chi2(2 cases)     for Gaussian posteriors

That sum tells a posterior too narrow by 0.6 with a probability of 0.95 in 20 cases, 0.46 in 6;
means and widths beside the exact ones tell it in any.

Truncated proposals leave a posterior that is right wherever the prior was not cut: there one
learning answers many cases.
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from linear_cases import (
    LEVELS,
    SHORT_BRAIN,
    answered_one_by_one,
    beyond,
    compared,
    narrowed,
    prior_cases,
)
from tasks.linear_posterior import given_features_of_many

from hpcvbi.core.block import Status
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param, Space
from hpcvbi.evaluate import coverage, rank_bands, sbc_ranks
from hpcvbi.infer import Apt, Tsnpe, calibration, learn

CHANCE = 1e-3
NARROW = 0.6
FAST = {"draws": 300, "batch": 100, "learning_rate": 4e-3, "hidden": 32, "transforms": 3}
METHODS = {"tsnpe": Tsnpe(**FAST), "apt": Apt(**FAST)}
SPACE = Space(tuple(Param(name, 0.5, prior=Uniform(0.0, 1.0)) for name in ("g", "sigma")))
NEAR = (
    pytest.param(4, id="4"),
    pytest.param(20, id="20", marks=pytest.mark.battery),
)


@cache
def answers(name, n):
    known = prior_cases(SHORT_BRAIN, 20, seed=8).some(slice(n))
    parts = answered_one_by_one(METHODS[name], known, seed=1)
    return np.concatenate([drawn for drawn, _ in parts]), known


def near(drawn, known):
    """Whether means and widths are near the exact ones: 600 draws in all."""
    found = compared(drawn, known)
    error, width = np.sqrt((found.error**2).mean(0)), np.exp(np.log(found.width).mean(0))
    return (error < 0.6).all() and (width > 0.8).all() and (width < 1.25).all()


@pytest.mark.parametrize("n", NEAR)
@pytest.mark.parametrize("name", METHODS)
def test_posteriors_are_near_the_exact_ones_of_their_recordings(name, n):
    drawn, known = answers(name, n)
    found = compared(drawn, known)
    assert near(drawn, known), (found.error.round(2), found.width.round(2))
    assert not near(narrowed(drawn, NARROW), known)
    assert beyond(drawn, known) > CHANCE


@pytest.mark.battery
@pytest.mark.parametrize("name", METHODS)
def test_truths_are_no_farther_than_the_posteriors_say(name):
    drawn, known = answers(name, 20)
    assert beyond(drawn, known) > CHANCE
    assert beyond(narrowed(drawn, NARROW), known) < CHANCE


@pytest.fixture(scope="module")
def in_the_region():
    """Cases of the region of two truncated rounds: truths (case, param), draws, exact draws."""
    known = prior_cases(SHORT_BRAIN, 1, seed=9)
    tsnpe = Tsnpe(**{**FAST, "draws": 1000})
    learned = learn(tsnpe, known.simulate, 2, known.x[0], seed=1)
    state = tsnpe.to_arrays(learned.state)
    u = calibration.truths(tsnpe, SPACE, 120, 2, state)
    made = {"theta": u, "features": known.simulate(u, 3), "status": np.full(120, Status.OK)}
    observed = {"features": known.x[0]}
    found = calibration.cases(tsnpe, SPACE, 4, state=state, calibration=made, observed=observed)
    return tsnpe, learned.state, found


def calibrated(drawn, truth):
    """Whether no look at the ranks of the truths finds anything."""
    bands = rank_bands(sbc_ranks(drawn, truth), drawn.shape[1])
    low, high = binom.interval(1 - CHANCE, len(truth), LEVELS)
    held = coverage(drawn, truth, LEVELS) * len(truth)
    within = (held >= low[:, None]) & (held <= high[:, None])
    return (bands.p_value > CHANCE).all() and within.all()


def test_a_truncated_posterior_is_calibrated_in_its_region(in_the_region):
    _, _, found = in_the_region
    assert found["kept"].sum() > 110
    assert calibrated(found["samples"], found["truth"])
    assert not calibrated(narrowed(found["samples"], NARROW), found["truth"])


def test_a_truncated_posterior_is_near_the_exact_one_cut_to_its_region(in_the_region):
    tsnpe, state, found = in_the_region
    exact = given_features_of_many(SHORT_BRAIN, found["x"])
    inside = tsnpe.inside(state, exact[0].points)
    mass = np.array([grid.mass * inside for grid in exact])
    mass /= mass.sum(axis=1, keepdims=True)
    points = exact[0].points
    mean = mass @ points
    sd = np.sqrt(mass @ points**2 - mean**2)
    error = (found["samples"].mean(1) - mean) / sd
    width = found["samples"].std(1) / sd
    assert (np.median(np.abs(error), axis=0) < 0.4).all()
    assert np.median(width, axis=0) == pytest.approx(1, abs=0.2)
