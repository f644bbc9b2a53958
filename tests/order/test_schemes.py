"""Orders of convergence of every scheme, strong and weak, on regions that are not coupled, each of
which is a path of its own; and the first order of a coupling that is held over the step.

Strong, additive noise:         Euler 1, Heun 1, SRA1 3/2     multiplicative: Euler 1/2, Heun 1/2
Weak, additive noise:           Euler 1, Heun 2, SRA1 2
Without noise and coupling:     Euler 1, Heun 2, SRA1 2, RK4 4

Kloeden & Platen (1992) doi:10.1007/978-3-662-12616-5; Rößler (2010) doi:10.1137/09076636X.
"""

from dataclasses import replace

import numpy as np
import pytest
from numpy import sin
from scipy.integrate import solve_ivp

from hpcvbi import (
    LINEAR,
    Brain,
    Connectome,
    Model,
    Sample,
    State,
    WhiteNoise,
    simulate,
)
from hpcvbi.sim import reference
from hpcvbi.sim.noise import normals

N, DRAWS, DURATION = 100, 2, 2.0
STEPS = [1 / 8, 1 / 16, 1 / 32, 1 / 64]
FINEST = 1 / 1024
# So large that the error that noise makes outweighs that of the drift, which has higher order.
SIGMA = {"hilly": 2.0, "geometric": 1.0}


def hilly(x, c):
    """Drift in a potential with hills."""
    return (sin(x) + c,)


def growth(x, c):
    """Exponential decay."""
    return (c - 0.1 * x,)


def proportional(x):
    """Noise in proportion to the state."""
    return (x,)


def turning(x, y, c):
    """A nonlinear oscillator."""
    return y * (1.0 + x * x) + c, -x - 0.1 * y * x * x


X = (State("x", init=0.5),)
HILLS = Model("hilly", hilly, X, ("c",), (), ("x",))
GEOMETRIC = Model("geometric", growth, X, ("c",), (), ("x",), diffusion=proportional)
OSCILLATOR = Model("turning", turning, (*X, State("y", init=-0.2)), ("c",), (), ("x",))


def brain_of(model: Model, scheme: str, dt: float, sigma: float, n: int = N, G: float = 0.0):
    weights = np.roll(np.eye(n), 1, axis=0) if G else np.zeros((n, n))
    return Brain(
        Connectome(weights, np.zeros((n, n)), tuple(map(str, range(n)))),
        model,
        LINEAR,
        WhiteNoise(("x",)) if sigma else None,
        dt=dt,
        duration=DURATION,
        monitors=(Sample("x", DURATION),),
        values={"G": G, **({"sigma": sigma} if sigma else {})},
        scheme=scheme,  # type: ignore[arg-type]
    )


def ends(brain: Brain, draws: int = DRAWS) -> np.ndarray:
    """State x at the end, (draw, region)."""
    theta = np.zeros((draws, 0))
    seen = simulate(brain, theta, seed=3, backend="reference", dtype="float64")
    return seen.signals["sample"][:, 0]


def together(fine: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Increments ξ and areas ζ of `count` steps that share the fine path (step, ξ and ζ, node).

    With h = 1: W = Σ ξ, and ∫W ds = Σ W before each step + Σ (ξ + ζ/√3)/2.
    """
    m = len(fine) // count
    xi, zeta = fine.reshape(count, m, 2, -1).transpose(2, 0, 1, 3)
    before = np.cumsum(xi, axis=1) - xi
    area = (before + (xi + zeta / np.sqrt(3.0)) / 2).sum(axis=1)
    coarse = xi.sum(axis=1) / np.sqrt(m)
    return coarse, np.sqrt(3.0) * (2 * area / m**1.5 - coarse)


@pytest.fixture
def one_path(monkeypatch):
    """Let coarse steps take the path of the finest ones."""

    def coarse(seed, draw, steps, nodes, variables=1, **_):
        fine = normals(seed, draw, round(DURATION / FINEST), nodes, 2).astype(float)
        return np.stack(together(fine, steps), axis=1)[:, :variables]

    monkeypatch.setattr(reference, "normals", coarse)


def order_of(steps: list[float], error: np.ndarray) -> float:
    return float(np.polyfit(np.log(steps), np.log(error), 1)[0])


def test_steps_that_are_put_together_are_the_path_that_refinement_halves():
    fine = normals(5, 0, 64, 30, 2, level=1, areas=True).astype(float)
    coarse = normals(5, 0, 32, 30, 2, areas=True).astype(float)
    np.testing.assert_allclose(np.stack(together(fine, 32), axis=1), coarse, atol=3e-6)


@pytest.mark.parametrize(
    ("model", "scheme", "expected"),
    [
        (HILLS, "euler", 1.0),
        (HILLS, "heun", 1.0),
        (HILLS, "sra1", 1.5),
        (GEOMETRIC, "euler", 0.5),
        (GEOMETRIC, "heun", 0.5),
    ],
)
def test_strong_order(one_path, model, scheme, expected):
    if model is HILLS:
        exact = ends(brain_of(HILLS, "sra1", FINEST, SIGMA[model.name]))
    else:
        paths = [normals(3, d, round(DURATION / FINEST), N, 2)[:, 0] for d in range(DRAWS)]
        sigma = SIGMA[model.name]
        w = np.stack(paths).astype(float).sum(axis=1) * np.sqrt(FINEST)
        exact = 0.5 * np.exp((-0.1 - sigma**2 / 2) * DURATION + sigma * w)
    error = [
        np.sqrt(np.mean((ends(brain_of(model, scheme, dt, SIGMA[model.name])) - exact) ** 2))
        for dt in STEPS
    ]
    assert order_of(STEPS, np.array(error)) == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize(("scheme", "expected"), [("euler", 1), ("heun", 2), ("sra1", 2)])
def test_weak_order_of_a_linear_equation(scheme, expected):
    """dx = λ x dt + σ dW: a step is x → a x + b ξ + c ζ, so that its moments follow exactly."""
    rate, sigma, start, duration, steps = -0.7, 0.6, 1.5, 4.0, [1 / 4, 1 / 8, 1 / 16, 1 / 32]

    def moments(dt: float) -> np.ndarray:
        kick = sigma * np.sqrt(dt)
        parts = np.array([[1.0, 0.0, 0.0]]), kick * np.array([[0.0, 1.0, 0.0]])
        areas = kick * np.array([[0.0, 0.0, 1.0]])
        step = reference.SCHEMES[scheme]
        (a, b, c) = step(parts[0], dt, lambda x: rate * x, parts[1], areas, (State("x"),))[0]
        mean, square = start, start**2
        for _ in range(round(duration / dt)):
            mean, square = a * mean, a**2 * square + b**2 + c**2
        return np.array([mean, square])

    z = np.exp(rate * duration)
    exact = np.array([start * z, (start * z) ** 2 + sigma**2 * (z**2 - 1) / (2 * rate)])
    error = np.array([np.abs(moments(dt) - exact) for dt in steps])
    for moment in range(2):
        assert order_of(steps, error[:, moment]) == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize(("scheme", "expected"), [("euler", 1), ("heun", 2), ("sra1", 2)])
def test_weak_order_of_a_nonlinear_equation(scheme, expected):
    """Means of x and x², relative to those of small steps on the same paths."""
    duration, finest, coarse, paths = 1.0, 1 / 64, [1 / 4, 1 / 8, 1 / 16], 200_000
    fine = np.random.default_rng(4).standard_normal((round(duration / finest), 2, paths))

    def end(scheme: str, dt: float) -> np.ndarray:
        x = np.full((1, paths), 0.5)
        kick = 0.8 * np.sqrt(dt)
        for xi, zeta in zip(*together(fine, round(duration / dt)), strict=True):
            step = reference.SCHEMES[scheme]
            x = step(x, dt, lambda x: 1 + np.sin(2 * x), kick * xi[None], kick * zeta[None], X)
        return np.stack([x[0], x[0] ** 2])

    exact = end("sra1", finest)
    apart = [end(scheme, dt) - exact for dt in coarse]
    error = np.array([a.mean(axis=1) for a in apart])
    spread = np.array([a.std(axis=1) for a in apart]) / np.sqrt(paths)
    assert (np.abs(error) > 5 * spread).all()
    for moment in range(2):
        measured = order_of(coarse, np.abs(error[:, moment]))
        assert measured == pytest.approx(expected, abs=0.25)


def solution(G: float) -> np.ndarray:
    """End of x without noise, (region,)."""

    def flow(t, flat):
        x, y = flat.reshape(2, 2)
        return np.concatenate([y * (1 + x * x) + G * x[::-1], -x - 0.1 * y * x * x])

    start = np.array([0.5, -0.3, -0.2, 0.4])
    return solve_ivp(flow, (0, DURATION), start, "DOP853", rtol=1e-12, atol=1e-14).y[:2, -1]


@pytest.mark.parametrize(
    ("scheme", "G", "expected"),
    [
        ("euler", 0.0, 1),
        ("heun", 0.0, 2),
        ("sra1", 0.0, 2),
        ("rk4", 0.0, 4),
        # The coupling is evaluated once per step and held through the stages.
        ("heun", 0.3, 1),
        ("sra1", 0.3, 1),
        ("rk4", 0.3, 1),
    ],
)
def test_order_without_noise(scheme, G, expected):
    error = []
    for dt in STEPS:
        brain = brain_of(OSCILLATOR, scheme, dt, 0.0, 2, G)
        brain = replace(brain, values={"G": G})
        start = np.array([[0.5, -0.3], [-0.2, 0.4]])
        seen = simulate(brain, seed=0, backend="reference", dtype="float64", initial=start)
        error.append(np.abs(seen.signals["sample"][0, 0] - solution(G)).max())
    assert order_of(STEPS, np.array(error)) == pytest.approx(expected, abs=0.2)
