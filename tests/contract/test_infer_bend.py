"""How features are bent for networks: which are, how even their noise becomes, which are not."""

from dataclasses import replace

import numpy as np
import pytest

from hpcvbi.core.errors import StoreMismatch
from hpcvbi.infer import Draws, Npe
from hpcvbi.infer.bend import choose_bend, straight
from hpcvbi.infer.scaling import fit_scaling

ROWS = 4000
RNG = np.random.default_rng(1)
U = RNG.random((ROWS, 2))
SIGNAL, NOISE = 4.0 * U.sum(axis=1), RNG.standard_normal((8, ROWS))
AS_THEY_ARE = {
    "even noise": SIGNAL + NOISE[0],
    "its tail is signal": np.exp(SIGNAL) + 30.0 * NOISE[1],
    "two clusters": (U[:, 0] > 0.5) + 0.1 * NOISE[2],
    "two values": np.round(U[:, 0]),
    "count": RNG.poisson(np.exp(SIGNAL - 4.0)).astype(float),
    "constant": np.full(ROWS, 3.0),
}
BENT = {
    "noise in proportion": np.exp(SIGNAL + 0.3 * NOISE[3]),
    "its mirror": -np.exp(SIGNAL + 0.3 * NOISE[4]),
    "of both signs": np.sinh(2.0 * (SIGNAL - 4.0) + 0.3 * NOISE[5]),
    "in proportion above a floor": np.exp(SIGNAL) * (1.0 + 0.3 * NOISE[6]) + 10.0 * NOISE[7],
}


def chosen(x, seed=0):
    return choose_bend(U, np.atleast_2d(x.T).T, np.random.default_rng(seed))


def unevenness(y):
    """Ratio of the largest to the smallest noise in fifths of the signal."""
    order = np.argsort(SIGNAL)
    parts = np.array_split(np.abs(np.diff(y[order])), 5)
    sizes = [np.median(part) for part in parts]
    return max(sizes) / min(sizes)


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_features_of_even_noise_and_counts_stay_as_they_are(name):
    assert chosen(AS_THEY_ARE[name]).bend == 0.0


@pytest.mark.parametrize("name", BENT)
def test_noise_becomes_even_and_order_stays(name):
    x = BENT[name]
    bend = chosen(x)
    y = bend(x[:, None])[:, 0]
    assert unevenness(x) > 10.0 and unevenness(y) < 3.0
    assert (np.diff(y[np.argsort(x)]) >= 0).all()
    step = 1e-6 * np.abs(x) + 1e-9
    slope = (bend((x + step)[:, None])[:, 0] - bend((x - step)[:, None])[:, 0]) / (2 * step)
    np.testing.assert_allclose(np.log(slope), bend.log_slope(x[:, None])[:, 0], atol=1e-3)


def test_units_of_a_feature_do_not_matter():
    varying = [x for name, x in {**AS_THEY_ARE, **BENT}.items() if name != "constant"]
    x = np.stack(varying, axis=1)
    one, other = (
        fit_scaling(values, 0.5, chosen(values)).apply(values) for values in (x, 1e-12 * x + 5e-12)
    )
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_an_extreme_value_is_bounded_on_a_bent_feature_too():
    x = BENT["noise in proportion"][:, None]
    found = fit_scaling(x, 0.5, chosen(x))
    assert found.bend.bend > 0 and not found.beyond(x).any()
    assert found.beyond([1e30]).all() and np.abs(found.apply([1e30])) < 6 < found.unclipped([1e30])


@pytest.mark.parametrize(("embedding", "bends"), [("none", True), ("mlp", True), ("cnn", False)])
def test_a_recording_is_not_bent_point_by_point(embedding, bends):
    algorithm = Npe(draws=200, embedding=embedding, max_epochs=1, hidden=4, transforms=1)
    x = np.repeat(BENT["noise in proportion"][:200, None], 8, axis=1)
    state, _ = algorithm.update(algorithm.init(2, x[0]), Draws.of(U[:200], x), 1)
    assert (state.bend > 0).any() == bends


def test_a_stored_bend_is_kept_and_checked():
    algorithm = Npe(draws=200, max_epochs=1, hidden=4, transforms=1)
    x = BENT["noise in proportion"][:200, None]
    state, _ = algorithm.update(algorithm.init(2, x[0]), Draws.of(U[:200], x), 1)
    again = algorithm.from_arrays(algorithm.to_arrays(state))
    assert again.bend > 0
    np.testing.assert_array_equal(again.scaling.apply(x), state.scaling.apply(x))
    with pytest.raises(StoreMismatch, match="bend"):
        algorithm.from_arrays(algorithm.to_arrays(replace(state, bend=-state.bend)))


def test_a_posterior_is_as_narrow_from_the_exponential_of_a_feature_as_from_the_feature():
    """The noise of `x` is .1 in u, which lies in (0, 1), whatever the feature's unit."""
    rng = np.random.default_rng(4)
    u, truth = rng.random((1000, 1)), np.linspace(0.2, 0.8, 7)[:, None]
    x, seen = (8 * (v + 0.1 * rng.standard_normal((len(v), 3))) for v in (u, truth))
    algorithm, widths = Npe(draws=1000, hidden=32, transforms=2), []
    for unit in (lambda x: x, np.exp):
        state, _ = algorithm.update(algorithm.init(1, unit(seen[0])), Draws.of(u, unit(x)), 1)
        drawn = algorithm.posterior(state, unit(seen), 500, 1)[..., 0]
        widths.append(drawn.std(1).mean())
        assert (np.abs(drawn.mean(1) - seen.mean(1) / 8) < 0.03).all()
    exact = 0.1 / np.sqrt(3)
    assert exact * 0.9 < min(widths) and max(widths) < exact * 1.2


def test_nothing_is_bent_by_a_straight_bend():
    x = RNG.standard_normal((5, 3))
    np.testing.assert_array_equal(straight(3)(x), x)
    assert not straight(3).log_slope(x).any()
