"""What the models are known to do, region by region."""

from importlib import import_module

import numpy as np
import pytest
from engine_brains import connectome

from hpcvbi import DIFFERENCE, LINEAR, MODELS, Brain, Sample, simulate
from hpcvbi.models.firing_rate import firing_rate
from hpcvbi.sim.reference import integrate

# The package binds the model to the name of its module.
ei = import_module("hpcvbi.models.wong_wang_ei")
NETWORK = connectome()


def jacobian(function, x, step=1e-7):
    """Central differences of `function` at `x`."""
    columns = [
        (function(x + step * unit) - function(x - step * unit)) / (2 * step)
        for unit in np.eye(len(x))
    ]
    return np.stack(columns, axis=1)


def ei_brain(G: float) -> Brain:
    return Brain(
        NETWORK,
        MODELS["wong_wang_ei"],
        LINEAR,
        None,
        dt=1.0,
        duration=20_000.0,
        monitors=(Sample("S_E", 2000.0), Sample("S_I", 2000.0, name="inhibitory")),
        values={"G": G},
    )


def growth_rate(G: float) -> float:
    """Largest real part of the eigenvalues of the noise-free network at its resting state."""
    J_i = ei.feedback_inhibition(G, 1.4, NETWORK.strength)

    def flow(x):
        S_E, S_I = x[:10], x[10:]
        return np.concatenate(ei.dfun(S_E, S_I, G * NETWORK.weights @ S_E, 1.4, J_i))

    rest = np.repeat([ei.S_E_REST, ei.S_I_REST], 10)
    assert np.abs(flow(rest)).max() < 1e-12
    return np.linalg.eigvals(jacobian(flow, rest)).real.max()


def critical_coupling() -> float:
    low, high = 0.0, 20.0
    assert growth_rate(low) < 0 < growth_rate(high)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if growth_rate(middle) < 0 else (low, middle)
    return low


def test_the_target_rate_is_3_hz():
    S = ei.S_E_REST
    rate = S / (ei.TAU_E * ei.GAMMA * (1 - S))
    assert rate == pytest.approx(0.003, rel=1e-12)
    u = ei.A_E * ei.X_E_REST - ei.B_E
    assert u / (1 - np.exp(-ei.D_E * u)) == pytest.approx(0.003, rel=1e-12)


def test_feedback_inhibition_holds_every_region_at_rest_below_the_critical_coupling():
    """From a disturbed start, on a directed network: the transpose would rest elsewhere."""
    critical = critical_coupling()
    disturbed = np.repeat([[ei.S_E_REST], [ei.S_I_REST]], 10, axis=1)
    disturbed[0] *= np.linspace(0.97, 1.03, 10)
    for share in (0.2, 0.5, 0.9):
        seen = simulate(
            ei_brain(share * critical),
            np.zeros((1, 0)),
            seed=0,
            dtype="float64",
            width=8,
            initial=disturbed,
        ).signals
        np.testing.assert_allclose(seen["sample"][0, -1], ei.S_E_REST, rtol=1e-6)
        np.testing.assert_allclose(seen["inhibitory"][0, -1], ei.S_I_REST, rtol=1e-6)
    seen = simulate(
        ei_brain(1.1 * critical),
        np.zeros((1, 0)),
        seed=0,
        dtype="float64",
        width=8,
        initial=disturbed,
    ).signals
    assert np.abs(seen["sample"][0, -1] / ei.S_E_REST - 1).max() > 0.5


def test_isolated_reduced_wong_wang_has_its_known_fixed_points():
    """Low state .034355 at w .9, I0 .3, and .61708 at w 1, I0 .33: roots of the equation."""
    for w, I0, expected in ((0.9, 0.3, 0.034355), (1.0, 0.33, 0.61708)):
        brain = Brain(
            NETWORK,
            MODELS["reduced_wong_wang"],
            LINEAR,
            None,
            dt=1.0,
            duration=20_000.0,
            monitors=(Sample("S", 20_000.0),),
            values={"G": 0.0, "w": w, "I0": I0},
        )
        seen = simulate(brain, np.zeros((1, 0)), seed=0, dtype="float64", width=8).signals
        np.testing.assert_allclose(seen["sample"][0, -1], expected, rtol=2e-5)


def test_the_rate_function_is_accurate_also_where_it_is_zero_over_zero():
    """Against u / (1 - exp(-d u)) by expm1, on both sides of threshold; the limit is 1/d."""
    u, d = np.linspace(-0.2, 0.2, 4001) ** 3, 154.0
    with np.errstate(invalid="ignore"):
        exact = np.where(u == 0, 1 / d, -u / np.expm1(-d * u))
    np.testing.assert_allclose(firing_rate(u, d), exact, rtol=1e-14)
    single = firing_rate(u.astype(np.float32), np.float32(d))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact, rtol=3e-6)


def test_stuart_landau_circles_with_the_radius_of_each_region():
    """Amplitude √a, angular frequency ω, region by region; decay where a < 0."""
    a, omega = np.linspace(0.05, 0.5, 10), np.linspace(0.05, 0.2, 10)
    a[3] = -0.1
    brain = Brain(
        NETWORK,
        MODELS["stuart_landau"],
        DIFFERENCE,
        None,
        dt=0.05,
        duration=200.0,
        monitors=(),
        values={"G": 0.0, "a": a, "omega": omega},
        scheme="heun",
    )
    values = {name: value[0] for name, value in brain.parameters(np.zeros((1, 0))).items()}
    start = np.repeat([[[0.1]], [[0.0]]], 10, axis=2)
    x, y = integrate(brain, values, 0, 0, np.dtype(float), start).swapaxes(0, 1)
    radius = np.hypot(x[-1], y[-1])
    np.testing.assert_allclose(radius[a > 0], np.sqrt(a[a > 0]), rtol=1e-3)
    assert radius[3] < 1e-6
    turned = np.unwrap(np.arctan2(y, x), axis=0)
    np.testing.assert_allclose(turned[-1] / 200.0, omega, rtol=1e-3)
