"""What every ABC method keeps to: the same bits for the same seed, states that come back bit for
bit or are refused, and clear words where there is nothing to learn from.
"""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import environment
from threadpoolctl import threadpool_limits

from hpcvbi.core.errors import ConfigError, StoreMismatch, TooFewSurvivors
from hpcvbi.infer import ALGORITHMS, AbcSmc, Draws, Knn, Regression, Rejection, abc_smc, learn
from hpcvbi.infer.metric import Measure
from hpcvbi.infer.proposal import Perturbation

MATRIX = np.array([[1.0, 0.4], [-0.5, 1.0], [0.3, -0.8]])
OBSERVED = MATRIX @ np.array([0.4, 0.6])
METHODS = {
    "rejection": Rejection(draws=300),
    "regression": Regression(draws=300),
    "knn": Knn(draws=300),
    "abc_smc": AbcSmc(rounds=4, draws=120),
    "abc_smc local": AbcSmc(rounds=3, draws=80, transition="local", statistics="linear"),
    "abc_smc network": AbcSmc(rounds=3, draws=120, statistics="network"),
    "abc_smc info": AbcSmc(rounds=3, draws=120, distance="info_weighted", adjust=True),
}
each_method = pytest.mark.parametrize("algorithm", METHODS.values(), ids=METHODS)


def simulate(u, seed):
    rng = np.random.default_rng(seed)
    x = u @ MATRIX.T + 0.2 * rng.standard_normal((len(u), 3))
    x[rng.random(len(u)) < 0.1, 1] = np.nan
    return x


def test_they_are_known_by_name():
    for name, kind in (("rejection", Rejection), ("regression", Regression), ("knn", Knn)):
        assert ALGORITHMS[name] is kind
    assert ALGORITHMS["abc_smc"] is AbcSmc


@each_method
def test_the_same_seed_gives_the_same_bits_and_leaves_numpys_generator_alone(algorithm):
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    a, b, c = (learn(algorithm, simulate, 2, OBSERVED, seed) for seed in (5, 5, 6))
    assert np.random.get_state()[1].tolist() == before
    np.random.seed(2)
    for name, array in algorithm.to_arrays(a.state).items():
        np.testing.assert_array_equal(array, algorithm.to_arrays(b.state)[name])
    np.testing.assert_array_equal(a.draws.u, b.draws.u)
    assert not np.array_equal(a.draws.u, c.draws.u)
    drawn = a.posterior(OBSERVED, 50, seed=3)
    np.testing.assert_array_equal(drawn, b.posterior(OBSERVED, 50, seed=3))
    assert drawn.shape == (50, 2) and ((drawn >= 0) & (drawn <= 1)).all()
    assert a.infos == b.infos
    json.dumps(a.infos, allow_nan=False)
    assert all(info["rows"] > 0 and info["masked"] > 0 for info in a.infos)


@pytest.mark.parametrize("name", ["regression", "abc_smc adjust", "metric network"])
def test_bits_do_not_depend_on_the_threads_of_the_callers_blas(name):
    rng = np.random.default_rng(0)
    u = rng.random((8000, 5))
    x = u @ rng.standard_normal((5, 30)) + 0.2 * rng.standard_normal((8000, 30))
    draws, found = Draws.of(u, x), []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            if name == "metric network":
                measure, every = Measure("p_norm", "network", 2.0), np.ones(1500, bool)
                scaling = measure.scaling(x)
                found.append(measure.fit(*scaling, u[:1500], x[:1500], every, x[0], 1).projection)
                continue
            smc = AbcSmc(rounds=1, draws=len(u), adjust=True)
            algorithm = Regression(draws=len(u), quantile=0.5) if name == "regression" else smc
            state, _ = algorithm.update(algorithm.init(5, x[0]), draws, 1)
            found.append(algorithm.posterior(state, x[0], 500, 1, draws))
    np.testing.assert_array_equal(*found)


@each_method
def test_a_state_comes_back_bit_for_bit_and_goes_on_the_same(algorithm):
    algorithm = replace(algorithm, rounds=algorithm.rounds + 1)
    state, parts = algorithm.init(2, OBSERVED), []
    while not algorithm.done(state):
        back = algorithm.from_arrays(algorithm.to_arrays(state))
        u = algorithm.propose(state, algorithm.draws, 7)
        np.testing.assert_array_equal(u, algorithm.propose(back, algorithm.draws, 7))
        parts.append(Draws.of(u, simulate(u, len(parts)), len(parts)))
        state = algorithm.update(state, Draws.join(parts), 8)[0]
        again = algorithm.update(back, Draws.join(parts), 8)[0]
        for name, array in algorithm.to_arrays(state).items():
            assert array.tobytes() == algorithm.to_arrays(again)[name].tobytes(), name
    draws, back = Draws.join(parts), algorithm.from_arrays(algorithm.to_arrays(state))
    found = [algorithm.posterior(s, OBSERVED, 30, 1, draws) for s in (state, back)]
    np.testing.assert_array_equal(*found)


def damaged(arrays):
    """Yield one state per way to be wrong."""
    for name, array in arrays.items():
        yield name, {key: value for key, value in arrays.items() if key != name}
        yield name, {**arrays, name: np.array("text")}
        yield name, {**arrays, name: np.stack([array, array])}
        if array.dtype.kind == "f" and array.size:
            broken = array.copy()
            broken.flat[0] = np.nan
            yield name, {**arrays, name: broken}
        if array.ndim and array.size:
            yield name, {**arrays, name: array[:-1]}


@each_method
def test_a_damaged_state_is_refused(algorithm):
    arrays = algorithm.to_arrays(learn(algorithm, simulate, 2, OBSERVED, 1).state)
    for _name, wrong in damaged(arrays):
        with pytest.raises(StoreMismatch, match="cannot be used"):
            algorithm.from_arrays(wrong)


def test_a_population_that_does_not_add_up_is_refused():
    algorithm = AbcSmc(rounds=3, draws=120)
    arrays = algorithm.to_arrays(learn(algorithm, simulate, 2, OBSERVED, 1).state)
    for name, value in (
        ("accepted", arrays["accepted"] + 1),
        ("particle_generation", arrays["particle_generation"] + 1),
        ("particle_u", arrays["particle_u"] + 1.0),
        ("inside", arrays["inside"] * 0.0),
        ("n_params", np.array(3)),
        ("since", np.array(-1)),
        ("weights", np.ones(3, np.int64)),
    ):
        with pytest.raises(StoreMismatch, match="cannot be used"):
            algorithm.from_arrays({**arrays, name: value})


@each_method
def test_cases_are_looked_up_one_by_one(algorithm):
    got = learn(algorithm, simulate, 2, OBSERVED, 1)
    cases = np.stack([OBSERVED, MATRIX @ np.array([0.7, 0.3]), OBSERVED + 50.0])
    found = algorithm.posterior(got.state, cases, 40, 2, got.draws)
    assert found.shape == (3, 40, 2) and np.isfinite(found).all()
    again = algorithm.posterior(got.state, cases[:2], 40, 2, got.draws)
    np.testing.assert_array_equal(found[:2], again)
    for wrong in (OBSERVED[:2], np.full(3, np.nan), np.zeros((2, 2, 3))):
        with pytest.raises(ConfigError, match="finite features"):
            algorithm.posterior(got.state, wrong, 5, 1, got.draws)
    with pytest.raises(ConfigError, match="give those of all rounds"):
        algorithm.posterior(got.state, OBSERVED, 5, 1)
    with pytest.raises(ConfigError, match="before the first update"):
        algorithm.posterior(algorithm.init(2, OBSERVED), OBSERVED, 5, 1, got.draws)


@each_method
def test_all_draws_failed_is_said(algorithm):
    with pytest.raises(TooFewSurvivors, match="0 draws with finite features"):
        learn(algorithm, lambda u, seed: np.full((len(u), 3), np.nan), 2, OBSERVED, 1)


@each_method
def test_constant_and_tiny_and_huge_features_do_no_harm(algorithm):
    def scaled(u, seed):
        x = simulate(u, seed) * [1e-12, 1.0, 1e12]
        return np.column_stack([x, np.full(len(u), 4.0)])

    plain = learn(algorithm, simulate, 2, OBSERVED, 1)
    got = learn(algorithm, scaled, 2, np.append(OBSERVED * [1e-12, 1.0, 1e12], 5.0), 1)
    assert got.infos[-1]["constant"] == [False, False, False, True]
    assert got.infos[-1]["observed_clipped"][3]
    want = plain.posterior(OBSERVED, 500, 1)
    found = got.posterior(got.state.x_observed, 500, 1)
    assert (np.abs(found.mean(0) - want.mean(0)) < 0.5 * want.std(0)).all()
    assert (found.std(0) < 1.5 * want.std(0)).all()


@each_method
def test_nothing_but_constant_features_gives_the_prior(algorithm):
    got = learn(algorithm, lambda u, seed: np.ones((len(u), 3)), 2, OBSERVED, 1)
    assert got.infos[-1]["constant"] == [True] * 3
    drawn = got.posterior(OBSERVED, 500, 1)
    assert (np.abs(drawn.mean(0) - 0.5) < 0.25).all() and (drawn.std(0) > 0.15).all()


@each_method
def test_an_observation_far_outside_is_said_and_ends(algorithm):
    got = learn(algorithm, simulate, 2, OBSERVED + 1e6, 1)
    info = got.infos[-1]
    assert info["observed_clipped"] == [True] * 3 and min(info["observed_z"]) > 1e4
    assert np.isfinite(got.posterior(OBSERVED + 1e6, 30, 1)).all()


@each_method
def test_one_wild_draw_does_not_flatten_the_others(algorithm):
    def wild(u, seed):
        x = simulate(u, seed)
        x[5] = 1e300
        return x

    want = learn(algorithm, simulate, 2, OBSERVED, 1).posterior(OBSERVED, 500, 1)
    found = learn(algorithm, wild, 2, OBSERVED, 1).posterior(OBSERVED, 500, 1)
    assert (np.abs(found.mean(0) - want.mean(0)) < 0.5 * want.std(0)).all()


def test_work_is_bounded_where_nothing_is_accepted():
    algorithm = AbcSmc(rounds=3, draws=60, epsilon="constant", epsilons="1e-9")
    got = learn(algorithm, simulate, 2, OBSERVED, 1)
    assert len(got.infos) == 3 and len(got.draws) == 180
    assert [info["accepted"] for info in got.infos] == [0, 0, 0]
    assert not any(info["complete"] for info in got.infos)
    with pytest.raises(TooFewSurvivors, match="0 of 180 draws came within epsilon 1e-09"):
        got.posterior(OBSERVED, 10, 1)


@pytest.mark.parametrize(
    ("settings", "rounds"),
    [
        ({}, 6),
        ({"min_acceptance": 0.99}, 1),
        ({"min_epsilon": 1e9}, 1),
        ({"min_epsilon_diff": 1e9}, 2),
        ({"epsilon": "list", "epsilons": "3"}, 1),
    ],
)
def test_it_is_done_by_the_rules_to_stop(settings, rounds):
    algorithm = AbcSmc(rounds=6, draws=100, particles=20, **settings)
    got = learn(algorithm, simulate, 2, OBSERVED, 1)
    assert len(got.infos) == rounds and got.posterior(OBSERVED, 10, 1).shape == (10, 2)


def test_what_a_generation_is_made_of_does_not_depend_on_later_settings():
    """More rounds leave the states of the first as they are: a study can be extended."""
    states = [
        learn(replace(METHODS["abc_smc"], rounds=n), simulate, 2, OBSERVED, 1) for n in (2, 4)
    ]
    np.testing.assert_array_equal(states[0].draws.u, states[1].draws.u[:240])
    assert states[0].infos == states[1].infos[:2]


def test_draws_of_the_prior_from_elsewhere_count_as_such():
    rng = np.random.default_rng(0)
    u = rng.random((400, 2))
    earlier = Draws.of(u, simulate(u, 3), -1)
    got = learn(METHODS["abc_smc"], simulate, 2, OBSERVED, 1, earlier)
    assert got.state.simulated[0] == 400 + 120
    assert (got.state.generation_of(got.draws.round)[:520] == 0).all()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"distance": "euclid"}, "there is no distance 'euclid'. Known: p_norm"),
        ({"statistics": "deep"}, "there is no statistics 'deep'. Known: none, linear, network"),
        ({"transition": "jump"}, "there is no transition 'jump'"),
        ({"epsilon": "median"}, "there is no epsilon 'median'"),
        ({"epsilon": "list"}, "list takes one per generation"),
        ({"epsilons": "1, 2"}, "quantile none"),
        ({"epsilon": "constant", "epsilons": "a"}, "must be numbers"),
        ({"epsilon": "constant", "epsilons": (-1.0,)}, "must be positive"),
        ({"distance": "aggregated"}, "write p: 1"),
        ({"distance": "info_weighted", "statistics": "linear"}, "write statistics: none"),
        ({"quantile": 0.0}, "quantile must lie between"),
        ({"p": 0.5}, "p must lie between"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, says):
    with pytest.raises(ConfigError, match=says):
        AbcSmc(**settings)


def test_without_pyabc_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("hpcvbi.infer.pyabc_parts.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'hpcvbi\[pyabc\]'"):
        abc_smc.AbcSmc()
    Rejection()


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, hpcvbi.infer; print(sorted({'pyabc','pandas','sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout.strip() == "[]"


def test_too_few_rows_for_a_regression_are_said():
    algorithm = Regression(draws=30)
    with pytest.raises(TooFewSurvivors, match="cannot fit a regression on 40 features"):
        learn(algorithm, lambda u, seed: np.tile(u, (1, 20)), 2, np.zeros(40), 1)


def test_noise_takes_two_draws():
    with pytest.raises(ConfigError, match="min_survivors must lie between 2 and inf"):
        Rejection(draws=1, min_survivors=1)
    with pytest.raises(TooFewSurvivors, match="at least 2 are needed"):
        learn(Rejection(draws=1, min_survivors=2), lambda u, seed: u, 1, np.zeros(1), 1)
    got = learn(Rejection(draws=2, min_survivors=2), lambda u, seed: u, 1, np.zeros(1), 1)
    assert np.isfinite(got.posterior(np.zeros(1), 10, 1)).all()


def test_the_neighbours_of_a_local_proposal_do_not_grow_without_bound(monkeypatch):
    local, u = Perturbation("local", 1.0, 0.25), np.random.default_rng(1).random((400, 2))
    found = []
    for most in (1000, 100, 30):
        monkeypatch.setattr("hpcvbi.infer.proposal.MOST", most)
        found.append(local.fit(u, np.full(400, 1 / 400)))
    assert [fitted.transition.k for fitted in found] == [100, 100, 30]
    np.testing.assert_array_equal(found[0].density(u), found[1].density(u))
