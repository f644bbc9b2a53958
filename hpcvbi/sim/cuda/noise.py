"""Counter-based noise for one thread: the words of `sim.noise`, and its normals to the last bits.

numba widens the sum of two uint32 to uint64; every operation on words is cast back. All else is
compiled from the functions of `sim.noise`, so that CPU and GPU see the same noise.
"""

import numpy as np

from hpcvbi.sim import noise
from hpcvbi.sim.cuda.device import compiled, log32, scalar

u32 = np.uint32
PARITY = u32(0x1BD11BDA)
ZERO, I1, I2, I3, I4, I5 = (u32(i) for i in range(6))
BITS = u32(32)
EVEN = tuple(u32(r) for r in (10, 26, 11, 21, 13, 27, 23, 5))
ODD = tuple(u32(r) for r in (6, 20, 17, 11, 25, 10, 18, 20))


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


normal_pair = scalar(noise.normal_pair, log32=log32)


def _at_level(level):
    word = u32(level)

    def four(zero, quad, node, variable, k0, k1, k2, k3):
        a, b, c, d = threefry(u32(quad), u32(node), u32(variable), word, k0, k1, k2, k3)
        n0, n1 = normal_pair(a, b)
        n2, n3 = normal_pair(c, d)
        return n0, n1, n2, n3

    return compiled(four)


four_normals = _at_level(0)
_first = scalar(noise.halved_increments(four_normals, _at_level(1)))
INCREMENTS = (four_normals, _first, scalar(noise.halved_increments(_first, _at_level(2))))
"""Increments (per √dt) of the same path for steps of dt, dt/2 and dt/4."""
_both = scalar(noise.with_areas(four_normals))
_both_first = scalar(noise.halved_both(_both, _at_level(1)))
INCREMENTS_AND_AREAS = (_both, _both_first, scalar(noise.halved_both(_both_first, _at_level(2))))
"""Increments and areas of the same path likewise."""
