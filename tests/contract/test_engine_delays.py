"""A conduction speed that is drawn, and pasts of every kind, on phase oscillators with noise."""

from dataclasses import replace

import numpy as np
import pytest

from hpcvbi import (
    KURAMOTO,
    MODELS,
    Brain,
    Connectome,
    Param,
    Sample,
    Space,
    Uniform,
    WhiteNoise,
    simulate,
)
from hpcvbi.brain.brain import SPEED
from hpcvbi.core.errors import ConfigError
from hpcvbi.sim import network

N, DRAWS, DT = 6, 7, 0.5
# Slow enough for four steps per visit of a node; fast enough for delays of no step at all.
SPEEDS = {"blocked": (2.0, 6.0), "stepwise": (6.0, 50.0)}
FREE = Param("G", 0.1, low=0.0, prior=Uniform(0.0, 0.2))


def connectome() -> Connectome:
    rng = np.random.default_rng(2)
    weights = rng.random((N, N)) * (rng.random((N, N)) < 0.7)
    return Connectome(weights, rng.uniform(12.0, 40.0, (N, N)), tuple("abcdef"))


def brain_of(shape: str, speed: float | None = None) -> Brain:
    """Draws set the coupling strength, and the speed unless it is given."""
    drawn = () if speed else (SPEED.with_prior(Uniform(*SPEEDS[shape])),)
    return Brain(
        connectome(),
        MODELS["kuramoto"],
        KURAMOTO,
        WhiteNoise(("theta",)),
        dt=DT,
        duration=30.0,
        monitors=(Sample("theta", DT), Sample("sine", 1.0, name="sine")),
        space=Space((*drawn, FREE)),
        values={"omega": np.linspace(0.2, 0.4, N), "sigma": 0.1},
        speed=speed or 5.0,
    )


def theta_of(brain: Brain) -> np.ndarray:
    return brain.space.sample(np.random.default_rng(8), DRAWS)


def run(brain: Brain, theta: np.ndarray, **options) -> np.ndarray:
    options = {"width": 4, "initial": "random", **options}
    if options.get("backend") == "reference":
        del options["width"]
    return simulate(brain, theta, seed=4, **options).signals["sample"]


@pytest.mark.parametrize("shape", SPEEDS)
def test_each_draw_has_its_own_delays(shape):
    """As if it were simulated alone with that speed fixed, bit for bit."""
    brain = brain_of(shape)
    theta = theta_of(brain)
    laid = network.lay_out(brain, theta, np.dtype("float32"), 8)
    assert laid.shape == shape and laid.own_delays and len(np.unique(laid.delays, axis=0)) > 3
    together = run(brain, theta)
    for k in range(DRAWS):
        alone = brain_of(shape, float(theta[k, 0]))
        expected = run(alone, theta[[k], 1:], draws=np.array([k]))
        np.testing.assert_array_equal(together[[k]], expected)


@pytest.mark.parametrize("shape", SPEEDS)
def test_it_agrees_with_the_reference(shape):
    brain = brain_of(shape)
    theta = theta_of(brain)
    got, expected = run(brain, theta), run(brain, theta, backend="reference")
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_the_layout_of_a_block_does_not_matter():
    """A block of slow draws takes four steps at a time, with one fast draw among them one step."""
    slow, mixed = brain_of("blocked"), brain_of("stepwise")
    theta = theta_of(slow)
    space = Space((SPEED.with_prior(Uniform(2.0, 50.0)), FREE))
    slow, mixed = replace(slow, space=space), replace(mixed, space=space)
    more = np.concatenate([theta, [[45.0, 0.1]]])
    assert network.lay_out(mixed, more, np.dtype("float32"), 8).shape == "stepwise"
    np.testing.assert_array_equal(run(slow, theta), run(mixed, more)[:DRAWS])


def test_a_drawn_speed_without_delays_is_refused():
    with pytest.raises(ConfigError, match="'speed' is no parameter of this brain"):
        replace(brain_of("blocked"), speed=None)


def test_speed_is_one_number():
    fixed = brain_of("blocked", 3.0)
    with pytest.raises(ConfigError, match="speed must be one number"):
        replace(fixed, values={**fixed.values, "speed": np.full(N, 3.0)})
    with pytest.raises(ConfigError, match=r"speed \[mm/ms\] must lie in \[0.05, 1000\]"):
        replace(fixed, values={**fixed.values, "speed": 0.0})


def test_a_speed_among_the_values_is_the_one_that_counts():
    fixed = brain_of("blocked", 3.0)
    other = replace(fixed, values={**fixed.values, "speed": 5.0})
    theta = theta_of(fixed)
    np.testing.assert_array_equal(other.delays(theta), brain_of("blocked", 5.0).delays(theta))


def pasts() -> dict[str, np.ndarray]:
    """One state; a past just long enough; one for each draw."""
    rng = np.random.default_rng(1)
    brain = brain_of("blocked", 3.0)
    longest = int(brain.delays(np.zeros((1, 1)))[0][brain.connectome.weights > 0].max())
    return {
        "constant": rng.normal(size=(1, N)),
        "past": rng.normal(size=(1, longest + 1, N)),
        "longer past": rng.normal(size=(1, longest + 8, N)),
        "past of each draw": rng.normal(size=(DRAWS, 1, longest + 1, N)),
        "state of each draw": rng.normal(size=(DRAWS, 1, 1, N)),
    }


@pytest.mark.parametrize("kind", pasts())
def test_pasts(kind):
    """Both backends read a past alike; what lies before the longest delay does not matter."""
    brain, initial = brain_of("blocked", 3.0), pasts()[kind]
    theta = theta_of(brain)
    got = run(brain, theta, initial=initial)
    expected = run(brain, theta, initial=initial, backend="reference")
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    if kind == "longer past":
        np.testing.assert_array_equal(got, run(brain, theta, initial=initial[:, 7:]))
    if kind == "past":
        assert (np.abs(got - run(brain, theta, initial=initial[:, -1])) > 1e-3).any()
    if kind == "past of each draw":
        part = run(brain, theta[2:4], initial=initial[2:4], draws=np.array([2, 3]))
        np.testing.assert_array_equal(part, got[2:4])


def test_a_past_that_is_too_short_is_refused():
    initial = pasts()["past"]
    brain = brain_of("blocked", 3.0)
    rows = initial.shape[1]
    message = f"reaches back {rows - 2} steps, the longest delay {rows - 1}: give {rows} rows"
    with pytest.raises(ConfigError, match=message):
        run(brain, theta_of(brain), initial=initial[:, 1:])
    with pytest.raises(ConfigError, match=r"initial must have shape \(1, 6\), .* got \(2, 1, 1, 6"):
        run(brain, theta_of(brain), initial=np.zeros((2, 1, 1, N)))
    with pytest.raises(ConfigError, match="initial must be an array, random or None, got 'zero'"):
        run(brain, theta_of(brain), initial="zero")


def test_random_starts_cover_their_range_and_belong_to_the_draw():
    brain = replace(brain_of("blocked", 3.0), values={"sigma": 0.0, "omega": 0.0})
    many = np.zeros((400, 1))  # nothing moves: G = 0, ω = 0, no noise
    start = run(brain, many)[:, 0]
    low, high = MODELS["kuramoto"].state[0].start
    assert start.min() >= low and start.max() <= high
    # 2400 uniform numbers: five standard errors of the mean and of the variance
    wide = (high - low) / np.sqrt(12.0)
    assert abs(start.mean() - (low + high) / 2) < 5 * wide / np.sqrt(2400)
    assert abs(start.var() / wide**2 - 1.0) < 5 * np.sqrt(0.8 / 2400)
    assert np.unique(start).size == start.size
    part = run(brain, many[5:9], draws=np.arange(5, 9))
    np.testing.assert_array_equal(part[:, 0], start[5:9])
    np.testing.assert_array_equal(run(brain, many[:3], backend="reference")[:, 0], start[:3])


def test_random_starts_need_a_range():
    model = MODELS["kuramoto"]
    brain = brain_of("blocked", 3.0)
    plain = replace(model, state=(replace(model.state[0], start=None),))
    with pytest.raises(ConfigError, match=r"kuramoto declares no range of random starts for \['th"):
        run(replace(brain, model=plain), theta_of(brain))
