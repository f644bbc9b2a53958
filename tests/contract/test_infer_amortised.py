"""What a network for a cohort takes, refuses, stores and says of people unlike those it knows."""

from dataclasses import replace

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, StoreMismatch
from hpcvbi.infer import Draws, Nle, Npe, Tsnpe
from hpcvbi.infer.amortised import PEOPLE, Amortised, Beside, Member, condition
from hpcvbi.infer.people import People

NPE = Npe(hidden=8, transforms=1, max_epochs=8, stop_after=4)
COHORT = Amortised(NPE)
X = np.array([0.5, 0.4])


def simulate(u, c, seed):
    return u + 0.1 * c[0] + 0.1 * np.random.default_rng(seed).standard_normal(u.shape)


def person(seed, c, draws=80):
    u = COHORT.propose(2, draws, seed)
    c = np.array([c, 1.0])  # the second is the same for everybody
    return Member(Draws.of(u, simulate(u, c, seed)), c, X)


MEMBERS = [person(seed, c) for seed, c in enumerate([-1.0, 0.0, 1.0])]


@pytest.fixture(scope="module")
def learned():
    return COHORT.update(MEMBERS, seed=1)


def test_covariates_stand_behind_the_features_of_every_draw():
    x, c = np.arange(6.0).reshape(3, 2), np.array([7.0, 8.0])
    np.testing.assert_array_equal(condition(x, c), [[0, 1, 7, 8], [2, 3, 7, 8], [4, 5, 7, 8]])
    np.testing.assert_array_equal(condition(x[0], c), [0, 1, 7, 8])
    beside = Beside(x, c)
    assert beside.shape == (3, 4)
    np.testing.assert_array_equal(beside[1:3], condition(x, c)[1:3])


def test_each_person_has_other_draws_of_the_prior():
    one, other = COHORT.propose(2, 50, 1), COHORT.propose(2, 50, 2)
    assert one.shape == (50, 2) and (one != other).all()
    np.testing.assert_array_equal(one, COHORT.propose(2, 50, 1))


def test_the_same_people_and_seed_give_the_same_bits(learned):
    again, info = COHORT.update(MEMBERS, seed=1)
    arrays = COHORT.to_arrays(learned[0])
    for name, array in COHORT.to_arrays(again).items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    assert info.as_dict() == learned[1].as_dict()


def test_a_stored_state_gives_the_same_posterior(learned):
    state = COHORT.from_arrays(COHORT.to_arrays(learned[0]))
    c = np.array([0.3, 1.0])
    before = COHORT.posterior(learned[0], X, c, 50, seed=2)
    np.testing.assert_array_equal(COHORT.posterior(state, X, c, 50, seed=2), before)
    cases = COHORT.posterior(state, np.stack([X, X + 0.2]), c, 50, seed=2)
    assert cases.shape == (2, 50, 2) and ((cases > 0) & (cases < 1)).all()


@pytest.mark.parametrize(
    "people", [None, np.zeros(3), np.full((3, 2), np.nan), np.zeros((3, 2), int)],
    ids=["missing", "flat", "not finite", "integers"],
)  # fmt: skip
def test_a_damaged_state_is_refused(learned, people):
    arrays = COHORT.to_arrays(learned[0])
    del arrays[PEOPLE]
    with pytest.raises(StoreMismatch, match="covariates"):
        COHORT.from_arrays(arrays if people is None else {**arrays, PEOPLE: people})


def test_draws_that_do_not_fit_into_memory_teach_the_same(learned):
    class Read:
        def __init__(self, x):
            self.x, self.shape = x, x.shape

        def __getitem__(self, rows):
            return self.x[rows]

    stored = [replace(m, draws=replace(m.draws, x=Read(m.draws.x))) for m in MEMBERS]
    state, info = COHORT.update(stored, seed=1)
    assert info.rows == learned[1].rows == [80, 80, 80]
    np.testing.assert_allclose(state.network.center, learned[0].network.center, rtol=1e-12)
    assert COHORT.posterior(state, X, MEMBERS[0].covariates, 5, seed=2).shape == (5, 2)


def test_failed_draws_are_left_out_and_counted_for_each_person():
    x = MEMBERS[1].draws.x.copy()
    x[:30, 1] = np.nan
    lossy = replace(MEMBERS[1], draws=replace(MEMBERS[1].draws, x=x))
    _, info = COHORT.update([MEMBERS[0], lossy], seed=1)
    assert info.rows == [80, 50] and info.as_dict()["rows"] == 130


def test_draws_of_the_prior_from_elsewhere_are_welcome_and_later_rounds_are_not():
    first = MEMBERS[0]
    u, x = first.draws.u, first.draws.x
    _, info = COHORT.update([replace(first, draws=Draws.of(u, x, -1)), MEMBERS[1]], seed=1)
    assert info.rows == [80, 80]
    with pytest.raises(ConfigError, match="of the prior"):
        COHORT.update([replace(first, draws=Draws.of(u, x, 1)), MEMBERS[1]], seed=1)


def test_people_who_differ_in_kind_are_refused():
    other = replace(MEMBERS[1], covariates=np.zeros(3))
    with pytest.raises(ConfigError, match="same parameters, features and covariates"):
        COHORT.update([MEMBERS[0], other], seed=1)
    with pytest.raises(ConfigError, match="nobody"):
        COHORT.update([], seed=1)
    with pytest.raises(ConfigError, match="finite"):
        COHORT.update([replace(MEMBERS[0], covariates=np.array([np.nan, 1.0]))], seed=1)
    with pytest.raises(ConfigError, match="choose npe"):
        Amortised(Nle(rounds=1))
    with pytest.raises(ConfigError, match="components"):
        Amortised(NPE, components=0)
    with pytest.raises(ConfigError, match="write rounds: 1"):
        Amortised(Tsnpe())


def test_a_person_between_the_others_is_like_them_and_one_far_away_is_not(learned):
    state = learned[0]
    inside = COHORT.place(state, X, np.array([0.4, 1.0]))
    known = COHORT.place(state, X, MEMBERS[2].covariates)
    far = COHORT.place(state, X, np.array([9.0, 1.0]))
    other = COHORT.place(state, X, np.array([0.4, 2.0]))
    assert not inside.unlike and not inside.beyond.any() and inside.warning() == ""
    assert known.distance == 0.0 and known.p == 1.0
    assert far.unlike and far.beyond.tolist() == [True, False] and far.p == 0.25
    assert far.clipped.tolist() == [False, False, True, False]
    assert "0.25 of people like these" in far.warning()
    assert not far.differ.any() and other.differ.tolist() == [False, True]
    assert "1 of the person's covariates differ" in other.warning()
    assert other.unlike and other.beyond.tolist() == [False, True]
    with pytest.raises(ConfigError, match="2 covariates"):
        COHORT.place(state, X, np.zeros(3))


def test_p_of_people_like_the_others_keeps_its_promise():
    rng, p = np.random.default_rng(7), []
    for _ in range(500):
        crowd = rng.standard_t(2, (40, 3))  # heavy tails, which only ranks stand
        p.append(People.of(crowd[:-1], 2).distance(crowd[-1])[1])
    share = [np.mean(np.array(p) <= level) for level in (0.05, 0.25, 0.5)]
    # a binomial share of 500 with three standard deviations to spare, from above and from below
    assert (np.array(share) < [0.08, 0.31, 0.57]).all(), share
    assert (np.array(share) > [0.01, 0.15, 0.35]).all(), share


def test_the_network_is_told_the_directions_in_which_people_differ():
    rng = np.random.default_rng(3)
    hidden = rng.standard_normal((30, 2))
    covariates = np.hstack([hidden @ rng.standard_normal((2, 9)), np.full((30, 1), 7.0)])
    people = People.of(covariates, 2)
    told = np.array([people.told(c) for c in covariates])
    back = np.linalg.lstsq(told, hidden - hidden.mean(0), rcond=None)[0]
    np.testing.assert_allclose(told @ back, hidden - hidden.mean(0), atol=1e-9)
    one = covariates[0] + np.eye(10)[9]  # in what is the same for everybody
    np.testing.assert_array_equal(people.told(one), told[0])
    assert People.of(covariates, 50).axes.shape == (10, 10)
    assert People.of(covariates[:3], 50).axes.shape == (3, 10)


def test_no_rounding_is_told_where_there_are_fewer_people_than_components():
    rng = np.random.default_rng(4)
    covariates = rng.standard_normal((3, 18)) * 10 ** rng.uniform(-3, 3, 18)
    people = People.of(covariates, 4)  # three people differ in two directions
    told = np.array([people.told(c) for c in (*covariates, covariates[0] * 1.001)])
    assert (np.ptp(told[:3, :2], axis=0) > 0.1).all()
    np.testing.assert_array_equal(told[:, 2], 0.0)
    np.testing.assert_array_equal(People.of(covariates[:1], 4).axes, 0.0)
