"""What callers may rely on: determinism, round trips, masks, the region, no side effects."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, StoreMismatch, TooFewSurvivors
from hpcvbi.infer import ALGORITHMS, Draws, Npe, Tsnpe, truncation
from hpcvbi.infer.neural_state import NeuralState

QUICK = Tsnpe(
    draws=128,
    hidden=8,
    transforms=2,
    members=2,
    max_epochs=20,
    stop_after=20,
    learning_rate=1e-2,
    weight_decay=0.1,
)
OBSERVED = np.array([0.1, -0.2, 0.3, 0.0])
MIX = np.array([[1.0, 0.5], [-0.5, 1.0], [0.2, -0.7], [0.9, 0.1]])
REPO = Path(__file__).parents[2]


def simulate(u, seed):
    noise = np.random.default_rng(seed).standard_normal((len(u), 4))
    return (u - 0.5) @ MIX.T + 0.1 * noise


def learn(algorithm, rounds=1, seed=3):
    state, infos, parts = algorithm.init(2, OBSERVED), [], []
    for k in range(rounds):
        u = algorithm.propose(state, algorithm.draws, seed + k)
        parts.append(Draws.of(u, simulate(u, seed + k), k))
        state, info = algorithm.update(state, Draws.join(parts), seed + k)
        infos.append(info)
    return state, infos


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def digest_state(state):
    return digest(*QUICK.to_arrays(state).values())


@pytest.fixture(scope="module")
def one_round():
    return learn(QUICK)[0]


@pytest.fixture(scope="module")
def two_rounds():
    return learn(QUICK, rounds=2)


def test_same_arrays_and_seed_give_the_same_bits(one_round):
    again, _ = learn(QUICK)
    assert digest_state(again) == digest_state(one_round)
    u = QUICK.propose(again, 50, 9)
    np.testing.assert_array_equal(u, QUICK.propose(one_round, 50, 9))
    assert not np.array_equal(u, QUICK.propose(one_round, 50, 10))
    other, _ = learn(QUICK, seed=4)
    assert digest_state(other) != digest_state(one_round)


PROGRAM = """
import json, os, sys
sys.path[:0] = [os.environ["REPO"], os.environ["REPO"] + "/tests/contract"]
import numpy as np
import hpcvbi.infer
early = sorted({"torch", "sbi", "scipy.stats"} & set(sys.modules))
import test_infer_tsnpe as t
stored = dict(np.load("state.npz"))
state = t.QUICK.from_arrays(stored)
print(json.dumps({
    "early": early,
    "posterior": t.digest(t.QUICK.posterior(state, t.OBSERVED, 200, 5)),
    "proposal": t.digest(t.QUICK.propose(state, 50, 9)),
    "learned": t.digest_state(t.learn(t.QUICK)[0]),
    "compiler": "torch._dynamo" in sys.modules,
    "files": sorted(os.listdir()),
}))
"""


def test_a_fresh_process_gives_the_same_bits_and_leaves_nothing_behind(tmp_path, one_round):
    np.savez(tmp_path / "state.npz", **QUICK.to_arrays(one_round))
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "REPO": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    (line,) = ran.stdout.splitlines()  # a line more would be a print of ours or of sbi
    assert ran.stderr == ""
    assert json.loads(line) == {
        "early": [],
        "compiler": False,
        "posterior": digest(QUICK.posterior(one_round, OBSERVED, 200, 5)),
        "proposal": digest(QUICK.propose(one_round, 50, 9)),
        "learned": digest_state(one_round),
        "files": ["state.npz"],
    }


def test_arrays_hold_the_whole_state(two_rounds):
    state, _ = two_rounds
    arrays = QUICK.to_arrays(state)
    assert {name: np.ndim(a) for name, a in arrays.items()} == {
        name: len(dims) for name, dims in NeuralState.DIMS.items()
    }
    assert all(a.dtype.kind in "iuf" for a in arrays.values())
    back = QUICK.from_arrays(arrays)
    assert digest_state(back) == digest_state(state)
    assert QUICK.done(back) and not QUICK.done(QUICK.init(2, OBSERVED))


def test_weights_of_another_network_are_refused(one_round):
    with pytest.raises(StoreMismatch, match="hidden=9"):
        replace(QUICK, hidden=9).posterior(one_round, OBSERVED, 10, 0)


def test_failed_draws_are_masked_and_counted():
    state = QUICK.init(2, OBSERVED)
    u = QUICK.propose(state, 128, 3)
    x = simulate(u, 3)
    keep = np.ones(128, bool)
    x[[0, 7], 2], x[11, 0], keep[[0, 7, 11]] = np.nan, np.inf, False
    masked, info = QUICK.update(state, Draws.of(u, x), 3)
    assert (info.draws, info.masked, info.rows) == (128, 3, 125)
    without, _ = QUICK.update(state, Draws.of(u[keep], x[keep]), 3)
    assert digest_state(masked) == digest_state(without)


def test_too_few_survivors_say_what_to_do():
    state = QUICK.init(2, OBSERVED)
    u = QUICK.propose(state, 128, 3)
    x = simulate(u, 3)
    x[QUICK.min_survivors - 1 :] = np.nan
    with pytest.raises(TooFewSurvivors, match=r"63 draws .* at least 64 .* Narrow the priors"):
        QUICK.update(state, Draws.of(u, x), 3)


def test_the_first_proposal_fills_the_cube():
    u = QUICK.propose(QUICK.init(2, OBSERVED), 100, 1)
    assert u.shape == (100, 2) and (u > 0).all() and (u < 1).all()
    for column in u.T:  # low discrepancy: random draws leave some of 10 bins off by more
        assert np.abs(np.histogram(column, 10, (0, 1))[0] - 10).max() <= 3


def test_later_proposals_stay_in_the_region(one_round):
    u = QUICK.propose(one_round, 200, 1)
    assert QUICK.inside(one_round, u).all()
    cube = np.random.default_rng(0).random((4000, 2))
    kept = QUICK.inside(one_round, cube)
    assert 0.02 < kept.mean() < 0.9
    # uniform over the region: same mean as the part of the cube inside it, within 4 standard errors
    error = cube[kept].std(0) * np.sqrt(1 / 200 + 1 / kept.sum())
    assert (np.abs(u.mean(0) - cube[kept].mean(0)) < 4 * error).all()


def test_proposals_are_filled_by_resampling_when_candidates_run_out(one_round):
    scarce = replace(QUICK, candidates=1)
    u = scarce.propose(one_round, 6000, 1)
    assert len(np.unique(u, axis=0)) == 6000
    assert QUICK.inside(one_round, u).mean() > 0.999
    full = QUICK.propose(one_round, 6000, 1)
    assert (np.abs(u.mean(0) - full.mean(0)) < 0.1 * full.std(0)).all()
    assert (np.abs(u.std(0) / full.std(0) - 1) < 0.1).all()


def test_posterior_of_other_observations(one_round):
    far = simulate(np.array([[0.9, 0.1]]), 1)[0]
    near = QUICK.posterior(one_round, OBSERVED, 300, 1)
    other = QUICK.posterior(one_round, far, 300, 1)
    assert other.shape == (300, 2) and (other > 0).all() and (other < 1).all()
    assert np.abs(other.mean(0) - [0.9, 0.1]).max() < np.abs(near.mean(0) - [0.9, 0.1]).max()
    cases = QUICK.posterior(one_round, np.stack([OBSERVED, far]), 300, 1)
    assert cases.shape == (2, 300, 2)
    assert np.abs(cases[1].mean(0) - other.mean(0)).max() < 0.1


def test_an_observation_outside_everything_simulated_is_reported_and_survived():
    algorithm = replace(QUICK, members=1, max_epochs=3)
    state = algorithm.init(2, np.array([1e6, 0.0, 0.0, 0.0]))
    u = algorithm.propose(state, 128, 3)
    state, info = algorithm.update(state, Draws.of(u, simulate(u, 3)), 3)
    assert info.observed_clipped == [True, False, False, False]
    assert info.observed_z[0] > 1e5
    u = algorithm.posterior(state, state.x_observed, 100, 1)
    assert u.shape == (100, 2) and (u > 0).all() and (u < 1).all()


def test_one_extreme_draw_does_not_flatten_the_others(one_round):
    state = QUICK.init(2, OBSERVED)
    u = QUICK.propose(state, 128, 3)
    x = simulate(u, 3)
    x[5, 1] = 1e9
    hit, info = QUICK.update(state, Draws.of(u, x), 3)
    assert 0.8 < hit.scale[1] / one_round.scale[1] < 1.3
    assert info.clipped[1] == pytest.approx(1 / 128)


def test_a_constant_feature_and_a_single_parameter():
    algorithm = replace(QUICK, members=1)
    state = algorithm.init(1, np.array([0.3, 7.0]))
    u = algorithm.propose(state, 128, 1)
    noise = 0.05 * np.random.default_rng(0).standard_normal(128)
    x = np.column_stack([u[:, 0] + noise, np.full(128, 7.0)])
    state, _ = algorithm.update(state, Draws.of(u, x), 1)
    drawn = algorithm.posterior(state, np.array([0.3, 7.0]), 500, 1)
    assert drawn.shape == (500, 1)
    assert abs(drawn.mean() - 0.3) < 0.1 and drawn.std() < 0.2


def test_the_callers_random_numbers_and_threads_are_left_alone(one_round):
    import torch

    torch.manual_seed(1)
    np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1], torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        learn(replace(QUICK, max_epochs=1))
        QUICK.propose(one_round, 10, 1)
        QUICK.posterior(one_round, OBSERVED, 10, 1)
        assert torch.get_num_threads() == 2
        assert torch.equal(before[0], torch.get_rng_state())
        assert np.array_equal(before[1], np.random.get_state()[1])
    finally:
        torch.set_num_threads(before[2])


def test_info_is_plain_json(two_rounds):
    _, (first, second) = two_rounds
    said = json.loads(json.dumps(second.as_dict()))
    assert said == {**asdict(second), "message": ""}
    assert (first.round, second.round, second.rows) == (0, 1, 256)
    assert second.volume <= first.volume < 1 and 0 <= second.leakage < 1


def test_a_region_that_no_point_of_the_prior_meets_is_said(two_rounds):
    _, (_, second) = two_rounds
    assert second.resampled == 0.0
    assert replace(second, resampled=0.254).as_dict()["message"].startswith("25.4% of a further")
    for share in (0.254, 1.0):
        said = replace(second, resampled=share).as_dict()["message"]
        assert "resampled from the posterior" in said and ("no even point" in said) == (share == 1)


@pytest.mark.parametrize("name", ["tsnpe", "apt", "npse"])
def test_only_what_is_resampled_is_said_to_be(name, monkeypatch):
    resampled, true = [], truncation.resample

    def counted(points, log_weight, n, rng):
        resampled.append(n)
        return true(points, log_weight, n, rng)

    algorithm = ALGORITHMS[name](
        rounds=2, draws=6000, hidden=16, transforms=2, max_epochs=20, learning_rate=1e-2,
        candidates=8192,
    )  # fmt: skip
    state, rng = algorithm.init(2, np.array([0.5, 0.5])), np.random.default_rng(0)
    u = rng.random((500, 2))
    x = u + 0.05 * rng.standard_normal(u.shape)
    state, info = algorithm.update(state, Draws.of(u, x), 1)
    monkeypatch.setattr(truncation, "resample", counted)
    algorithm.propose(state, algorithm.draws, 2)
    assert (info.resampled > 0.1) == (info.message != "") == (name == "tsnpe")
    # both counts are of 8192 even points
    assert info.resampled == pytest.approx(sum(resampled) / algorithm.draws, abs=0.03)


@pytest.mark.parametrize(
    "wrong", [{"truncation": 0.7}, {"members": 0}, {"learning_rate": -1}, {"min_survivors": 2}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Tsnpe(**wrong)


def test_impossible_arrays_are_refused(one_round):
    state = QUICK.init(2, OBSERVED)
    with pytest.raises(ConfigError, match="finite"):
        QUICK.init(2, np.array([0.0, np.nan]))
    with pytest.raises(ConfigError, match=r"shape"):
        QUICK.update(state, Draws.of(np.zeros((5, 3)), np.zeros((5, 4))), 0)
    with pytest.raises(ConfigError, match="unit cube"):
        QUICK.update(state, Draws.of(np.full((5, 2), 1.5), np.zeros((5, 4))), 0)
    with pytest.raises(ConfigError, match="before the first update"):
        QUICK.posterior(state, OBSERVED, 5, 0)
    with pytest.raises(ConfigError, match="4 finite features"):
        QUICK.posterior(one_round, OBSERVED[:3], 5, 0)


def test_the_table_of_algorithms():
    assert ALGORITHMS["tsnpe"] is Tsnpe and ALGORITHMS["npe"] is Npe


@pytest.mark.parametrize("n_params", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_no_parameter_is_always_blind_to_the_features(n_params, seed):
    from hpcvbi.infer.estimator import Architecture
    from hpcvbi.infer.flow import build
    from hpcvbi.infer.isolation import isolated

    with isolated(seed):
        state = build(Architecture(n_params, 3, "maf", hidden=8, transforms=4)).state_dict()
    turns = [part.numpy() for name, part in state.items() if name.endswith("_permutation")]
    assert len(turns) == 4
    order, first = np.arange(n_params), []
    for turn in turns:
        # the first variable of an autoregressive step has no input, not even the features
        first.append(int(order[0]))
        order = order[turn]
    assert max(first.count(p) for p in range(n_params)) <= -(-4 // n_params)


def test_the_density_is_one_of_the_cube(one_round):
    axis = (np.arange(200) + 0.5) / 200
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(QUICK.log_density(one_round, grid, OBSERVED))
    assert density.mean() == pytest.approx(1.0, abs=0.01)
    drawn = QUICK.posterior(one_round, OBSERVED, 4000, 1)
    mean = (density[:, None] * grid).mean(0)
    assert (np.abs(drawn.mean(0) - mean) < 4 * drawn.std(0) / np.sqrt(4000) + 0.002).all()


def test_draws_on_the_faces_of_the_cube_are_learned_from():
    state = QUICK.init(2, OBSERVED)
    u = QUICK.propose(state, 128, 3)
    u[:3], u[3:6] = 0.0, 1.0
    state, info = QUICK.update(state, Draws.of(u, simulate(u, 3)), 3)
    assert info.rows == 128
    drawn = QUICK.posterior(state, OBSERVED, 100, 1)
    assert np.isfinite(drawn).all() and (drawn > 0).all() and (drawn < 1).all()
