"""The coupling evaluated every `coupling_step` ms and held in between."""

from dataclasses import replace

import numpy as np
import pytest
from engine_brains import N, rich_brain, spread_theta

from hpcvbi import Space, Status, WhiteNoise, simulate
from hpcvbi.brain.brain import Brain
from hpcvbi.core.errors import ConfigError
from hpcvbi.sim import network

SCALE = {"fc": 1.0, "bold": 4.0, "bold_moments": 4.0}
# coupling_step [ms], speed, burn_in [ms]; 36 ms hold 96 steps of dt with their burn-in or not.
CASES = [(2.0, 5.0, 13.5), (5.0, 2.0, 0.0), (3.0, 5.0, 4.0), (3.5, None, 13.5), (24.0, 0.5, 30.0)]


def brain_of(coupling_step: float | None, speed: float | None, burn_in: float = 13.5) -> Brain:
    """Without a drawn speed, so that all cases share one kernel."""
    brain = rich_brain(
        "dense",
        WhiteNoise(("x",)),
        duration=48.0,
        burn_in=burn_in,
        speed=speed,
        coupling_step=coupling_step,
    )
    return replace(brain, values={**brain.values, "sigma": np.linspace(0.0, 0.05, N)})


@pytest.mark.parametrize(("coupling_step", "speed", "burn_in"), CASES)
def test_lanes_agree_with_the_reference(coupling_step, speed, burn_in):
    brain = brain_of(coupling_step, speed, burn_in)
    theta = spread_theta(brain, 2)
    assert network.lay_out(brain, theta, np.dtype("float64"), 8).shape == "held"
    for initial in (None, "random"):
        lanes, plain = (
            simulate(brain, theta, seed=3, dtype="float64", initial=initial, **options)
            for options in ({"width": 4}, {"backend": "reference"})
        )
        assert (lanes.status == Status.OK).all() and (plain.status == Status.OK).all()
        for name, expected in plain.signals.items():
            scale = SCALE.get(name) or np.abs(expected).max()
            got = lanes.signals[name]
            assert got.shape == expected.shape
            assert np.abs(got - expected).max() <= 1e-11 * scale, name


def test_what_is_held_is_the_total_of_the_window_before():
    """Euler steps by hand: the total changes every four steps, the own state in each."""
    silent = {"noise": None, "stimuli": (), "space": Space(()), "values": {"G": 0.1}}
    brain = replace(brain_of(2.0, 5.0, 0.0), **silent)
    seen = simulate(brain, seed=0, backend="reference", dtype="float64").signals["sample"][0]
    weights = brain.connectome.weights
    delays = np.floor(brain.connectome.lengths / 5.0 / 2.0).astype(int)
    x, y = np.full(N, 0.3), np.full(N, 0.1)
    windows = [np.stack([x, np.tanh(x - 1.2 * y)])] * (delays.max() + 1)
    for step in range(96):
        if step % 4 == 0:
            late = np.stack(windows)[-1 - delays, :, np.arange(N)]
            total = 0.1 * np.einsum("ij,ijc->ci", weights, late)
        dx = x - x**3 / 3 - y + 0.3 + total[0]
        dy = (1.2 * x - y + total[1]) / 8.0
        x, y = x + 0.5 * dx, np.clip(y + 0.5 * dy, -2.0, 2.0)
        x = np.where(np.abs(x) > 0.5, np.sign(x) * (0.5 + 2.5 * np.tanh((abs(x) - 0.5) / 2.5)), x)
        if step % 4 == 3:
            windows.append(np.stack([x, np.tanh(x - 1.2 * y)]))
        np.testing.assert_allclose(seen[step], np.tanh(x - 1.2 * y), rtol=0, atol=1e-11)


def test_without_coupling_it_does_not_matter():
    """G = 0: the same bits as when the coupling is evaluated in each step."""
    plain = brain_of(None, None)
    plain = replace(plain, values={**plain.values, "G": 0.0})
    theta = spread_theta(plain, 3)
    signals = {}
    for coupling_step in (None, 2.0, 5.0):
        brain = replace(plain, coupling_step=coupling_step)
        run = simulate(brain, theta, seed=3, dtype="float64", width=4)
        signals[coupling_step] = run.signals
    for name, expected in signals[None].items():
        np.testing.assert_array_equal(signals[2.0][name], expected, err_msg=name)
        np.testing.assert_array_equal(signals[5.0][name], expected, err_msg=name)


def test_with_coupling_it_does_matter_and_little():
    plain = brain_of(None, 5.0)
    theta = spread_theta(plain, 2)
    options = {"seed": 3, "dtype": "float64", "backend": "reference"}
    exact = simulate(plain, theta, **options).signals["sample"]
    apart = [
        np.abs(
            simulate(replace(plain, coupling_step=t), theta, **options).signals["sample"] - exact
        )
        for t in (0.5, 1.0, 4.0)
    ]
    assert apart[0].max() == 0.0
    # FitzHugh-Nagumo nodes that fire a little later differ much for a little while.
    middle = [np.median(difference) for difference in apart]
    assert 0.0 < middle[1] < middle[2] < 0.02


@pytest.mark.parametrize(
    ("coupling_step", "message"),
    [
        (0.7, "coupling_step = 0.7 ms must be a whole multiple of dt = 0.5 ms"),
        (-1.0, "coupling_step = -1 ms must be a whole multiple"),
        (0.0, r"coupling_step must be positive \[ms\], or None"),
        (np.inf, "coupling_step = inf ms"),
    ],
)
def test_steps_of_the_coupling_are_whole(coupling_step, message):
    with pytest.raises(ConfigError, match=message):
        brain_of(coupling_step, 5.0)
