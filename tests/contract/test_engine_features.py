"""A brain with everything in it: both backends agree, and a draw's bits are its own."""

from dataclasses import replace

import numpy as np
import pytest
from engine_brains import N, rich_brain, spread_theta

from hpcvbi import OrnsteinUhlenbeck, Space, Status, WhiteNoise, simulate
from hpcvbi.brain.brain import Brain
from hpcvbi.sim import cpu, network

TOLERANCE = {"float64": 1e-11, "float32": 2e-5}
NOISES = {
    "ou": OrnsteinUhlenbeck(("y", "x"), separate=True),
    "white": WhiteNoise(("y", "x"), separate=True),
    "none": None,
}
SIGMAS = {
    "ou": {"sigma_y": 0.02, "sigma_x": np.linspace(0.0, 0.1, N), "tau_noise": 7.0},
    "white": {"sigma_y": 0.01, "sigma_x": np.linspace(0.0, 0.05, N)},
    "none": {},
}
# layout, noise, scheme, dtype
CASES = [
    ("long", "ou", "euler", "float32"),
    ("short", "ou", "euler", "float32"),
    ("dense", "ou", "heun", "float64"),
    ("short", "white", "sra1", "float64"),
    ("dense", "none", "rk4", "float32"),
]


def brain_of(layout: str, noise: str, scheme: str) -> Brain:
    brain = rich_brain(layout, NOISES[noise], scheme=scheme)
    return replace(brain, values={**brain.values, **SIGMAS[noise]})


def assert_agreement(brain: Brain, dtype: str, draws: int = 3, **options) -> None:
    theta = spread_theta(brain, draws)
    lanes = simulate(brain, theta, seed=11, dtype=dtype, width=8, **options)
    plain = simulate(brain, theta, seed=11, dtype=dtype, backend="reference", **options)
    assert (lanes.status == Status.OK).all() and (plain.status == Status.OK).all()
    assert lanes.signals.keys() == plain.signals.keys()
    for name, expected in plain.signals.items():
        got = lanes.signals[name]
        assert got.shape == expected.shape and got.dtype == np.dtype(dtype)
        # A sum of rounded numbers is compared with the largest of them.
        scale = {"fc": 1.0}.get(name) or np.abs(expected).max()
        assert np.abs(got - expected).max() <= TOLERANCE[dtype] * scale, name


@pytest.mark.parametrize(("layout", "noise", "scheme", "dtype"), CASES)
def test_lanes_agree_with_the_reference(layout, noise, scheme, dtype):
    brain = brain_of(layout, noise, scheme)
    laid = network.lay_out(brain, spread_theta(brain, 3), np.dtype(dtype), 8)
    shape = {"long": "blocked", "short": "stepwise", "dense": "dense"}[layout]
    assert laid.shape == shape and laid.own_delays == (layout != "dense")
    assert_agreement(brain, dtype)
