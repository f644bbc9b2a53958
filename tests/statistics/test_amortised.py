"""A network for a cohort against exact posteriors of people whom it has not seen."""

import numpy as np
import pytest
from made_up_cohort import member, off_by, people, simulate

from hpcvbi.infer import Npe
from hpcvbi.infer.amortised import Amortised, Member

PEOPLE, DRAWS, UNSEEN, CASES = 120, 50, 30, 300
NPE = Npe(batch=150, learning_rate=4e-3, stop_after=12)
COHORT = Amortised(NPE)


@pytest.fixture(scope="module")
def members():
    rng = np.random.default_rng(1)
    return [member(NPE, c, DRAWS, rng) for c in people(rng, PEOPLE)]


@pytest.fixture(scope="module")
def told(members):
    return COHORT.update(members, seed=3)[0]


@pytest.fixture(scope="module")
def unseen():
    rng = np.random.default_rng(2)
    return [(simulate(rng.random((1, 2)), c, rng)[0], c) for c in people(rng, UNSEEN)]


def errors(state, unseen, say):
    """Root mean squares over people of what `off_by` says."""
    drawn = [COHORT.posterior(state, x, say(c), 1000, seed=4) for x, c in unseen]
    found = [off_by(u, x, c) for u, (x, c) in zip(drawn, unseen, strict=True)]
    return np.sqrt(np.square(found).mean(axis=0))


def test_posteriors_of_unseen_people_come_near_the_exact_ones(told, unseen):
    shift, width = errors(told, unseen, lambda c: c)
    assert shift < 0.45 and width < 0.2, (shift, width)


def test_without_covariates_they_do_not(members, told, unseen):
    blind, _ = COHORT.update([Member(one.draws, np.zeros(2)) for one in members], seed=3)
    without = errors(blind, unseen, np.zeros_like)
    assert (without > 1.8 * errors(told, unseen, lambda c: c)).all(), without


def test_intervals_of_unseen_people_hold_the_truth_as_often_as_they_say(told):
    rng, held = np.random.default_rng(5), []
    for seed, c in enumerate(people(rng, CASES)):
        u = rng.random((1, 2))
        drawn = COHORT.posterior(told, simulate(u, c, rng)[0], c, 200, seed)
        inner = drawn.mean(0) + 0.7 * (drawn - drawn.mean(0))
        held.append([_holds(some, u[0], share) for some in (drawn, inner) for share in (0.5, 0.9)])
    half, most, narrow_half, narrow_most = np.mean(held, axis=(0, 2))
    # so few draws make a flow a little too sure, of people it knows as of others
    assert 0.4 < half < 0.56 and 0.82 < most < 0.94, (half, most)
    assert narrow_half < 0.38 and narrow_most < 0.78, (narrow_half, narrow_most)


def _holds(drawn, u, share):
    low, high = np.quantile(drawn, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return (low < u) & (u < high)
