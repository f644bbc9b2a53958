"""Functions of lanes: the accuracy that `sim.lanes.functions` states, special values, and the same
bits for every width.
"""

import numpy as np
import pytest
from numba import njit

from hpcvbi.sim.lanes.functions import cos, exp, expm1, log, sin, tanh
from hpcvbi.sim.lanes.memory import load, store
from hpcvbi.sim.lanes.vector import rint, sqrt, where

RELATIVE_ERROR = {np.float32: 2e-7, np.float64: 5e-16}
ABSOLUTE_ERROR = {np.float32: 1.7e-7, np.float64: 3.5e-16}
FARTHEST = {np.float32: 1e4, np.float64: 1e6}


def over_lanes(function, width):
    """Compile an elementwise loop of `function` over vectors of `width` lanes."""

    @njit(error_model="numpy")
    def run(x, out):
        for i in range(0, x.size, width):
            store(out, i, function(load(x, i, width)))

    def apply(x):
        out = np.empty_like(x)
        run(x, out)
        return out

    return apply


@njit
def _others(x):
    """Operators and functions that round once, so that NumPy has the same bits."""
    y = where(x < 0.0, -x, x * 0.5 + 1.0)
    return sqrt(y) / (rint(x) - 0.25) - y


@pytest.fixture(scope="module", params=[np.float32, np.float64])
def dtype(request):
    return request.param


@pytest.fixture(scope="module")
def lanes(dtype):
    """Each function over 16 lanes, by name."""
    every = {"exp": exp, "expm1": expm1, "log": log, "tanh": tanh, "sin": sin, "cos": cos}
    return {name: over_lanes(function, 16) for name, function in every.items()}


def relative_error(got, exact):
    return np.abs(got.astype(np.longdouble) / exact - 1).max()


def both_signs(magnitude):
    return np.concatenate([magnitude, -magnitude])


@pytest.mark.parametrize("name", ["exp", "expm1"])
def test_exponentials_are_as_accurate_as_stated(lanes, dtype, name):
    """From the smallest numbers, where expm1(x) is x, to where exp overflows."""
    limit = 86.9 if dtype is np.float32 else 707.0
    rng = np.random.default_rng(0)
    small, large = np.exp(rng.uniform(-60.0, 0.0, 1 << 15)), rng.uniform(0.0, limit, 1 << 15)
    x = both_signs(np.concatenate([small, large])).astype(dtype)
    exact = getattr(np, name)(x.astype(np.longdouble))
    assert relative_error(lanes[name](x), exact) < RELATIVE_ERROR[dtype]


def test_log_is_as_accurate_as_stated(lanes, dtype):
    rng = np.random.default_rng(1)
    exponents = rng.uniform(-80.0, 80.0, 1 << 17)
    exponents[: 1 << 16] /= 1000.0
    x = np.exp(exponents).astype(dtype)
    x = x[x != 1.0][: 1 << 16]
    exact = np.log(x.astype(np.longdouble))
    assert relative_error(lanes["log"](x), exact) < RELATIVE_ERROR[dtype]


def test_tanh_is_as_accurate_as_stated_and_saturates(lanes, dtype):
    x = np.exp(np.random.default_rng(4).uniform(-60.0, 4.0, 1 << 15))
    x = both_signs(x).astype(dtype)
    got = lanes["tanh"](x)
    assert relative_error(got, np.tanh(x.astype(np.longdouble))) < RELATIVE_ERROR[dtype]
    assert np.abs(got).max() == 1.0
    assert (got[np.abs(x) > 20.0] == np.sign(x[np.abs(x) > 20.0])).all()


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("share", [1.0, 0.01, 0.0003])
def test_circular_functions_are_as_accurate_as_stated(lanes, dtype, name, share):
    """At random, and beside the multiples of π/2, where one of the two vanishes."""
    top = FARTHEST[dtype] * share
    x = np.random.default_rng(5).uniform(-top, top, 1 << 15)
    quarters = np.arange(1 << 14) % max(1, int(top / (np.pi / 2))) * (np.pi / 2)
    x = np.concatenate([x, quarters]).astype(dtype)
    exact = getattr(np, name)(x.astype(np.longdouble))
    assert np.abs(lanes[name](x) - exact).max() < ABSOLUTE_ERROR[dtype]


def special(dtype, *values):
    """Values in the first lanes of a vector of zeros."""
    x = np.zeros(16, dtype)
    x[: len(values)] = values
    return x


def test_special_values(lanes, dtype):
    x = special(dtype, 0.0, np.nan, np.inf, -np.inf)
    one, nan, huge, tiny = lanes["exp"](x)[:4]
    assert one == 1.0 and np.isnan(nan) and huge == np.inf
    floor = -87.0 if dtype is np.float32 else -708.0
    assert tiny == pytest.approx(np.exp(floor), rel=1e-6) and tiny > 0
    of_one, of_nan, of_zero, of_negative = lanes["log"](special(dtype, 1.0, np.nan, 0.0, -1.0))[:4]
    assert of_one == 0.0
    assert np.isnan([of_nan, of_zero, of_negative]).all()
    for name, highest in (("expm1", np.inf), ("tanh", 1.0)):
        zero, nan, high, low = lanes[name](x)[:4]
        assert zero == 0.0 and np.isnan(nan) and high == highest and low == -1.0
    assert lanes["sin"](x)[0] == 0.0 and lanes["cos"](x)[0] == 1.0
    for name in ("sin", "cos"):
        assert np.isnan(lanes[name](x)[1:4]).all()


@pytest.mark.parametrize("name", ["exp", "expm1"])
def test_exponentials_overflow_once(lanes, dtype, name):
    """Around the largest exponent there is nothing between accurate and infinite."""
    largest = np.log(np.finfo(dtype).max)
    x = np.linspace(largest - 1.0, largest + 5.0, 1 << 14).astype(dtype)
    got = lanes[name](x)
    infinite = np.isinf(got)
    assert not np.isnan(got).any()
    assert not infinite[0] and infinite[-1] and (np.diff(infinite.astype(int)) >= 0).all()
    exact = np.exp(x[~infinite].astype(np.longdouble))
    assert relative_error(got[~infinite], exact) < RELATIVE_ERROR[dtype]


def test_a_phase_that_no_float_can_tell_is_no_number(lanes, dtype):
    x = special(dtype, 1e30, -1e30, 1e35)
    for name in ("sin", "cos"):
        assert np.isnan(lanes[name](x)[:3]).all()


def test_every_width_computes_the_same_bits(dtype):
    x = np.random.default_rng(2).uniform(-5.0, 5.0, 64).astype(dtype)
    # log of a negative number is NaN, and NaN equals NaN here.
    for function in (exp, log, tanh, sin, _others):
        wide = over_lanes(function, 16)(x)
        for width in (1, 8):
            np.testing.assert_array_equal(over_lanes(function, width)(x), wide)


def test_operators_round_like_numpy(dtype):
    x = np.random.default_rng(3).uniform(-5.0, 5.0, 64).astype(dtype)
    y = np.where(x < 0, -x, x * dtype(0.5) + dtype(1.0))
    expected = np.sqrt(y) / (np.rint(x) - dtype(0.25)) - y
    np.testing.assert_array_equal(over_lanes(_others, 8)(x), expected)
