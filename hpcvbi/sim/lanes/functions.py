"""exp and log on lanes, with polynomials of our own so that every width and machine computes the
same bits.

Argument reduction and a polynomial: exp(x) = 2^n exp(r) with |r| <= ln 2 / 2, and
log(2^e m) = e ln 2 + log(m) with m in [√½, √2). The float32 polynomials interpolate at Chebyshev
nodes; the float64 ones are Taylor series. Largest relative errors: float32 2e-7, float64 5e-16
(tests/contract/test_lanes.py).
"""

import math

import numpy as np
from numba import njit, types
from numba.extending import overload

from hpcvbi.sim.lanes.vector import Vector, as_bits, fma, from_bits, rint, to_float, to_int, where

inline = njit(forceinline=True, error_model="numpy")

LN2 = math.log(2.0)
# ln 2 in two parts, the first with enough zero bits for its product with the exponent to be exact.
LN2_HIGH_32, LN2_LOW_32 = 0.693359375, LN2 - 0.693359375
LN2_HIGH_64, LN2_LOW_64 = 0.6931471803691238, 1.9082149292705877e-10
F = [1.0 / math.factorial(k) for k in range(15)]
SQRT_HALF_BITS_32 = np.int32(0x3F3504F3)
MANTISSA_32 = np.int32(0x007FFFFF)
SQRT_HALF_BITS_64 = np.int64(0x3FE6A09E667F3BCD)
MANTISSA_64 = np.int64(0x000FFFFFFFFFFFFF)
F2, F3, F4, F5, F6, F7, F8, F9, F10, F11, F12, F13 = F[2:14]


@inline
def exp32(x):
    """exp of float32 lanes; below e^-87 it stays there, above e^88 it is infinite."""
    bounded = where(x < -87.0, -87.0, where(x > 88.0, 88.0, x))
    n = rint(bounded * (1.0 / LN2))
    r = fma(n, -LN2_LOW_32, fma(n, -LN2_HIGH_32, bounded))
    p = fma(r, 0.001392617612, 0.008363173075)
    p = fma(p, r, 0.04166655466)
    p = fma(p, r, 0.1666657703)
    p = fma(p, r, 0.5)
    p = fma(p, r * r, r + 1.0)
    y = p * from_bits((to_int(n) + np.int32(127)) << np.int32(23))
    return where(x > 88.0, np.inf, y)


@inline
def exp64(x):
    """exp of float64 lanes; below e^-708 it stays there, above e^709 it is infinite."""
    bounded = where(x < -708.0, -708.0, where(x > 709.0, 709.0, x))
    n = rint(bounded * (1.0 / LN2))
    r = fma(n, -LN2_LOW_64, fma(n, -LN2_HIGH_64, bounded))
    p = fma(fma(r, F13, F12), r, F11)
    p = fma(fma(p, r, F10), r, F9)
    p = fma(fma(p, r, F8), r, F7)
    p = fma(fma(p, r, F6), r, F5)
    p = fma(fma(p, r, F4), r, F3)
    p = fma(p, r, F2)
    p = fma(p, r * r, r + 1.0)
    y = p * from_bits((to_int(n) + np.int64(1023)) << np.int64(52))
    return where(x > 709.0, np.inf, y)


@inline
def log32(x):
    """Natural logarithm of positive normal float32 lanes; NaN for zero, NaN and below zero."""
    bits = as_bits(x) - SQRT_HALF_BITS_32
    e = to_float(bits >> np.int32(23))
    f = from_bits((bits & MANTISSA_32) + SQRT_HALF_BITS_32) - 1.0
    p = fma(f, 0.06971611471, -0.1147973385)
    p = fma(fma(p, f, 0.1168541992), f, -0.1242568733)
    p = fma(fma(p, f, 0.1424905765), f, -0.1666780232)
    p = fma(fma(p, f, 0.2000071575), f, -0.2499999696)
    p = fma(p, f, 0.3333333118)
    square = f * f
    y = fma(square, -0.5, p * (square * f)) + fma(e, LN2_LOW_32, f)
    return where(x > 0.0, fma(e, LN2_HIGH_32, y), np.nan)


@inline
def log64(x):
    """Natural logarithm of float64 lanes by 2 atanh(f / (2 + f)), on the domain of `log32`."""
    bits = as_bits(x) - SQRT_HALF_BITS_64
    e = to_float(bits >> np.int64(52))
    f = from_bits((bits & MANTISSA_64) + SQRT_HALF_BITS_64) - 1.0
    s = f / (f + 2.0)
    z = s * s
    p = fma(z, 2.0 / 23.0, 2.0 / 21.0)
    p = fma(fma(p, z, 2.0 / 19.0), z, 2.0 / 17.0)
    p = fma(fma(p, z, 2.0 / 15.0), z, 2.0 / 13.0)
    p = fma(fma(p, z, 2.0 / 11.0), z, 2.0 / 9.0)
    p = fma(fma(p, z, 2.0 / 7.0), z, 2.0 / 5.0)
    p = fma(p, z, 2.0 / 3.0)
    half_square = 0.5 * f * f
    # log(1 + f) = f - (f²/2 - s (f²/2 + p z)), which keeps the leading f exact.
    correction = half_square - s * (half_square + p * z)
    y = f - (correction - e * LN2_LOW_64)
    return where(x > 0.0, fma(e, LN2_HIGH_64, y), np.nan)


def exp(x):
    """Exponential on lanes."""
    raise TypeError("for compiled lanes only")


def log(x):
    """Natural logarithm on lanes."""
    raise TypeError("for compiled lanes only")


@overload(exp)
def _exp(x):
    if isinstance(x, Vector):
        if x.elem is types.float32:
            return lambda x: exp32(x)
        return lambda x: exp64(x)


@overload(log)
def _log(x):
    if isinstance(x, Vector):
        if x.elem is types.float32:
            return lambda x: log32(x)
        return lambda x: log64(x)
