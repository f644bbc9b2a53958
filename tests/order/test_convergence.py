"""Orders of convergence: with noise on one path that coarse and fine steps share, without noise
against an eighth-order solution of the same equations.

Euler-Maruyama has strong order 1 for additive noise. Heun has order 2 where neither noise nor
coupling acts. Coupling is evaluated once per step and held through both stages of Heun, so that its
order is 1 where the coupling dominates.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hpcvbi import DIFFERENCE, MODELS, Brain, Connectome, Sample, WhiteNoise, simulate
from hpcvbi.sim import reference
from hpcvbi.sim.noise import normals

DURATION = 16.0
FINEST = 1 / 128
STEPS = [1 / 2, 1 / 4, 1 / 8, 1 / 16]
RING = Connectome(np.roll(np.eye(4), 1, axis=0), np.zeros((4, 4)), ("a", "b", "c", "d"))
A, OMEGA = 0.1, 0.1
START = np.stack([np.linspace(0.1, 0.4, 4), np.linspace(-0.3, 0.2, 4)])


def end_state(dt: float, scheme: str, G: float, sigma: float) -> np.ndarray:
    brain = Brain(
        RING,
        MODELS["stuart_landau"],
        DIFFERENCE,
        WhiteNoise(("x", "y")),
        dt=dt,
        duration=DURATION,
        monitors=(Sample("x", DURATION), Sample("y", DURATION, name="other")),
        values={"a": A, "omega": OMEGA, "G": G, "sigma": sigma},
        scheme=scheme,  # type: ignore[arg-type]
    )
    draws = np.zeros((4 if sigma else 1, 0))
    seen = simulate(
        brain, draws, seed=1, backend="reference", dtype="float64", initial=START
    ).signals
    return np.concatenate([seen["sample"], seen["other"]], axis=1)


@pytest.fixture
def one_path(monkeypatch):
    """Let coarse steps take the sums of the finest step's normals."""

    def coarse(seed, draw, steps, nodes, variables=1, **_):
        fine_steps = round(DURATION / FINEST)
        path = normals(seed, draw, fine_steps, nodes, variables).astype(float)
        together = path.reshape(steps, fine_steps // steps, variables, nodes)
        return together.sum(axis=1) / np.sqrt(fine_steps // steps)

    monkeypatch.setattr(reference, "normals", coarse)


def solution(G: float) -> np.ndarray:
    """End state without noise."""

    def flow(t, flat):
        x, y = flat.reshape(2, 4)
        pull = G * (RING.weights @ np.stack([x, y], axis=1) - np.stack([x, y], axis=1)).T
        growth = A - x * x - y * y
        return np.concatenate([growth * x - OMEGA * y + pull[0], growth * y + OMEGA * x + pull[1]])

    end = solve_ivp(flow, (0, DURATION), START.ravel(), "DOP853", rtol=1e-12, atol=1e-14)
    return end.y[:, -1].reshape(1, 2, 4)


def errors(scheme: str, G: float, sigma: float) -> np.ndarray:
    """Root mean square error at the end for each of STEPS, over draws, regions and variables."""
    exact = end_state(FINEST, scheme, G, sigma) if sigma else solution(G)
    return np.array(
        [np.sqrt(np.mean((end_state(dt, scheme, G, sigma) - exact) ** 2)) for dt in STEPS]
    )


def order_of(error: np.ndarray) -> float:
    return float(np.polyfit(np.log(STEPS), np.log(error), 1)[0])


@pytest.mark.parametrize(
    ("scheme", "G", "sigma", "expected"),
    [
        ("euler", 0.05, 0.02, 1.0),
        ("heun", 0.0, 0.0, 2.0),
        ("heun", 0.5, 0.0, 1.0),
        ("heun", 0.05, 0.02, 1.0),
    ],
)
def test_order(one_path, scheme, G, sigma, expected):
    assert order_of(errors(scheme, G, sigma)) == pytest.approx(expected, abs=0.15)
