"""Counter-based noise for one thread: the words of `sim.noise`, and its normals to the last bits.

numba widens the sum of two uint32 to uint64; every operation is cast back. The logarithm is the
polynomial of `sim.lanes.functions`, not the device's, so that CPU and GPU see the same noise.
"""

import numpy as np

from hpcvbi.sim import noise
from hpcvbi.sim.cuda.device import ARITHMETIC, bind, compiled, fma

u32, i32, f32 = np.uint32, np.int32, np.float32
PARITY, SIGN = u32(0x1BD11BDA), u32(0x80000000)
ZERO, I1, I2, I3, I4, I5 = (u32(i) for i in range(6))
BITS = u32(32)
EVEN = tuple(u32(r) for r in (10, 26, 11, 21, 13, 27, 23, 5))
ODD = tuple(u32(r) for r in (6, 20, 17, 11, 25, 10, 18, 20))
SQRT_HALF_BITS, MANTISSA, EXPONENT = i32(0x3F3504F3), i32(0x007FFFFF), i32(23)
LN2_HIGH, LN2_LOW = 0.693359375, float(np.log(2.0)) - 0.693359375


@compiled
def rotate_left(x, bits):
    """Rotate the bits of a word."""
    return u32(u32(x << bits) | u32(x >> u32(BITS - bits)))


@compiled
def four_rounds(x0, x1, x2, x3, turns):
    """Four rounds of Threefry4x32, with the eight rotations `turns`."""
    x0 = u32(x0 + x1)
    x1 = u32(rotate_left(x1, turns[0]) ^ x0)
    x2 = u32(x2 + x3)
    x3 = u32(rotate_left(x3, turns[1]) ^ x2)
    x0 = u32(x0 + x3)
    x3 = u32(rotate_left(x3, turns[2]) ^ x0)
    x2 = u32(x2 + x1)
    x1 = u32(rotate_left(x1, turns[3]) ^ x2)
    x0 = u32(x0 + x1)
    x1 = u32(rotate_left(x1, turns[4]) ^ x0)
    x2 = u32(x2 + x3)
    x3 = u32(rotate_left(x3, turns[5]) ^ x2)
    x0 = u32(x0 + x3)
    x3 = u32(rotate_left(x3, turns[6]) ^ x0)
    x2 = u32(x2 + x1)
    x1 = u32(rotate_left(x1, turns[7]) ^ x2)
    return x0, x1, x2, x3


@compiled
def inject(x0, x1, x2, x3, k0, k1, k2, k3, number):
    """Add key words and the number of the injection."""
    return u32(x0 + k0), u32(x1 + k1), u32(x2 + k2), u32(u32(x3 + k3) + number)


@compiled
def threefry(c0, c1, c2, c3, k0, k1, k2, k3):
    """Four random words from a four-word counter and a four-word key, twenty rounds."""
    k4 = u32(u32(k0 ^ k1) ^ u32(k2 ^ k3) ^ PARITY)
    x0, x1, x2, x3 = inject(c0, c1, c2, c3, k0, k1, k2, k3, ZERO)
    x0, x1, x2, x3 = four_rounds(x0, x1, x2, x3, EVEN)
    x0, x1, x2, x3 = inject(x0, x1, x2, x3, k1, k2, k3, k4, I1)
    x0, x1, x2, x3 = four_rounds(x0, x1, x2, x3, ODD)
    x0, x1, x2, x3 = inject(x0, x1, x2, x3, k2, k3, k4, k0, I2)
    x0, x1, x2, x3 = four_rounds(x0, x1, x2, x3, EVEN)
    x0, x1, x2, x3 = inject(x0, x1, x2, x3, k3, k4, k0, k1, I3)
    x0, x1, x2, x3 = four_rounds(x0, x1, x2, x3, ODD)
    x0, x1, x2, x3 = inject(x0, x1, x2, x3, k4, k0, k1, k2, I4)
    x0, x1, x2, x3 = four_rounds(x0, x1, x2, x3, EVEN)
    return inject(x0, x1, x2, x3, k0, k1, k2, k3, I5)


def _log32(x):
    bits = i32(f32(x).view(i32) - SQRT_HALF_BITS)
    e = f32(i32(bits >> EXPONENT))
    f = i32(i32(bits & MANTISSA) + SQRT_HALF_BITS).view(f32) - 1.0
    p = fma(f, 0.06971611471, -0.1147973385)
    p = fma(fma(p, f, 0.1168541992), f, -0.1242568733)
    p = fma(fma(p, f, 0.1424905765), f, -0.1666780232)
    p = fma(fma(p, f, 0.2000071575), f, -0.2499999696)
    p = fma(p, f, 0.3333333118)
    square = f * f
    y = fma(square, -0.5, p * (square * f)) + fma(e, LN2_LOW, f)
    return fma(e, LN2_HIGH, y)


log32 = bind(_log32, f32, ARITHMETIC)


WORDS = {
    "fma": fma,
    "sqrt": ARITHMETIC["sqrt"],
    "log32": log32,
    "unsigned_to_float": compiled(lambda word: f32(u32(word))),
    "to_float": compiled(lambda bits: f32(i32(bits))),
    "as_signed": compiled(lambda word: u32(word).view(i32)),
    "as_bits": compiled(lambda x: f32(x).view(i32)),
    "from_bits": compiled(lambda bits: i32(bits).view(f32)),
}
"""What the names of `sim.noise` mean for one thread."""


def _scalar(lanes):
    return bind(lanes.py_func, f32, WORDS)


normal_pair = _scalar(noise.normal_pair)


def _at_level(level):
    word = u32(level)

    def four(zero, quad, node, variable, k0, k1, k2, k3):
        a, b, c, d = threefry(u32(quad), u32(node), u32(variable), word, k0, k1, k2, k3)
        n0, n1 = normal_pair(a, b)
        n2, n3 = normal_pair(c, d)
        return n0, n1, n2, n3

    return compiled(four)


four_normals = _at_level(0)
_first = _scalar(noise._halved_increments(four_normals, _at_level(1)))
INCREMENTS = (four_normals, _first, _scalar(noise._halved_increments(_first, _at_level(2))))
"""Increments (per √dt) of the same path for steps of dt, dt/2 and dt/4."""
_both = _scalar(noise._both(four_normals))
_both_first = _scalar(noise._halved_both(_both, _at_level(1)))
INCREMENTS_AND_AREAS = (_both, _both_first, _scalar(noise._halved_both(_both_first, _at_level(2))))
"""Increments and areas of the same path likewise."""
