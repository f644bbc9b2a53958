"""Montbrió-Pazó-Roxin: fixed points, the bistable wedge and its cusp.

Montbrió, Pazó & Roxin (2015) doi:10.1103/PhysRevX.5.021028, figures 1 and 2.
"""

import numpy as np
import pytest
from fields import eigenvalues, field_of
from networks import isolated
from scipy.optimize import brentq, minimize_scalar

from hpcvbi import LINEAR, MODELS, Brain, Sample, Space, Uniform, simulate

NODE, SADDLE, FOCUS = (0.081134, -1.961620), (0.472980, -0.336494), (1.030597, -0.154430)


def resting_eta(r, J, Delta):
    """The current η at which r is an equilibrium, read off the right-hand side; and V there."""
    V = -Delta / (2 * np.pi * r)
    dr, dV = field_of("montbrio_pazo_roxin", J=J, Delta=Delta, eta=0.0)(np.array([r, V]))
    assert abs(dr) < 1e-10
    return -dV, V


def folds(J, Delta):
    """Rate and η at the two folds of the curve of equilibria, the lower η first."""
    upper = minimize_scalar(
        lambda r: -resting_eta(r, J, Delta)[0], bounds=(0.01, 0.4), options={"xatol": 1e-10}
    )
    lower = minimize_scalar(
        lambda r: resting_eta(r, J, Delta)[0], bounds=(0.4, 2.0), options={"xatol": 1e-10}
    )
    return (lower.x, lower.fun), (upper.x, -upper.fun)


def equilibria(eta, J=15.0, Delta=1.0):
    """The low and the high equilibrium inside the wedge, (state, branch)."""
    (active, _), (resting, _) = folds(J, Delta)
    rates = [
        brentq(lambda r: resting_eta(r, J, Delta)[0] - eta, *ends)
        for ends in ((0.01, resting), (active, 5.0))
    ]
    return np.array([(r, resting_eta(r, J, Delta)[1]) for r in rates]).T


def test_a_node_a_saddle_and_a_focus():
    """At J 15, Δ 1, η −5. Tolerance: the digits given."""
    field = field_of("montbrio_pazo_roxin")
    for r, V in (NODE, SADDLE, FOCUS):
        assert np.abs(field(np.array([r, V]))).max() < 2e-5
    node, saddle, focus = (eigenvalues(field, np.array(p)) for p in (NODE, SADDLE, FOCUS))
    assert (node.real < 0).all() and (node.imag == 0).all()
    assert sorted(np.sign(saddle.real)) == [-1, 1]
    np.testing.assert_allclose(focus.real, -0.30886, atol=2e-5)
    np.testing.assert_allclose(np.sort(focus.imag), [-3.31863, 3.31863], atol=2e-5)


@pytest.mark.parametrize(
    ("J", "Delta", "expected"),
    [(15.0, 1.0, (-5.74353, -3.13613)), (14.5, 0.7, (-5.34880, -2.45182))],
)
def test_the_wedge_of_bistability(J, Delta, expected):
    """Tolerance: the digits given."""
    np.testing.assert_allclose([eta for _, eta in folds(J, Delta)], expected, atol=1e-5)


def test_the_wedge_ends_in_a_cusp():
    """At η = −√3, J = 7.79622 for Δ = 1: below it η(r) falls nowhere twice."""

    def steepness(r, h=1e-5):
        rise = resting_eta(r + h, 0.0, 1.0)[0] - resting_eta(r - h, 0.0, 1.0)[0]
        return rise / (2 * h)

    found = minimize_scalar(steepness, bounds=(0.05, 1.0), options={"xatol": 1e-9})
    assert found.fun == pytest.approx(7.79622, abs=1e-4)
    assert resting_eta(found.x, found.fun, 1.0)[0] == pytest.approx(-np.sqrt(3.0), abs=1e-4)


def test_simulations_keep_to_the_branch_they_start_on_only_inside_the_wedge():
    """Started at rest or active, .02 outside either end, the other branch is reached.

    A passage past a saddle-node at distance .02 takes about π/√.02 = 22 time constants, of 300. The
    tolerance at the fixed points is the digits given.
    """
    (_, low), (_, high) = folds(15.0, 1.0)
    eta = np.array([low - 0.02, low + 0.02, -5.0, high - 0.02, high + 0.02])
    param = next(p for p in MODELS["montbrio_pazo_roxin"].params if p.name == "eta")
    brain = Brain(
        isolated(2),
        MODELS["montbrio_pazo_roxin"],
        LINEAR,
        None,
        dt=0.01,
        duration=300.0,
        monitors=(Sample("r", 300.0, name="r"), Sample("V", 300.0, name="V")),
        space=Space((param.with_prior(Uniform(-10.0, 0.0)),)),
        values={"G": 0.0},
        scheme="heun",
    )
    start = np.array([equilibria(value) for value in eta.clip(low + 1e-3, high - 1e-3)])
    seen = simulate(
        brain, eta[:, None], seed=0, dtype="float64", width=8, initial=start[:, :, None]
    ).signals
    r, V = seen["r"][:, 0], seen["V"][:, 0]
    active = r > 0.5
    np.testing.assert_array_equal(
        active, [[False, False], [False, True], [False, True], [False, True], [True, True]]
    )
    np.testing.assert_allclose([r[2, 0], V[2, 0]], NODE, atol=1e-5)
    np.testing.assert_allclose([r[2, 1], V[2, 1]], FOCUS, atol=1e-5)
