"""exp, expm1, log, tanh, sin and cos on lanes, with polynomials of our own so that every width and
machine computes the same bits.

    exp(x) = 2^n exp(r),  expm1(x) = 2^n expm1(r) + (2^n − 1)          |r| ≤ ln 2 / 2
    tanh(x) = e / (e + 2),  e = expm1(2 x)
    log(2^e m) = e ln 2 + log(m)                                       √½ ≤ m < √2
    sin(n π + r) = ±sin(r),  cos(n π + r) = ±cos(r)                    |r| ≤ π / 2

The polynomials interpolate at Chebyshev nodes; that of log in float64 is a Taylor series. Largest
errors, of which tests/contract/test_lanes.py holds every one:

    relative: exp, expm1, log, tanh   2e-7 in float32, 5e-16 in float64
    absolute: sin, cos                1.7e-7 in float32 for |x| up to 1e4, 3.5e-16 in float64 to 1e6

NaN gives NaN. No table, no branch: all lanes do the same.
"""

import math

import numpy as np
from numba import njit, types
from numba.extending import overload

from hpcvbi.sim.lanes.vector import Vector, as_bits, fma, from_bits, to_float, where

inline = njit(forceinline=True, error_model="numpy")

LN2 = math.log(2.0)
# ln 2 in two parts, the first with enough zero bits for its product with the exponent to be exact.
LN2_HIGH_32, LN2_LOW_32 = 0.693359375, LN2 - 0.693359375
LN2_HIGH_64, LN2_LOW_64 = 0.6931471803691238, 1.9082149292705877e-10
# π rounded, and the rest. n π loses no digit: fma rounds only the difference, which is short.
PI_HIGH_32, PI_LOW_32 = 3.1415927410125732, -8.742278000372486e-08
PI_HIGH_64, PI_LOW_64 = 3.141592653589793, 1.2246467991473532e-16
# Added to a number, 1.5 · 2^23 leaves the nearest integer in the lowest bits of the float32 sum,
# 1.5 · 2^52 that of float64. The bias of the exponent on top makes those bits an exponent.
ROUND_32, EXPONENT_32 = 12582912.0, 12582912.0 + 127.0
ROUND_64, EXPONENT_64 = 6755399441055744.0, 6755399441055744.0 + 1023.0
SQRT_HALF_BITS_32 = np.int32(0x3F3504F3)
MANTISSA_32 = np.int32(0x007FFFFF)
SQRT_HALF_BITS_64 = np.int64(0x3FE6A09E667F3BCD)
# Largest r² that is still a remainder: (π/2)², and room for the rounding of n.
FARTHEST = 2.6
MANTISSA_64 = np.int64(0x000FFFFFFFFFFFFF)


@inline
def power_and_rest_32(x):
    """2^n and r with x = n ln 2 + r, for float32 lanes from -87 to 89; 2^128 is infinite."""
    shifted = fma(x, 1.0 / LN2, EXPONENT_32)
    n = shifted - EXPONENT_32
    r = fma(n, -LN2_LOW_32, fma(n, -LN2_HIGH_32, x))
    return from_bits(as_bits(shifted) << np.int32(23)), r


@inline
def power_and_rest_64(x):
    """2^n and r with x = n ln 2 + r, for float64 lanes from -708 to 710; 2^1024 is infinite."""
    shifted = fma(x, 1.0 / LN2, EXPONENT_64)
    n = shifted - EXPONENT_64
    r = fma(n, -LN2_LOW_64, fma(n, -LN2_HIGH_64, x))
    return from_bits(as_bits(shifted) << np.int64(52)), r


@inline
def curvature_32(r):
    """(exp(r) - 1 - r) / r² for |r| <= ln 2 / 2."""
    p = fma(r, 0.001391874356, 0.008357224056)
    p = fma(p, r, 0.04166662179)
    p = fma(p, r, 0.1666663075)
    return fma(p, r, 0.5)


@inline
def curvature_64(r):
    """(exp(r) - 1 - r) / r² for |r| <= ln 2 / 2."""
    p = fma(r, 2.5100424157005067e-8, 2.7620138719733996e-7)
    p = fma(fma(p, r, 2.7557268378684192e-6), r, 2.4801521190217228e-5)
    p = fma(fma(p, r, 1.9841269863105969e-4), r, 1.3888888917281793e-3)
    p = fma(fma(p, r, 8.3333333333300513e-3), r, 4.1666666666623992e-2)
    return fma(fma(p, r, 0.16666666666666667), r, 0.5)


@inline
def exp32(x):
    """exp of float32 lanes; below e^-87 it stays there, above e^88.37 it is infinite."""
    power, r = power_and_rest_32(where(x < -87.0, -87.0, where(x > 89.0, 89.0, x)))
    return fma(fma(curvature_32(r), r, 1.0), r, 1.0) * power


@inline
def exp64(x):
    """exp of float64 lanes; below e^-708 it stays there, above e^709.4 it is infinite."""
    power, r = power_and_rest_64(where(x < -708.0, -708.0, where(x > 710.0, 710.0, x)))
    return fma(fma(curvature_64(r), r, 1.0), r, 1.0) * power


@inline
def expm1_32(x):
    """exp(x) - 1 of float32 lanes without cancellation; infinite above e^88."""
    # At 89 r is positive, so that the infinite power meets no negative term.
    power, r = power_and_rest_32(where(x < -87.0, -87.0, where(x > 88.0, 89.0, x)))
    return fma(power, fma(curvature_32(r), r * r, r), power - 1.0)


@inline
def expm1_64(x):
    """exp(x) - 1 of float64 lanes without cancellation; infinite above e^709."""
    power, r = power_and_rest_64(where(x < -708.0, -708.0, where(x > 709.0, 710.0, x)))
    return fma(power, fma(curvature_64(r), r * r, r), power - 1.0)


@inline
def tanh32(x):
    """Hyperbolic tangent of float32 lanes; 1 from 9.02 on, -1 below -9.02."""
    twice = where(x < -9.5, -19.0, where(x > 9.5, 19.0, x + x))
    power, r = power_and_rest_32(twice)
    e = fma(power, fma(curvature_32(r), r * r, r), power - 1.0)
    return e / (e + 2.0)


@inline
def tanh64(x):
    """Hyperbolic tangent of float64 lanes; 1 from 19.1 on, -1 below -19.1."""
    twice = where(x < -19.5, -39.0, where(x > 19.5, 39.0, x + x))
    power, r = power_and_rest_64(twice)
    e = fma(power, fma(curvature_64(r), r * r, r), power - 1.0)
    return e / (e + 2.0)


@inline
def turn_32(x):
    """The sign bit of (-1)^n and r with x = n π + r, for float32 lanes."""
    shifted = fma(x, 1.0 / math.pi, ROUND_32)
    n = shifted - ROUND_32
    r = fma(n, -PI_LOW_32, fma(n, -PI_HIGH_32, x))
    return as_bits(shifted) << np.int32(31), r


@inline
def turn_64(x):
    """The sign bit of (-1)^n and r with x = n π + r, for float64 lanes."""
    shifted = fma(x, 1.0 / math.pi, ROUND_64)
    n = shifted - ROUND_64
    r = fma(n, -PI_LOW_64, fma(n, -PI_HIGH_64, x))
    return as_bits(shifted) << np.int64(63), r


@inline
def sin32(x):
    """Sine of float32 lanes; NaN far beyond 1e6, where floats are too sparse to tell a phase."""
    sign, r = turn_32(x)
    y = r * r
    p = fma(y, 2.634638034e-6, -1.982270294e-4)
    p = fma(fma(p, y, 8.333241864e-3), y, -0.1666666596)
    return where(y < FARTHEST, from_bits(as_bits(fma(p, y * r, r)) ^ sign), np.nan)


@inline
def cos32(x):
    """Cosine of float32 lanes; shares its reduction with the sine of the same lanes."""
    sign, r = turn_32(x)
    y = r * r
    p = fma(fma(y, -2.629628524e-7, 2.477452649e-5), y, -1.388865094e-3)
    p = fma(fma(p, y, 4.166665933e-2), y, -0.4999999996)
    return where(y < FARTHEST, from_bits(as_bits(fma(p, y, 1.0)) ^ sign), np.nan)


@inline
def sin64(x):
    """Sine of float64 lanes; NaN far beyond 1e14, where floats are too sparse to tell a phase."""
    sign, r = turn_64(x)
    y = r * r
    p = fma(y, 2.73136586749401671e-15, -7.64396396592535666e-13)
    p = fma(fma(p, y, 1.60589771140746733e-10), y, -2.50521076139347603e-8)
    p = fma(fma(p, y, 2.75573192191391822e-6), y, -1.98412698412548847e-4)
    p = fma(fma(p, y, 8.33333333333331575e-3), y, -0.166666666666666666)
    return where(y < FARTHEST, from_bits(as_bits(fma(p, y * r, r)) ^ sign), np.nan)


@inline
def cos64(x):
    """Cosine of float64 lanes; shares its reduction with the sine of the same lanes."""
    sign, r = turn_64(x)
    y = r * r
    p = fma(y, 4.62752651696540671e-14, -1.146467789230149e-11)
    p = fma(fma(p, y, 2.08766304915821786e-9), y, -2.7557317761520690e-7)
    p = fma(fma(p, y, 2.48015872924006465e-5), y, -1.38888888888605409e-3)
    p = fma(fma(p, y, 4.16666666666663333e-2), y, -0.5)
    return where(y < FARTHEST, from_bits(as_bits(fma(p, y, 1.0)) ^ sign), np.nan)


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


def _on_lanes(name, single, double):
    """Make a function of compiled lanes from its two precisions."""

    def function(x):
        raise TypeError("for compiled lanes only")

    @overload(function)
    def _(x):
        if isinstance(x, Vector):
            if x.elem is types.float32:
                return lambda x: single(x)
            return lambda x: double(x)

    function.__name__ = name
    return function


exp = _on_lanes("exp", exp32, exp64)
expm1 = _on_lanes("expm1", expm1_32, expm1_64)
log = _on_lanes("log", log32, log64)
tanh = _on_lanes("tanh", tanh32, tanh64)
sin = _on_lanes("sin", sin32, sin64)
cos = _on_lanes("cos", cos32, cos64)
