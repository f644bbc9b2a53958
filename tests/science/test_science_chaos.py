"""Lyapunov exponents by simulation, of models that a user declares and of Stuart-Landau.

Benettin et al. (1980) doi:10.1007/BF02128236: a node follows the trajectory, one further node for
each dimension is displaced a little; after every interval the displacements are measured, made
orthogonal and made small again. Many trajectories on the attractor run side by side. The first
`aligning` intervals turn the displacements into the directions that count.

Lorenz (1963) doi:10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2: .9056, 0, −14.5723. Rössler (1976)
doi:10.1016/0375-9601(76)90101-8: .0714, 0, −5.3943. Both from Sprott (2003), ISBN 0-19-850840-9.
"""

import numpy as np
import pytest
from networks import isolated

from hpcvbi import DIFFERENCE, LINEAR, MODELS, Brain, Model, Param, Sample, State, simulate

TINY = 1e-7
DRAWS = 64


def lorenz_dfun(x, y, z, c, sigma, rho, beta):
    """Convection; `c` is not used."""
    return sigma * (y - x) + 0.0 * c, x * (rho - z) - y, x * y - beta * z


def rossler_dfun(x, y, z, c, a, b, c_r):
    """A folded band; `c` is not used."""
    return 0.0 * c - y - z, x + a * y, b + z * (x - c_r)


LORENZ = Model(
    "lorenz",
    lorenz_dfun,
    (State("x", init=1.0), State("y", init=1.0), State("z", init=20.0)),
    ("c",),
    (Param("sigma", 10.0), Param("rho", 28.0), Param("beta", 8.0 / 3.0)),
    ("x",),
)
ROSSLER = Model(
    "rossler",
    rossler_dfun,
    (State("x", init=1.0), State("y", init=1.0), State("z", init=0.1)),
    ("c",),
    (Param("a", 0.2), Param("b", 0.2), Param("c_r", 5.7)),
    ("x",),
)


def exponents(model, coupling, start, dt, interval, settle, aligning, intervals, **values):
    """Lyapunov exponents [1/ms] in decreasing order, means over trajectories that start `settle`
    after the states `start` (draw, variable).
    """
    many = len(model.state)

    def brain(duration):
        return Brain(
            isolated(many + 1),
            model,
            coupling,
            None,
            dt=dt,
            duration=duration,
            monitors=tuple(Sample(s.name, duration, name=s.name) for s in model.state),
            values={"G": 0.0, **values},
            scheme="rk4",
        )

    def after(duration, x):
        """States (draw, variable, node) after `duration`."""
        seen = simulate(
            brain(duration), np.zeros((DRAWS, 0)), seed=0, dtype="float64", width=8, initial=x
        ).signals
        return np.stack([seen[s.name][:, -1] for s in model.state], axis=1)

    base = after(settle, np.repeat(start[:, :, None, None], many + 1, axis=3))[:, :, 0]
    frames = np.broadcast_to(np.eye(many), (DRAWS, many, many))
    growth = np.zeros(many)
    for number in range(aligning + intervals):
        start = np.concatenate([base[:, :, None], base[:, :, None] + TINY * frames], axis=2)
        end = after(interval, start[:, :, None])
        base = end[:, :, 0]
        frames, sizes = np.linalg.qr((end[:, :, 1:] - end[:, :, :1]) / TINY)
        if number >= aligning:
            growth += np.log(np.abs(np.einsum("dkk->dk", sizes))).mean(axis=0)
    return growth / (intervals * interval)


def test_lorenz():
    """Tolerance: .02 for the sample of 2560 time units; 1e-3 for the sum, which is minus the
    divergence σ + 1 + β = 13.6667 at every point.
    """
    start = np.array([1.0, 1.0, 20.0]) + np.random.default_rng(0).normal(size=(DRAWS, 3))
    found = exponents(LORENZ, LINEAR, start, 0.01, 0.2, 30.0, 30, 200)
    assert found[0] == pytest.approx(0.9056, abs=0.02)
    assert found[1] == pytest.approx(0.0, abs=0.02)
    assert found.sum() == pytest.approx(-41.0 / 3.0, abs=1e-3)


def test_rossler():
    """Tolerance: .005 for the sample of 8000 time units, from all around the band."""
    angle = 2 * np.pi * np.arange(DRAWS) / DRAWS
    start = np.stack([5 * np.cos(angle), 5 * np.sin(angle), np.full(DRAWS, 0.1)], axis=1)
    found = exponents(ROSSLER, LINEAR, start, 0.02, 0.5, 20.0, 150, 250)
    assert found[:2] == pytest.approx([0.0714, 0.0], abs=0.005)
    assert found[2] == pytest.approx(-5.3943, abs=0.05)


def test_stuart_landau():
    """(0, −2 a) on the limit cycle. Tolerance: 1e-4, the size of what is not linear."""
    model, values = MODELS["stuart_landau"], {"a": np.full(3, 0.2), "omega": np.full(3, 0.3)}
    start = np.random.default_rng(0).normal(size=(DRAWS, 2))
    found = exponents(
        MODELS["stuart_landau"], DIFFERENCE, start, 0.05, 1.0, 100.0, 30, 50, **values
    )
    np.testing.assert_allclose(found, [0.0, -0.4], atol=1e-4)
