"""Grid, CMA-ES and Bayesian optimisation behind the protocol: the same bits, arrays as state, what
failed draws do, what counts as a draw, and that an optimum is never called a posterior.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, StoreMismatch, TooFewSurvivors
from hpcvbi.infer import ALGORITHMS, BayesOpt, CmaEs, Draws, Grid, learn
from hpcvbi.infer.draws import Stacked

OBSERVED = np.array([0.1, -0.2, 0.3])
MIX = np.array([[1.0, 0.5], [-0.5, 1.0], [0.2, -0.7]])
REPO = Path(__file__).parents[2]
ALL = {
    "grid": Grid(draws=64, replicates=2),
    "cmaes": CmaEs(rounds=5, draws=24, replicates=2),
    "bayes_opt": BayesOpt(rounds=3, draws=12, replicates=2, candidates=256),
}
each = pytest.mark.parametrize("name", ALL)


def simulate(u, seed):
    noise = np.random.default_rng(seed).standard_normal((len(u), 3))
    return (u - 0.5) @ MIX.T + 0.1 * noise


def failing(u, seed):
    """Half of the square fails, and one draw in ten anywhere."""
    x = simulate(u, seed)
    x[(u[:, 0] > 0.75) | (np.random.default_rng(seed).random(len(u)) < 0.1)] = np.nan
    return x


def digest(name):
    found = learn(ALL[name], simulate, 2, OBSERVED, 3)
    arrays = ALL[name].to_arrays(found.state)
    parts = [*arrays.values(), found.draws.u, found.posterior(OBSERVED, 20, 4)]
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in parts)).hexdigest()


def test_they_are_in_the_table():
    assert {name: type(algorithm) for name, algorithm in ALL.items()}.items() <= ALGORITHMS.items()


@each
def test_the_same_bits_in_another_process_with_more_threads(name):
    code = f"from test_infer_optimisers import digest; print(digest({name!r}))"
    paths = [str(REPO), str(Path(__file__).parent)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "2"}
    other = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=env
    )
    assert other.stdout.strip() == digest(name), other.stderr


@each
def test_resuming_from_arrays_goes_on_with_the_same_bits(name):
    algorithm = ALL[name]
    whole = learn(algorithm, simulate, 2, OBSERVED, 3)
    state, parts = algorithm.init(2, OBSERVED), []
    for k in range(algorithm.rounds):
        stored = {key: a.copy() for key, a in algorithm.to_arrays(state).items()}
        assert all(a.dtype.kind in "fiu" for a in stored.values())
        state = algorithm.from_arrays(stored)
        rows = whole.draws.round == k
        parts.append(Draws(whole.draws.u[rows], whole.draws.x[rows], whole.draws.round[rows]))
        state, _ = algorithm.update(state, Draws.join(parts), 99)
    for key, array in algorithm.to_arrays(whole.state).items():
        np.testing.assert_array_equal(algorithm.to_arrays(state)[key], array, strict=True)


@each
def test_proposals_repeat_each_point_and_stay_in_the_cube(name):
    algorithm = ALL[name]
    found = learn(replace(algorithm, rounds=1), simulate, 2, np.array([9.0, 9.0, -9.0]), 3)
    if algorithm.rounds > 1:
        u = algorithm.propose(found.state, algorithm.draws, 5)
    else:
        u = found.draws.u
    assert u.shape == (algorithm.draws, 2) and (u >= 0).all() and (u <= 1).all()
    np.testing.assert_array_equal(u[::2], u[1::2])
    assert len(np.unique(u, axis=0)) == algorithm.points


@each
def test_every_draw_counts_replicates_and_failures_included(name):
    algorithm, asked = ALL[name], []

    def counted(u, seed):
        asked.append(len(u))
        return failing(u, seed)

    found = learn(algorithm, counted, 2, OBSERVED, 3)
    assert asked == [algorithm.draws] * algorithm.rounds
    assert [info["draws"] for info in found.infos] == asked
    lost = ~np.isfinite(found.draws.x).all(axis=1)
    assert lost.any()
    assert sum(info["masked"] for info in found.infos) == lost.sum()
    assert found.infos[-1]["rows"] == len(lost) - lost.sum()
    assert json.loads(json.dumps(found.infos)) == list(found.infos)


@each
def test_failed_draws_are_the_worst_and_change_nothing_else(name):
    found = learn(ALL[name], failing, 2, OBSERVED, 3)
    pairs = found.draws.x.reshape(-1, 2, 3)
    gone = np.isnan(pairs).any(axis=2).all(axis=1)
    assert gone.any() and (np.isinf(found.state.loss) == gone).all()
    assert found.state.best[0] < 0.75
    whole = np.isfinite(pairs).all(axis=2)
    one = int(np.flatnonzero(whole.sum(axis=1) == 1)[0])
    x = pairs[one][whole[one]][0]
    expected = (((x - OBSERVED) / found.state.spread) ** 2).mean()
    assert found.state.loss[one] == pytest.approx(expected)


@each
def test_all_failed_is_an_error_that_says_what_to_do(name):
    algorithm = ALL[name]
    nothing = lambda u, seed: np.full((len(u), 3), np.nan)  # noqa: E731
    with pytest.raises(TooFewSurvivors, match=r"at least 2 .* Narrow the priors"):
        learn(algorithm, nothing, 2, OBSERVED, 3)
    if algorithm.rounds > 1:
        first = learn(replace(algorithm, rounds=1), simulate, 2, OBSERVED, 3)
        u = algorithm.propose(first.state, algorithm.draws, 5)
        draws = Draws.join([first.draws, Draws.of(u, nothing(u, 5), 1)])
        with pytest.raises(TooFewSurvivors, match=r"round 1: all \d+ draws .* Narrow the priors"):
            algorithm.update(first.state, draws, 5)


@each
def test_draws_of_another_study_scale_the_features_and_are_no_points(name):
    algorithm = ALL[name]
    u = np.random.default_rng(1).random((33, 2))
    earlier = Draws(u, simulate(u, 1), np.full(33, -1))
    found = learn(algorithm, simulate, 2, OBSERVED, 3, earlier)
    assert len(found.state.u) == algorithm.points * algorithm.rounds
    prior = found.draws.x[: 33 + algorithm.draws]
    np.testing.assert_allclose(found.state.spread, prior.std(axis=0))


@each
def test_rows_out_of_memory_give_the_same_bits(name):
    algorithm = ALL[name]
    first = learn(replace(algorithm, rounds=1), failing, 2, OBSERVED, 3)
    x = first.draws.x
    streamed = Draws(first.draws.u, Stacked((x[:5], x[5:])), first.draws.round)
    start = algorithm.init(2, OBSERVED)
    a, b = (algorithm.update(start, draws, 3)[0] for draws in (first.draws, streamed))
    np.testing.assert_array_equal(a.loss, b.loss)


@each
def test_other_features_are_answered_by_the_best_of_the_simulated_points(name):
    algorithm = ALL[name]
    found = learn(algorithm, simulate, 2, OBSERVED, 3)
    cases = simulate(np.array([[0.9, 0.1], [0.2, 0.3]]), 7)
    drawn = found.posterior(cases, 10, 5)
    assert drawn.shape == (2, 10, 2)
    mean = found.draws.x.reshape(-1, 2, 3).mean(axis=1)
    for case, samples in zip(cases, drawn, strict=True):
        nearest = np.argmin((((mean - case) / found.state.spread) ** 2).sum(axis=1))
        assert (samples == found.draws.u[2 * nearest]).all()
    np.testing.assert_array_equal(found.posterior(cases[0], 10, 5), drawn[0])
    with pytest.raises(ConfigError, match="looked up among the draws"):
        algorithm.posterior(found.state, cases, 10, 5)


def test_a_search_distribution_is_drawn_from_and_a_point_is_repeated():
    drawn = {}
    for name, algorithm in ALL.items():
        found = learn(algorithm, simulate, 2, OBSERVED, 3)
        drawn[name] = found.posterior(OBSERVED, 200, 4)
        assert drawn[name].shape == (200, 2)
        assert found.infos[-1]["kind"] == algorithm.kind != "posterior"
        if name != "cmaes":
            assert (drawn[name] == found.state.best).all()
    spread = drawn["cmaes"].std(axis=0)
    assert (spread > 1e-3).all() and ((drawn["cmaes"] >= 0) & (drawn["cmaes"] <= 1)).all()


def test_a_search_that_stands_still_is_done():
    exact = lambda u, seed: u - 0.3  # noqa: E731
    algorithm = CmaEs(rounds=200, draws=12, tolerance=1e-3)
    found = learn(algorithm, exact, 2, np.zeros(2), 1)
    assert 5 < len(found.infos) < 60 and np.abs(found.state.best - 0.3).max() < 3e-3
    endless = replace(algorithm, rounds=70, tolerance=0.0)
    assert len(learn(endless, exact, 2, np.zeros(2), 1).infos) == 70


def test_a_factorial_has_every_combination_of_levels():
    algorithm = Grid(draws=54, replicates=2, design="factorial")
    u = algorithm.propose(algorithm.init(3, OBSERVED), 54, 1)[::2]
    assert {tuple(np.rint(row * 6).astype(int)) for row in u} == {
        (a, b, c) for a in (1, 3, 5) for b in (1, 3, 5) for c in (1, 3, 5)
    }
    with pytest.raises(ConfigError, match=r"k\^2 points, not 27: write draws: 50 or 72"):
        algorithm.init(2, OBSERVED)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Grid(rounds=2), "grid has one round"),
        (lambda: Grid(design="hexagonal"), "no design 'hexagonal'. Known: sobol, factorial"),
        (lambda: CmaEs(draws=10, replicates=3), "write a multiple of 3 from 12 on"),
        (lambda: CmaEs(draws=4, replicates=2), "write a multiple of 2 from 8 on"),
        (lambda: CmaEs(rounds=1001), "rounds must be 1000 at most"),
        (lambda: CmaEs(draws=0), "draws must be an integer"),
        (lambda: CmaEs(step=0.0), "step must lie between"),
        (lambda: BayesOpt(rounds=100, draws=100), "100 rounds of 100 points"),
        (lambda: BayesOpt(candidates=0), "candidates must lie"),
        (lambda: Grid().init(2, np.array([np.nan])), "finite"),
        (lambda: Grid().init(0, OBSERVED), "nothing to infer"),
        (lambda: Grid().propose(Grid().init(2, OBSERVED), 3, 1), "a round has 256 draws"),
        (lambda: Grid().posterior(Grid().init(2, OBSERVED), OBSERVED, 3, 1), "before the first"),
    ],
)
def test_impossible_settings_and_arrays_are_refused(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


def test_a_missing_package_is_named_before_anything_is_spent(monkeypatch):
    monkeypatch.setattr("hpcvbi.infer.cmaes.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'hpcvbi\[optimisers\]'"):
        CmaEs()


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("u", None, "u is missing"),
        ("u", lambda a: a[:, :1], "along param"),
        ("u", lambda a: a[:-1], "along point"),
        ("loss", lambda a: a.astype(object), "type object"),
        ("loss", lambda a: np.full_like(a, np.nan), "not finite"),
        ("best", lambda a: np.full_like(a, np.inf), "not finite"),
        ("round", lambda a: a + 1, "points after 2 rounds"),
        ("spread", lambda a: 0 * a, "spread must be positive"),
        ("x_observed", lambda a: a[None], "shape"),
    ],
)
def test_a_damaged_state_is_refused(key, change, said):
    algorithm = ALL["grid"]
    arrays = algorithm.to_arrays(learn(algorithm, simulate, 2, OBSERVED, 3).state)
    damaged = {**arrays, key: change(arrays[key])} if change else {**arrays}
    if change is None:
        del damaged[key]
    with pytest.raises(StoreMismatch, match=said):
        algorithm.from_arrays(damaged)
