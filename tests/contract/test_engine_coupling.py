"""Every coupling gives the input that its formula says, in both backends, with and without delays.

The model does nothing but receive: one Euler step of 1 ms changes its state by the input.
"""

from dataclasses import replace

import numpy as np
import pytest
from numpy import exp, tanh

from hpcvbi import (
    COUPLINGS,
    LINEAR,
    Brain,
    Connectome,
    Coupling,
    Model,
    Output,
    Param,
    Sample,
    State,
    simulate,
)

N, LONGEST = 5, 3
RNG = np.random.default_rng(5)
# Directed, with self-connections; region 2 receives nothing, region 4 sends nothing.
WEIGHTS = RNG.uniform(-1.0, 2.0, (N, N)) * (1.0 - np.eye(N)[2][:, None]) * (1.0 - np.eye(N)[4])
DELAYS = RNG.integers(0, LONGEST + 1, (N, N))
PAST = RNG.normal(0.0, 1.0, (2, LONGEST + 1, N))
BOTH = pytest.mark.parametrize("backend", ["cpu", "reference"])


def dfun(x, y, c):
    """Receive."""
    return c, 0.0 * y


def total_of(x, y, scale):
    """What is sent, if asked for."""
    return scale * (x + y * y)


RECEIVER = Model(
    "receiver",
    dfun,
    (State("x"), State("y")),
    ("c",),
    (),
    ("x",),
)


def dfun_with_scale(x, y, c, scale):
    """Receive."""
    return c, 0.0 * y


SENDER = Model(
    "sender",
    dfun_with_scale,
    (State("x"), State("y")),
    ("c",),
    (Param("scale", 1.0),),
    ("x",),
    outputs=(Output("total", "1", total_of),),
)


def step_of(coupling, values, speed, backend, model=RECEIVER, **changes) -> np.ndarray:
    """What one step of 1 ms adds to x."""
    brain = Brain(
        Connectome(WEIGHTS, DELAYS.astype(float), tuple("abcde")),
        model,
        coupling,
        None,
        dt=1.0,
        duration=1.0,
        monitors=(Sample("x", 1.0),),
        values=values,
        speed=speed,
        **changes,
    )
    options = {"width": 2} if backend == "cpu" else {}
    seen = simulate(brain, seed=0, backend=backend, dtype="float64", initial=PAST, **options)
    return seen.signals["sample"][0, 0] - PAST[0, -1]


def totals(sent: np.ndarray, speed: float | None) -> np.ndarray:
    """Weighted sum over the sources of `sent` (history, region)."""
    delays = DELAYS if speed else 0 * DELAYS
    return (WEIGHTS * sent[LONGEST - delays, np.arange(N)]).sum(axis=1)


def sigmoid(x):
    return 0.1 + 1.9 / (1.0 + np.exp(2.0 * (0.3 - x)))


RATES = {"cmin": 0.1, "cmax": 2.0, "midpoint": 0.3, "steepness": 2.0}
PER_REGION = np.linspace(0.5, 1.5, N)
OWN = PAST[0, -1]
# coupling: parameters (one of them per region), input expected from x (history, region)
EXPECTED = {
    "linear": (
        {"offset": PER_REGION, "G": 0.7},
        lambda x, speed: 0.7 * totals(x, speed) + PER_REGION,
    ),
    "difference": (
        {"G": PER_REGION},
        lambda x, speed: PER_REGION * (totals(x, speed) - WEIGHTS.sum(axis=1) * OWN),
    ),
    "sigmoidal": (
        {"G": PER_REGION, **RATES},
        lambda x, speed: PER_REGION * totals(sigmoid(x), speed),
    ),
    "sigmoidal_after": (
        {"G": PER_REGION, **RATES},
        lambda x, speed: PER_REGION * sigmoid(totals(x, speed)),
    ),
    "hyperbolic_tangent": (
        {"G": 1.3, "gain": PER_REGION, "shift": 0.2, "scale": 2.0},
        lambda x, speed: 1.3 * totals(1.0 + np.tanh((PER_REGION * x - 0.2) / 2.0), speed),
    ),
    "kuramoto": (
        {"G": PER_REGION},
        lambda x, speed: PER_REGION * pairwise_sines(x, speed),
    ),
}


def pairwise_sines(x: np.ndarray, speed: float | None) -> np.ndarray:
    """Σ_j w_ij sin(x_j(t − d_ij) − x_i(t))."""
    delays = DELAYS if speed else 0 * DELAYS
    return (WEIGHTS * np.sin(x[LONGEST - delays, np.arange(N)] - OWN[:, None])).sum(axis=1)


def test_every_coupling_is_tried():
    assert EXPECTED.keys() == COUPLINGS.keys()


@BOTH
@pytest.mark.parametrize("name", EXPECTED)
def test_couplings_with_delays(name, backend):
    values, expected = EXPECTED[name]
    got = step_of(COUPLINGS[name], values, 1.0, backend)
    np.testing.assert_allclose(got, expected(PAST[0], 1.0), rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", EXPECTED)
def test_couplings_without_delays(name):
    values, expected = EXPECTED[name]
    got = step_of(COUPLINGS[name], values, None, "reference")
    np.testing.assert_allclose(got, expected(PAST[0], None), rtol=0, atol=1e-11)


def pre(x, y, bend):
    """Three channels of two sent quantities."""
    return x * y, exp(bend * y), tanh(x)


def mix(t_1, t_2, t_3, own_1, own_2, own_3, strength, G, bend):
    """One input of three totals and three own channels."""
    return (G * t_1 + bend * t_2 - t_3 * own_3 + own_2 * own_1 - strength,)


CUSTOM = Coupling(
    "custom",
    None,
    (Param("G", 1.0), Param("bend", 0.5)),
    pre=pre,
    channels=3,
    mix=mix,
    inputs=1,
)


@BOTH
@pytest.mark.parametrize("speed", [None, 1.0])
def test_custom_coupling_with_an_output_that_is_sent(backend, speed):
    """`sends` replaces what the model sends; pre and mix share a parameter per region."""
    x, y = PAST
    level = 1.5 * (x + y * y)
    channels = level * y, np.exp(PER_REGION * y), np.tanh(level)
    t = [totals(channel, speed) for channel in channels]
    own = [channel[-1] for channel in channels]
    expected = 0.3 * t[0] + PER_REGION * t[1] - t[2] * own[2] + own[1] * own[0]
    got = step_of(
        CUSTOM,
        {"G": 0.3, "bend": PER_REGION, "scale": 1.5},
        speed,
        backend,
        model=SENDER,
        sends=("total", "y"),
    )
    np.testing.assert_allclose(got, expected - WEIGHTS.sum(axis=1), rtol=0, atol=1e-11)


@BOTH
def test_regions_without_connections_and_a_single_region(backend):
    """Neither is an error: what is not connected receives the offset only."""
    options = {"width": 2} if backend == "cpu" else {}
    for n in (1, N):
        brain = Brain(
            Connectome(np.zeros((n, n)), np.full((n, n), 50.0), tuple("abcde"[:n])),
            RECEIVER,
            LINEAR,
            None,
            dt=1.0,
            duration=3.0,
            monitors=(Sample("x", 1.0),),
            values={"offset": 0.25, "G": 5.0},
            speed=1.0,
        )
        seen = simulate(brain, seed=0, backend=backend, dtype="float64", **options)
        expected = 0.25 * np.arange(1, 4)[:, None] * np.ones(n)
        np.testing.assert_array_equal(seen.signals["sample"][0], expected)


@BOTH
def test_a_region_that_is_its_own_only_source(backend):
    """N = 1 with a self-connection: x doubles in every step."""
    brain = Brain(
        Connectome(np.ones((1, 1)), np.zeros((1, 1)), ("alone",)),
        RECEIVER,
        LINEAR,
        None,
        dt=1.0,
        duration=4.0,
        monitors=(Sample("x", 1.0),),
    )
    options = {"width": 2} if backend == "cpu" else {}
    start = np.array([[1.0], [0.0]])
    for changed in (brain, replace(brain, speed=3.0)):
        seen = simulate(changed, seed=0, backend=backend, dtype="float64", initial=start, **options)
        np.testing.assert_array_equal(seen.signals["sample"][0, :, 0], [2.0, 4.0, 8.0, 16.0])


def test_a_delay_longer_than_the_run_shows_the_past_only():
    """The source's change never arrives."""
    pair = Connectome(np.array([[0.0, 0.0], [1.0, 0.0]]), np.full((2, 2), 400.0), ("a", "b"))
    brain = Brain(
        pair,
        RECEIVER,
        LINEAR,
        None,
        dt=1.0,
        duration=6.0,
        monitors=(Sample("x", 1.0),),
        values={"offset": np.array([1.0, 0.0])},
        speed=1.0,
    )
    start = np.array([[3.0, 0.0], [0.0, 0.0]])
    for backend in ("cpu", "reference"):
        options = {"width": 2} if backend == "cpu" else {}
        seen = simulate(brain, seed=0, backend=backend, dtype="float64", initial=start, **options)
        x = seen.signals["sample"][0]
        np.testing.assert_array_equal(x[:, 0], 3.0 + np.arange(1, 7))
        np.testing.assert_array_equal(x[:, 1], 3.0 * np.arange(1, 7))
