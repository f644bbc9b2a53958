"""What stimuli look like in time, and what they do to state variables and parameters."""

from dataclasses import replace

import numpy as np
import pytest

from hpcvbi import (
    LINEAR,
    Brain,
    Connectome,
    FrozenNoise,
    Model,
    Param,
    Pulse,
    Ramp,
    Sample,
    Sine,
    Space,
    State,
    Stimulus,
    Train,
    Uniform,
    Waypoints,
    simulate,
)
from hpcvbi.core.errors import ConfigError

DT = 0.1
TIME = (np.arange(400) - 50) * DT  # from -5 ms; many of these are no exact decimal fractions


def steps(waveform) -> list[int]:
    """Numbers of the steps, counted from t = 0, at which a waveform is not zero."""
    return (np.flatnonzero(waveform.sample(TIME)) - 50).tolist()


def test_a_pulse_begins_and_ends_on_a_step():
    assert steps(Pulse(0.3, 0.6)) == [3, 4, 5, 6, 7, 8]
    assert steps(Pulse(-1.2, 0.3)) == [-12, -11, -10]
    assert set(Pulse(0.3, 0.6).sample(TIME)) == {0.0, 1.0}
    # A start between two steps acts from the next one on.
    assert steps(Pulse(0.35, 0.3)) == [4, 5, 6]


def test_a_train_counts_its_pulses():
    first = [7, 8]
    expected = [step + 7 * number for number in range(4) for step in first]
    assert steps(Train(0.7, 0.7, 0.2, 4)) == expected
    assert steps(Train(0.7, 0.7, 0.7, 2)) == list(range(7, 21))
    assert steps(Train(-0.3, 0.5, 0.1, 2)) == [-3, 2]


def test_a_sine_begins_with_its_phase_and_stops():
    wave = Sine(125.0, phase=0.5, start=1.0, stop=9.0)
    expected = np.sin(2 * np.pi * (TIME - 1.0) / 8.0 + 0.5)
    between = np.arange(400) - 50
    expected[(between < 10) | (between >= 90)] = 0.0
    np.testing.assert_allclose(wave.sample(TIME), expected, atol=1e-13)
    assert Sine(125.0).sample(TIME)[-1] != 0.0 and steps(Sine(125.0))[0] == 1


def test_a_ramp_rises_and_stays():
    values = Ramp(-1.0, 3.0).sample(TIME)
    np.testing.assert_allclose(values, np.clip((TIME + 1.0) / 4.0, 0.0, 1.0), atol=1e-15)
    assert values[0] == 0.0 and values[-1] == 1.0


def test_waypoints_are_joined_by_straight_lines():
    wave = Waypoints(np.array([0.0, 2.0, 3.0]), np.array([1.0, -1.0, 2.0]))
    at = wave.sample(np.array([-0.1, 0.0, 1.0, 2.0, 2.5, 3.0, 3.1]))
    np.testing.assert_allclose(at, [0.0, 1.0, 0.0, -1.0, 0.5, 2.0, 0.0], atol=1e-15)


def test_frozen_noise_is_held_and_reproducible():
    wave = FrozenNoise(4, 0.7, start=-1.4)
    values = wave.sample(TIME)
    assert (values[:36] == 0).all()
    held = values[36 : 36 + 7 * 50].reshape(50, 7)
    np.testing.assert_array_equal(held, held[:, :1] * np.ones(7))
    assert np.unique(held).size == 50
    np.testing.assert_array_equal(FrozenNoise(4, 0.7, start=-1.4).sample(TIME), values)
    # A longer run sees the same beginning; another seed something else.
    more = wave.sample((np.arange(4000) - 50) * DT)
    np.testing.assert_array_equal(more[:400], values)
    assert (FrozenNoise(5, 0.7, start=-1.4).sample(TIME)[36:] != values[36:]).all()
    many = FrozenNoise(1, 1.0).sample(np.arange(20000.0))
    assert abs(many.mean()) < 4 / np.sqrt(20000) and abs(many.var() - 1) < 4 * np.sqrt(2 / 20000)


def pushed(x, y, c, p):
    """Move at the pace p; grow."""
    return p + c, y * p


MODEL = Model(
    "pushed",
    pushed,
    (State("x"), State("y", init=1.0)),
    ("c",),
    (Param("p", 0.0, "1/ms", -1e3, 1e3),),
    ("x",),
)
WEIGHTS = np.array([0.0, 1.0, -2.0])


def brain_of(*stimuli: Stimulus, **changes) -> Brain:
    given = {
        "values": {"G": 0.0},
        "burn_in": 1.0,
        "duration": 10.0,
        "monitors": (Sample("x", DT), Sample("y", DT, name="y")),
        **changes,
    }
    network = Connectome(np.eye(3), np.zeros((3, 3)), tuple("abc"))
    return Brain(network, MODEL, LINEAR, None, dt=DT, stimuli=stimuli, **given)


def run(brain: Brain, theta: np.ndarray | None = None, backend: str = "reference"):
    options = {"width": 2} if backend == "cpu" else {}
    return simulate(brain, theta, seed=0, backend=backend, dtype="float64", **options).signals


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_on_a_variable_and_twice_on_a_parameter(backend):
    """Time counts from the end of the burn-in, and amplitudes can be drawn."""
    step, wave = Pulse(-0.5, 2.0), Sine(200.0)
    stimuli = (
        Stimulus("kick", "x", WEIGHTS, step),
        Stimulus("first", "p", np.ones(3), wave),
        Stimulus("second", "p", WEIGHTS, step),
    )
    drawn = Param("second", 1.0, prior=Uniform(-1.0, 1.0))
    values = {"G": 0.0, "kick": 0.5, "first": 0.2, "p": 0.01}
    brain = brain_of(*stimuli, space=Space((drawn,)), values=values)
    theta = np.array([[0.3], [-0.7]])
    got = run(brain, theta, backend)
    time = (np.arange(110) - 10) * DT
    for k, (second,) in enumerate(theta):
        p = 0.01 + 0.2 * wave.sample(time)[:, None] + second * WEIGHTS * step.sample(time)[:, None]
        x = np.cumsum(DT * (p + 0.5 * WEIGHTS * step.sample(time)[:, None]), axis=0)
        np.testing.assert_allclose(got["sample"][k], x[10:], rtol=0, atol=1e-12)
        y = np.cumprod(1.0 + DT * p, axis=0)
        np.testing.assert_allclose(got["y"][k], y[10:], rtol=1e-12)


@pytest.mark.parametrize("scheme", ["euler", "heun", "rk4", "sra1"])
def test_it_is_held_over_a_step_in_all_stages(scheme):
    """A changing drive moves x by its value at the beginning of the step."""
    wave = Ramp(0.0, 10.0)
    brain = brain_of(Stimulus("drive", "p", np.ones(3), wave), scheme=scheme, burn_in=0.0)
    got = run(brain)
    p = wave.sample(np.arange(100) * DT)
    np.testing.assert_allclose(got["sample"][0, :, 1], np.cumsum(DT * p), atol=1e-13)
    z = DT * p
    growth = {
        "euler": 1 + z,
        "heun": 1 + z + z**2 / 2,
        "sra1": 1 + z + z**2 / 2,
        "rk4": 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24,
    }[scheme]
    np.testing.assert_allclose(got["y"][0, :, 0], np.cumprod(growth), rtol=1e-13)


def test_its_amplitude_is_a_parameter_with_a_unit():
    on_state = brain_of(Stimulus("kick", "x", WEIGHTS, Pulse(0.0, 1.0)))
    (kick,) = [p for p in on_state.params if p.name == "kick"]
    assert kick.unit == "1/ms" and kick.default == 1.0
    on_param = brain_of(Stimulus("kick", "p", WEIGHTS, Pulse(0.0, 1.0)))
    (kick,) = [p for p in on_param.params if p.name == "kick"]
    assert kick.unit == "1/ms"
    silent = run(replace(on_state, values={"G": 0.0, "kick": 0.0}))
    np.testing.assert_array_equal(silent["sample"], 0.0)
    np.testing.assert_allclose(run(on_state)["sample"][0, -1], WEIGHTS, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Train(0.0, 1.0, 2.0, 3), "width 2 ms must be positive and not exceed the period"),
        (lambda: Train(0.0, 1.0, 0.5, 0), "count 0 be at least 1"),
        (lambda: Ramp(3.0, 3.0), "start 3 ms must lie before stop 3"),
        (lambda: FrozenNoise(1, 0.0), r"hold must be positive \[ms\], got 0"),
        (lambda: Pulse(0.0, 0.0), r"pulse: width must be positive \[ms\], got 0"),
        (lambda: Pulse(np.nan, 1.0), "pulse: start nan"),
        (lambda: Sine(np.inf), "sine: frequency inf"),
        (lambda: Sine(10.0, start=3.0, stop=2.0), "sine: start 3 ms must lie before stop 2"),
        (lambda: Waypoints(np.arange(3), np.arange(2)), "two vectors of one length >= 2"),
        (lambda: Waypoints(np.zeros(2), np.arange(2)), "times must increase"),
        (lambda: Waypoints(np.arange(2), np.array([0, np.nan])), "all numbers be finite"),
        (lambda: Stimulus("s", "x", np.ones((1, 3)), Pulse(0, 1)), "one finite weight per region"),
        (lambda: Stimulus("s", "x", np.array([np.nan]), Pulse(0, 1)), "one finite weight per"),
        (
            lambda: brain_of(Stimulus("s", "q", WEIGHTS, Pulse(0, 1))),
            "stimulus s on 'q': pushed has the state variables and parameters x, y, p",
        ),
        (
            lambda: brain_of(Stimulus("s", "x", np.ones(2), Pulse(0, 1))),
            "stimulus s: 2 weights for 3 regions",
        ),
        (
            lambda: brain_of(*[Stimulus("s", "x", WEIGHTS, Pulse(0, 1))] * 2),
            "parameter names collide",
        ),
        (lambda: brain_of(Stimulus("p", "x", WEIGHTS, Pulse(0, 1))), "parameter names collide"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
