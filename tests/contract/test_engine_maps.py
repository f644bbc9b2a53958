"""Parameters that follow annotations of the regions, and derived ones that are given instead."""

from dataclasses import replace

import numpy as np
import pytest
from engine_brains import N, connectome

from hpcvbi import (
    LINEAR,
    MODELS,
    Brain,
    Param,
    Sample,
    Space,
    Uniform,
    WhiteNoise,
    simulate,
)
from hpcvbi.core.errors import ConfigError

MODEL = MODELS["reduced_wong_wang"]
MYELIN, GRADIENT = np.linspace(-1.0, 1.0, N), np.linspace(0.0, 2.0, N) ** 2
MAPS = {"w": {"myelin": MYELIN, "gradient": GRADIENT}, "I0": {"myelin": MYELIN}}
W = next(p for p in MODEL.params if p.name == "w")


def drawn(name: str, low: float, high: float) -> Param:
    return Param(name, low, prior=Uniform(low, high))


SPACE = Space((drawn("w_myelin", -0.1, 0.1), W.with_prior(Uniform(0.5, 0.9))))


def brain_of(model=MODEL, **changes) -> Brain:
    given = {
        "maps": MAPS,
        "values": {"w_gradient": 0.05, "G": 0.1, "I0_myelin": 0.01},
        "space": SPACE,
        **changes,
    }
    return Brain(
        connectome(),
        model,
        LINEAR,
        WhiteNoise(model.sends),
        dt=1.0,
        duration=30.0,
        monitors=(Sample(model.sends[0], 1.0),),
        **given,
    )


THETA = np.array([[0.1, 0.6], [-0.05, 0.9]])


def test_intercept_and_slopes_may_be_drawn():
    table = brain_of().parameters(THETA)
    expected = THETA[:, [1]] + THETA[:, [0]] * MYELIN + 0.05 * GRADIENT
    np.testing.assert_allclose(table["w"], expected, rtol=1e-15)
    assert table["I0"].shape == (1, N)
    np.testing.assert_allclose(table["I0"][0], 0.3 + 0.01 * MYELIN, atol=0.1)
    np.testing.assert_allclose(np.diff(table["I0"][0]), 0.01 * np.diff(MYELIN), rtol=1e-9)


def test_an_intercept_may_differ_between_regions():
    own = np.linspace(0.6, 0.7, N)
    space = Space((drawn("w_myelin", -0.1, 0.1),))
    table = brain_of(space=space, values={"w": own}).parameters(np.array([[0.1]]))
    np.testing.assert_allclose(table["w"][0], own + 0.1 * MYELIN, rtol=1e-15)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_it_is_the_simulation_with_these_values(backend):
    """A mapped parameter is a parameter per region, whoever made it."""
    brain, options = brain_of(), {"width": 4} if backend == "cpu" else {}
    table = brain.parameters(THETA)
    got = simulate(brain, THETA, seed=2, backend=backend, **options).signals["sample"]
    for k in range(2):
        values = {"w": table["w"][k], "I0": table["I0"][0], "G": 0.1}
        plain = brain_of(maps={}, space=Space(()), values=values)
        number = np.array([k])
        alone = simulate(plain, seed=2, draws=number, backend=backend, **options)
        np.testing.assert_array_equal(got[[k]], alone.signals["sample"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"space": Space((drawn("w_myelin", -0.9, 0.1), SPACE.params[1]))},
            r"w with its maps reaches from -0\.2 to .* \(worst in region region 9\), outside "
            r"\[0, 5\]: narrow the priors of w and of w_myelin, w_gradient",
        ),
        ({"values": {"w_gradient": 1.2}}, r"w with its maps reaches .* to 5\.8 .* region 9"),
        ({"maps": {"omega": {"myelin": MYELIN}}}, "maps of 'omega': reduced_wong_wang has the"),
        ({"maps": {"w": {"myelin": MYELIN[1:]}}}, "map myelin of w must be 10 finite numbers"),
        ({"maps": {"w": {"myelin": MYELIN * np.nan}}}, "map myelin of w must be 10 finite"),
        ({"values": {"w_mylein": 0.1}}, "'w_mylein' is no parameter .* did you mean 'w_myelin'"),
    ],
)
def test_maps_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        brain_of(**changes)


def test_a_draw_outside_the_bounds_is_refused():
    wide = np.array([[-0.9, 0.5]])
    with pytest.raises(ConfigError, match=r"w \[1\] must lie in \[0, 5\], got values from -0"):
        brain_of(values={"w_gradient": 0.0}).parameters(wide)


def inhibition(values, theta=None, **options) -> tuple[np.ndarray, np.ndarray]:
    """J_i of each region, and S_E over time."""
    brain = replace(brain_of(MODELS["wong_wang_ei"], maps={}, space=Space(()), values=values))
    seen = simulate(brain, seed=1, backend="reference", dtype="float64", **options)
    return brain.parameters(np.zeros((1, 0)))["J_i"], seen.signals["sample"]


def test_a_derived_parameter_that_is_given_replaces_its_formula():
    J_i, S_E = inhibition({"G": 0.5})
    assert np.unique(J_i.round(6)).size == N
    given, same = inhibition({"G": 0.5, "J_i": J_i[0]})
    np.testing.assert_array_equal(given, J_i)
    np.testing.assert_array_equal(same, S_E)
    number, other = inhibition({"G": 0.5, "J_i": 1.0})
    assert number.shape == (1, 1) and number.item() == 1.0
    assert np.abs(other - S_E).max() > 1e-4


@pytest.mark.parametrize(
    ("J_i", "message"),
    [
        (np.ones(3), r"J_i must be a number or one number per region \(10\), got shape \(3,\)"),
        (np.nan, r"J_i \[1\] must be finite"),
    ],
)
def test_a_derived_parameter_that_cannot_be_is_refused(J_i, message):
    with pytest.raises(ConfigError, match=message):
        inhibition({"J_i": J_i})


def test_a_derived_parameter_cannot_be_drawn():
    with pytest.raises(ConfigError, match="'J_i' is no parameter of this brain"):
        brain_of(MODELS["wong_wang_ei"], maps={}, values={}, space=Space((drawn("J_i", 0.5, 1.0),)))
