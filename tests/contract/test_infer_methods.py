"""What every neural method keeps: determinism, plain arrays, masks, bounds, no side effects."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, StoreMismatch
from hpcvbi.infer import ALGORITHMS, Draws, Neural, Nle, Npe, Nre
from hpcvbi.infer.apt import Apt
from hpcvbi.infer.batches import InMemory
from hpcvbi.infer.contrast import others
from hpcvbi.infer.ensemble import Ensemble
from hpcvbi.infer.estimator import Architecture
from hpcvbi.infer.fitting import Training, fit
from hpcvbi.infer.isolation import isolated

NEURAL = {name: cls for name, cls in ALGORITHMS.items() if issubclass(cls, Neural)}
OBSERVED = np.array([0.1, -0.2, 0.3, 0.0])
MIX = np.array([[1.0, 0.5], [-0.5, 1.0], [0.2, -0.7], [0.9, 0.1]])
REPO = Path(__file__).parents[2]


def quick(name, **changed):
    small = {"draws": 64, "hidden": 8, "transforms": 2, "members": 2, "max_epochs": 3}
    return NEURAL[name](**{**small, **changed})


def simulate(u, seed):
    noise = np.random.default_rng(seed).standard_normal((len(u), 4))
    return (u - 0.5) @ np.resize(MIX, (4, u.shape[1])).T + 0.1 * noise


def learn(algorithm, seed=3, n_params=2, rounds=2):
    state, infos, parts = algorithm.init(n_params, OBSERVED), [], []
    for k in range(rounds):
        u = algorithm.propose(state, algorithm.draws, seed + k)
        parts.append(Draws.of(u, simulate(u, seed + k), k))
        state, info = algorithm.update(state, Draws.join(parts), seed + k)
        infos.append(info)
    return state, infos


def digest(arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def digest_state(algorithm, state):
    return digest(algorithm.to_arrays(state).values())


@pytest.fixture(scope="module")
def learned():
    return {name: learn(quick(name)) for name in NEURAL}


every = pytest.mark.parametrize("name", NEURAL)


def test_seven_methods_are_neural():
    assert {"npe", "tsnpe", "apt", "nle", "nre", "fmpe", "npse"} <= set(NEURAL)


@every
def test_same_seed_same_bits_and_another_seed_others(name, learned):
    algorithm, (state, _) = quick(name), learned[name]
    again = digest_state(algorithm, learn(algorithm, rounds=1)[0])
    assert again == digest_state(algorithm, learn(algorithm, rounds=1)[0])
    assert again != digest_state(algorithm, learn(algorithm, seed=4, rounds=1)[0])
    drawn = algorithm.posterior(state, OBSERVED, 50, 1)
    np.testing.assert_array_equal(drawn, algorithm.posterior(state, OBSERVED, 50, 1))
    assert not np.array_equal(drawn, algorithm.posterior(state, OBSERVED, 50, 2))


PROGRAM = """
import json, os, sys
sys.path[:0] = [os.environ["REPO"], os.environ["REPO"] + "/tests/contract"]
import numpy as np
import test_infer_methods as t
said = {}
for name in t.NEURAL:
    algorithm = t.quick(name)
    state = algorithm.from_arrays(dict(np.load(name + ".npz", allow_pickle=False)))
    u = algorithm.posterior(state, t.OBSERVED, 40, 5)
    said[name] = [t.digest([u]), t.digest([algorithm.propose(state, 20, 9)])]
said["files"] = sorted(os.listdir())
print(json.dumps(said))
"""


def test_a_fresh_process_draws_the_same_bits_from_arrays_alone(tmp_path, learned):
    expected = {}
    for name, (state, _) in learned.items():
        algorithm = quick(name)
        np.savez(tmp_path / f"{name}.npz", **algorithm.to_arrays(state))
        u = algorithm.posterior(state, OBSERVED, 40, 5)
        expected[name] = [digest([u]), digest([algorithm.propose(state, 20, 9)])]
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "REPO": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    (line,) = ran.stdout.splitlines()  # a line more would be a print of ours or of sbi
    assert json.loads(line) == {**expected, "files": sorted(f"{name}.npz" for name in NEURAL)}


@every
def test_arrays_hold_the_whole_state(name, learned):
    algorithm, (state, _) = quick(name), learned[name]
    arrays = algorithm.to_arrays(state)
    assert all(a.dtype.kind in "iuf" for a in arrays.values())
    assert digest_state(algorithm, algorithm.from_arrays(arrays)) == digest(arrays.values())
    if name != "nre":  # whose layers do not depend on it
        with pytest.raises(StoreMismatch, match="infer again"):
            quick(name, hidden=9).posterior(state, OBSERVED, 10, 0)


@every
def test_failed_draws_are_masked(name):
    algorithm = quick(name, members=1, draws=80)
    state = algorithm.init(2, OBSERVED)
    u = algorithm.propose(state, 80, 3)
    x, keep = simulate(u, 3), np.ones(80, bool)
    x[[0, 7], 2], x[11, 0], keep[[0, 7, 11]] = np.nan, np.inf, False
    masked, info = algorithm.update(state, Draws.of(u, x), 3)
    assert (info.masked, info.rows) == (3, 77)
    without, _ = algorithm.update(state, Draws.of(u[keep], x[keep]), 3)
    assert digest_state(algorithm, masked) == digest_state(algorithm, without)


@every
def test_one_parameter_and_a_constant_feature(name):
    algorithm = quick(name, members=1)
    x_observed = np.array([0.3, 7.0])
    state = algorithm.init(1, x_observed)
    parts = []
    for k in range(2):
        u = algorithm.propose(state, 64, k)
        noise = 0.05 * np.random.default_rng(k).standard_normal(64)
        parts.append(Draws.of(u, np.column_stack([u[:, 0] + noise, np.full(64, 7.0)]), k))
        state, info = algorithm.update(state, Draws.join(parts), k)
    drawn = algorithm.posterior(state, x_observed, 200, 1)
    assert drawn.shape == (200, 1) and (drawn > 0).all() and (drawn < 1).all()
    assert len(np.unique(drawn)) > 150 and np.isfinite(info.loss).all()


@every
def test_cases_proposals_and_densities(name, learned):
    algorithm, (state, _) = quick(name), learned[name]
    cases = algorithm.posterior(state, np.stack([OBSERVED, -OBSERVED]), 30, 1)
    assert cases.shape == (2, 30, 2) and not np.array_equal(cases[0], cases[1])
    u = algorithm.propose(state, 100, 1)
    assert u.shape == (100, 2) and (u > 0).all() and (u < 1).all()
    assert len(np.unique(u, axis=0)) == 100 and algorithm.inside(state, u).all()
    assert not algorithm.inside(state, np.array([[1.5, 0.5]])).any()
    density = algorithm.log_density(state, u, OBSERVED)
    assert density.shape == (100,) and np.isfinite(density).all()
    np.testing.assert_allclose(density[:7], algorithm.log_density(state, u[:7], OBSERVED), 1e-3)


@every
def test_info_is_plain_json_with_the_training_curve(name, learned):
    _, infos = learned[name]
    for number, info in enumerate(infos):
        said = json.loads(json.dumps(info.as_dict(), allow_nan=False))
        assert said["round"] == number and said["rows"] == 64 * (number + 1)
        assert [len(curve) for curve in said["curve"]] == said["epochs"] == [3, 3]
        assert min(said["curve"][0]) == said["validation_loss"][0]
        assert 0 <= said["leakage"] < 1 and 0 < said["volume"] <= 1 and said["r_hat"] > 0.9


@every
def test_the_callers_random_numbers_are_left_alone(name, learned):
    import torch

    torch.manual_seed(1)
    np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1]
    algorithm, (state, _) = quick(name), learned[name]
    learn(quick(name, max_epochs=1, members=1), rounds=1)
    algorithm.propose(state, 10, 1)
    algorithm.posterior(state, OBSERVED, 10, 1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])


KINDS = {cls.estimator.networks: cls for name, cls in NEURAL.items() if name != "fmpe"}
NETWORKS = [
    (cls, net) for cls in (*KINDS.values(), NEURAL["fmpe"]) for net in cls.estimator.networks
]


@pytest.mark.parametrize("n_params", [1, 3])
@pytest.mark.parametrize(("cls", "network"), NETWORKS)
def test_every_network_trains_draws_and_is_restored(cls, network, n_params):
    estimator = cls.estimator
    architecture = Architecture(n_params, 4, network, 8, 2, varying=(0, 1, 2, 3))
    u = np.random.default_rng(0).random((64, n_params))
    table = InMemory(4 * u - 2, simulate(u, 1))
    training = Training(16, 1e-2, 0.1, 0.1, max_epochs=2, stop_after=2)
    fits = [fit(estimator, architecture, training, table, seed=1) for _ in range(2)]
    np.testing.assert_array_equal(fits[0].weights, fits[1].weights)
    assert np.isfinite(fits[0].curve).all()
    said = []
    for fitted in fits:
        with isolated(5):
            net = Ensemble(estimator, architecture, fitted.weights[None], fitted.layout)
            parts = [net.log_density(table.z, OBSERVED)]
            if estimator.sample is not None:
                parts.append(net.sample(20, OBSERVED, np.random.default_rng(2)))
        assert all(np.isfinite(part).all() for part in parts)
        said.append(digest(parts))
    assert said[0] == said[1]


def test_a_likelihood_leaves_constant_features_out():
    algorithm = Nle(hidden=8, transforms=2, max_epochs=2)
    weights = []
    for constant in ([], [7.0, -1.0]):
        x_observed = np.append(OBSERVED, constant)
        state = algorithm.init(2, x_observed)
        u = algorithm.propose(state, 64, 1)
        x = np.column_stack([simulate(u, 1), *(np.full(64, value) for value in constant)])
        weights.append(algorithm.update(state, Draws.of(u, x), 1)[0].weights)
    np.testing.assert_array_equal(*weights)


def test_contrasts_are_other_rows_and_each_as_often():
    import torch

    with isolated(1):
        found = others(20, 6, torch.device("cpu")).numpy()
        assert others(4, 9, torch.device("cpu")).shape == (4, 3)
        assert others(1, 9, torch.device("cpu")).shape == (1, 0)
    assert found.shape == (20, 6)
    assert (found != np.arange(20)[:, None]).all()
    assert all(len(set(row)) == 6 for row in found)
    assert (np.bincount(found.ravel(), minlength=20) == 6).all()


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (Apt, {"atoms": 1}),
        (Nre, {"atoms": 0}),
        (Nle, {"embedding": "mlp"}),
        (Nre, {"network": "maf"}),
    ],
)
def test_impossible_settings_are_refused(cls, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        cls(**wrong)


@pytest.mark.parametrize(
    ("name", "wrong", "kind"),
    [
        ("npe", {"hidden": 32.5}, "64"),
        ("npe", {"hidden": "64"}, "64"),
        ("apt", {"atoms": 3.0}, "10"),
        ("npe", {"members": True}, "1"),
        ("npe", {"batch": None}, "0"),
        ("npe", {"learning_rate": "fast"}, "0.002"),
        ("npe", {"embedding": None}, "'none'"),
        ("knn", {"neighbours": 2.5}, "0"),
        ("regression", {"heteroscedastic": 1}, "False"),
        ("abc_smc", {"adaptive": "no"}, "True"),
        ("abc_smc", {"epsilons": 4.0}, "''"),
        ("grid", {"design": 3}, "'sobol'"),
        ("cmaes", {"step": "wide"}, "0.2"),
        ("cmaes", {"weights": {"fc": 1.0}}, r"Weights\("),
    ],
)
def test_settings_of_another_kind_are_refused(name, wrong, kind):
    with pytest.raises(ConfigError, match=rf"{next(iter(wrong))} must be such as {kind}"):
        ALGORITHMS[name](**wrong)


def test_whole_numbers_are_fine_where_any_number_is():
    assert Npe(weight_decay=1, hidden=np.int64(8)) == Npe(weight_decay=1.0, hidden=8)
    assert ALGORITHMS["abc_smc"](epsilon="list", epsilons=(2.0, 1.0), p=1).p == 1
