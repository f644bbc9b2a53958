"""Distances of ABC are pyABC's and SciPy's, and a look-up does not depend on where draws are."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from hpcvbi.core.seeds import derive_seed
from hpcvbi.infer import AbcSmc, Draws, Rejection, learn
from hpcvbi.infer.isolation import numpy_seeded
from hpcvbi.infer.metric import Measure
from hpcvbi.infer.table import nearest, norm, resampled, robust

MATRIX = np.array([[1.0, 0.4], [-0.5, 1.0], [0.3, -0.8]])
OBSERVED = MATRIX @ np.array([0.4, 0.6])


def simulate(u, seed):
    rng = np.random.default_rng(seed)
    x = u @ MATRIX.T + 0.2 * rng.standard_normal((len(u), 3))
    x[rng.random(len(u)) < 0.1, 1] = np.nan
    return x


def test_the_distance_of_wasserstein_is_scipys():
    rng = np.random.default_rng(0)
    x, observed = 3.0 * rng.standard_normal((50, 40)) + 1.0, rng.standard_normal(40)
    measure = Measure("wasserstein", "none", 1.0)
    center, scale = measure.scaling(x)
    every = np.ones(50, bool)
    metric = measure.fit(center, scale, rng.random((50, 2)), x, every, observed, 0)
    want = [wasserstein_distance(row / scale[0], observed / scale[0]) for row in x]
    np.testing.assert_allclose(metric(x, observed), want)


@pytest.mark.filterwarnings("ignore")  # of what pyABC imports
@pytest.mark.parametrize(
    ("name", "learned"),
    [
        ("p_norm", "none"),
        ("info_weighted", "none"),
        ("aggregated", "none"),
        ("p_norm", "linear"),
        ("p_norm", "network"),
    ],
)
def test_distances_are_those_of_pyabc(name, learned):
    """pyABC fits and evaluates on scaled features; what is kept as arrays gives the same."""
    from hpcvbi.infer.metric import DISTANCES, STATISTICS
    from hpcvbi.infer.pyabc_parts import KEY, pyabc, sample_of

    rng = np.random.default_rng(0)
    u = rng.random((200, 2))
    x, every = np.nan_to_num(simulate(u, 1)), np.ones(200, bool)
    p = 1.0 if name == "aggregated" else 2.0
    measure = Measure(name, learned, p)
    center, scale = measure.scaling(x)
    metric = measure.fit(center, scale, u, x, every, OBSERVED, 3)
    statistics = STATISTICS[learned][0](pyabc())
    theirs = DISTANCES[name](pyabc(), p, statistics, 3)
    z, z0 = metric.scaled(x), {KEY: metric.scaled(OBSERVED[None])[0]}
    sample = sample_of(u, z, every)
    with numpy_seeded(derive_seed("metric", 3)):
        theirs.initialize(t=0, get_sample=lambda: sample, x_0=z0, total_sims=200)
    want = [theirs({KEY: row}, z0, 0) for row in z]
    np.testing.assert_allclose(metric(x, OBSERVED), want)


def test_rows_from_a_store_give_the_bits_of_rows_in_memory(monkeypatch):
    class Streamed:
        def __init__(self, x):
            self.x, self.shape = x, x.shape

        def __getitem__(self, rows):
            return self.x[rows]

    got = learn(AbcSmc(rounds=4, draws=120), simulate, 2, OBSERVED, 1)
    monkeypatch.setattr("hpcvbi.infer.table.CHUNK", 7)
    streamed = replace(got.draws, x=Streamed(got.draws.x))
    for draws in (got.draws, streamed):
        found = got.algorithm.posterior(got.state, OBSERVED, 100, 1, draws)
        np.testing.assert_array_equal(found, got.posterior(OBSERVED, 100, 1))
    rows, apart = nearest(streamed.x, OBSERVED[None], 9, [norm(np.ones(3))])
    far = np.nan_to_num(np.sqrt(((got.draws.x - OBSERVED) ** 2).sum(1)), nan=np.inf)
    np.testing.assert_array_equal(rows[0], np.argsort(far, kind="stable")[:9])
    np.testing.assert_allclose(apart[0], np.sort(far)[:9])


def test_resampling_takes_rows_by_their_weights():
    rng = np.random.default_rng(0)
    weights = np.array([0.0, 0.5, 0.25, 0.25, 0.0])
    assert np.bincount(resampled(weights, 8, rng), minlength=5).tolist() == [0, 4, 2, 2, 0]
    order = resampled(np.ones(50), 50, rng)
    assert sorted(order) == list(range(50)) and order.tolist() != sorted(order)


def test_robust_scales():
    x = np.random.default_rng(0).standard_normal((1000, 4)) * [1.0, 5.0, 0.0, 1.0]
    x[:600, 3] = 0.0
    center, scale = robust(x + 2.0)
    np.testing.assert_allclose(center, 2.0, atol=0.3)
    np.testing.assert_allclose(scale, [1.0, 5.0, 0.0, x[:, 3].std()], rtol=0.1)


def test_a_distance_adapts_to_features_far_from_where_they_began():
    rng = np.random.default_rng(0)
    u, x = rng.random((400, 2)), rng.standard_normal((400, 2)) * [1.0, 50.0] + [0.0, 1000.0]
    measure = Measure("p_norm", "none", 2.0)
    metric = measure.fit(np.zeros(2), np.ones(2), u, x, np.ones(400, bool), x[0], seed=1)
    assert 40 < metric.weights[0] / metric.weights[1] < 60


@pytest.mark.parametrize("observed", [0.0, 2.0])
@pytest.mark.parametrize(
    "settings", [{}, {"distance": "info_weighted"}, {"distance": "aggregated", "p": 1}], ids=str
)
def test_a_feature_that_is_the_same_in_most_draws_counts(settings, observed):
    """It is 0 for u up to .6, and 10 (u - .6) from there on."""

    def mostly_silent(u, seed):
        noise = np.random.default_rng(seed).standard_normal((len(u), 2))
        loud = 10 * (u[:, 0] - 0.6) + 0.05 * noise[:, 0]
        return np.column_stack([np.where(u[:, 0] > 0.6, loud, 0.0), noise[:, 1]])

    algorithm = AbcSmc(rounds=5, draws=256, **settings)
    got = learn(algorithm, mostly_silent, 1, np.array([observed, 0.0]), 1)
    u = got.posterior(got.state.x_observed, 500, 1)
    wrong = np.abs(u - 0.8) > 0.1 if observed else u > 0.65
    assert wrong.mean() < 0.05, (wrong.mean(), got.state.weights)


def test_every_draw_is_looked_at_before_an_observation_is_said_to_lie_outside():
    """More rows than are sampled for noise and scale, and one that lies beyond the observation."""
    rng = np.random.default_rng(0)
    u, x = rng.random((60_000, 1)), rng.random((60_000, 1))
    algorithm = Rejection(draws=len(u))
    for row in range(0, len(u), 8192):
        found = x.copy()
        found[row] = 1.5
        start = algorithm.init(1, np.array([1.4]))
        _, info = algorithm.update(start, Draws.of(u, found), 1)
        assert info.observed_clipped == [False]
    found[row] = np.nan
    _, info = algorithm.update(start, Draws.of(u, found), 1)
    assert info.observed_clipped == [True]
