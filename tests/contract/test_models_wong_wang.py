"""Wong-Wang models: their fixed points, and the feedback inhibition that holds a target rate."""

from importlib import import_module

import numpy as np
import pytest
from engine_brains import connectome

from hpcvbi import LINEAR, MODELS, Brain, Sample, Space, simulate
from hpcvbi.models.firing_rate import firing_rate

# The package binds the model to the name of its module.
ei = import_module("hpcvbi.models.wong_wang_ei")
inhibition = import_module("hpcvbi.models.feedback_inhibition")
NETWORK = connectome()
DEFAULT = {p.name: p.default for p in ei.wong_wang_ei.params}


def inhibitory_weight(G, strength=NETWORK.strength, **values):
    """J_i of the model's defaults, some of them replaced."""
    return inhibition.feedback_inhibition(G=G, strength=strength, **{**DEFAULT, **values})


def flow_of(G, J_i, **values):
    """Right-hand side of the noise-free network, excitatory gatings first."""
    parameters = {**DEFAULT, **values, "J_i": J_i}
    n = NETWORK.n_regions

    def flow(x):
        S_E, S_I = x[:n], x[n:]
        return np.concatenate(ei.dfun(S_E, S_I, c=G * NETWORK.weights @ S_E, **parameters))

    return flow


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
    flow = flow_of(G, inhibitory_weight(G))
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
    assert pytest.approx(0.003, rel=1e-12) == S / (100.0 * 0.641 * (1 - S))
    u = 0.31 * inhibition.input_at_rate(0.003, 0.31, 0.125, 160.0) - 0.125
    assert u / (1 - np.exp(-160.0 * u)) == pytest.approx(0.003, rel=1e-12)


def test_the_inhibitory_weight_of_deco_2014():
    """Without a network J_i is the same everywhere and close to 1, as in the paper; it grows by
    J S* / S_I* per unit of summed incoming weight.
    """
    assert inhibitory_weight(0.0, np.zeros(3)) == pytest.approx(1.0, abs=0.1)
    slope = inhibitory_weight(1.0, 1.0) - inhibitory_weight(1.0, 0.0)
    assert slope == pytest.approx(0.15 * ei.S_E_REST / ei.S_I_REST, rel=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        {"target_rate": 0.0005},
        {"target_rate": 0.05},
        {"lamda": 1.0, "w_plus": 0.9},
        {"I_ext": 0.02, "W_e": 0.9, "tau_i": 5.0, "gamma_i": 2.0, "a_e": 0.35, "d_i": 60.0},
    ],
)
def test_feedback_inhibition_balances_the_network_at_any_parameters(values):
    """The whole network stands still at the gating of the target rate."""
    G, p = 0.7, {**DEFAULT, **values}
    S_E = inhibition.excitatory_gating(p["target_rate"], p["gamma_e"], p["tau_e"])
    x = p["W_i"] * p["I_o"] + p["J_N"] * S_E * (1.0 + p["lamda"] * G * NETWORK.strength)
    keys = ("a_i", "b_i", "d_i", "gamma_i", "tau_i")
    S_I = inhibition.inhibitory_gating(x, *(p[k] for k in keys))
    flow = flow_of(G, inhibitory_weight(G, **values), **values)
    rest = np.concatenate([np.full(10, S_E), np.broadcast_to(S_I, 10)])
    # [1/ms] against S_E / tau_e, of size 1e-5 at the lowest rate
    assert np.abs(flow(rest)).max() < 1e-15 + 1e-10 * S_E / p["tau_e"]
    assert np.abs(flow(rest * 1.01)).max() > 1e-6 * S_E


def test_feedback_inhibition_is_elementwise_over_draws_and_regions():
    rng = np.random.default_rng(0)
    space = Space(MODELS["wong_wang_ei"].params)
    columns = dict(zip(space.names, space.sample(rng, 6).T[:, :, None], strict=True))
    G = rng.uniform(0.0, 1.0, (6, 1))
    together = inhibition.feedback_inhibition(G=G, strength=NETWORK.strength[None], **columns)
    assert together.shape == (6, 10)
    for draw, region in ((0, 3), (5, 9)):
        alone = inhibition.feedback_inhibition(
            G=G[draw, 0],
            strength=NETWORK.strength[region],
            **{name: column[draw, 0] for name, column in columns.items()},
        )
        assert together[draw, region] == pytest.approx(alone, rel=1e-12)


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
    """Against the quotient in longer numbers, on both sides of threshold; the limit is 1/d."""
    a, b, d = 0.31, 0.125, 160.0
    x = b / a + np.concatenate([np.linspace(-1.0, 1.0, 4000) ** 3, [0.0]])
    u = np.longdouble(a) * x - np.longdouble(b)
    with np.errstate(invalid="ignore"):
        exact = np.where(u == 0, 1 / d, -u / np.expm1(-d * u))
    # v = −d u is known to the rounding of d b = 20, which is a relative error where H ~ exp(d u).
    np.testing.assert_allclose(firing_rate(x, a, b, d), exact.astype(float), rtol=1e-13)
    assert firing_rate(0.5, 2.0, 1.0, 160.0) == 1 / 160
    with np.errstate(over="ignore"):  # far below threshold
        single = firing_rate(x.astype(np.float32), *np.array([a, b, d], np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact.astype(float), rtol=1e-4, atol=1e-12)
