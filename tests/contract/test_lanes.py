"""exp and log on lanes: the accuracy that `sim.lanes.functions` states, special values, and the
same bits for every width.
"""

import numpy as np
import pytest
from numba import njit

from hpcvbi.sim.lanes.functions import exp, log
from hpcvbi.sim.lanes.memory import load, store
from hpcvbi.sim.lanes.vector import rint, sqrt, where

LARGEST_ERROR = {np.float32: 2e-7, np.float64: 5e-16}


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
def _exp(x):
    return exp(x)


@njit
def _log(x):
    return log(x)


@njit
def _others(x):
    """Operators and functions that round once, so that NumPy has the same bits."""
    y = where(x < 0.0, -x, x * 0.5 + 1.0)
    return sqrt(y) / (rint(x) - 0.25) - y


@pytest.fixture(scope="module", params=[np.float32, np.float64])
def dtype(request):
    return request.param


def relative_error(got, exact):
    return np.abs(got.astype(np.longdouble) / exact - 1).max()


def test_exp_is_as_accurate_as_stated(dtype):
    limit = 86.9 if dtype is np.float32 else 707.0
    x = np.random.default_rng(0).uniform(-limit, limit, 1 << 17).astype(dtype)
    x[: 1 << 16] /= 100.0
    exact = np.exp(x.astype(np.longdouble))
    assert relative_error(over_lanes(_exp, 16)(x), exact) < LARGEST_ERROR[dtype]


def test_log_is_as_accurate_as_stated(dtype):
    rng = np.random.default_rng(1)
    exponents = rng.uniform(-80.0, 80.0, 1 << 17)
    exponents[: 1 << 16] /= 1000.0
    x = np.exp(exponents).astype(dtype)
    x = x[x != 1.0][: 1 << 16]
    exact = np.log(x.astype(np.longdouble))
    assert relative_error(over_lanes(_log, 16)(x), exact) < LARGEST_ERROR[dtype]


def test_special_values(dtype):
    lanes_exp, lanes_log = over_lanes(_exp, 4), over_lanes(_log, 4)
    x = np.array([0.0, np.nan, np.inf, -np.inf], dtype)
    one, nan, huge, tiny = lanes_exp(x)
    assert one == 1.0 and np.isnan(nan) and huge == np.inf
    floor = -87.0 if dtype is np.float32 else -708.0
    assert tiny == pytest.approx(np.exp(floor), rel=1e-6) and tiny > 0
    of_one, of_nan, of_zero, of_negative = lanes_log(np.array([1.0, np.nan, 0.0, -1.0], dtype))
    assert of_one == 0.0
    assert np.isnan([of_nan, of_zero, of_negative]).all()


def test_every_width_computes_the_same_bits(dtype):
    x = np.random.default_rng(2).uniform(-5.0, 5.0, 64).astype(dtype)
    for function in (_exp, _others):
        wide = over_lanes(function, 16)(x)
        for width in (1, 8):
            np.testing.assert_array_equal(over_lanes(function, width)(x), wide)


def test_operators_round_like_numpy(dtype):
    x = np.random.default_rng(3).uniform(-5.0, 5.0, 64).astype(dtype)
    y = np.where(x < 0, -x, x * dtype(0.5) + dtype(1.0))
    expected = np.sqrt(y) / (np.rint(x) - dtype(0.25)) - y
    np.testing.assert_array_equal(over_lanes(_others, 8)(x), expected)
