"""Counter-based noise: every normal number is a function of (seed, draw, step, node, variable) and
of nothing else.

Threefry4x32-20 (Salmon et al. 2011, doi:10.1145/2063384.2063405) turns the key (draw, seed) and the
counter (step // 4, node, variable, 0) into four random words, which Box-Muller turns into the
normals of four consecutive steps. So a draw gets the same noise in any block, lane, thread, worker
or retry. The normals are float32 (they are widened in float64 kernels); their largest magnitude is
about 6.7.
"""

from functools import cache

import numpy as np
from numba import njit

from hpcvbi.sim.lanes.functions import inline, log32
from hpcvbi.sim.lanes.memory import load, store
from hpcvbi.sim.lanes.vector import (
    as_bits,
    as_signed,
    fma,
    from_bits,
    rotate_left,
    sqrt,
    to_float,
    unsigned_to_float,
)

PARITY = np.uint32(0x1BD11BDA)
SIGN = np.uint32(0x80000000)
ONE, TWO = np.uint32(1), np.uint32(2)
HALF_PI_PER_WORD = np.pi / 2.0 * 2.0**-32


def _rounds(rotations):
    (a0, b0), (a1, b1), (a2, b2), (a3, b3) = [tuple(map(np.uint32, pair)) for pair in rotations]

    @inline
    def four_rounds(x0, x1, x2, x3):
        x0 = x0 + x1
        x1 = rotate_left(x1, a0) ^ x0
        x2 = x2 + x3
        x3 = rotate_left(x3, b0) ^ x2
        x0 = x0 + x3
        x3 = rotate_left(x3, a1) ^ x0
        x2 = x2 + x1
        x1 = rotate_left(x1, b1) ^ x2
        x0 = x0 + x1
        x1 = rotate_left(x1, a2) ^ x0
        x2 = x2 + x3
        x3 = rotate_left(x3, b2) ^ x2
        x0 = x0 + x3
        x3 = rotate_left(x3, a3) ^ x0
        x2 = x2 + x1
        x1 = rotate_left(x1, b3) ^ x2
        return x0, x1, x2, x3

    return four_rounds


_even = _rounds(((10, 26), (11, 21), (13, 27), (23, 5)))
_odd = _rounds(((6, 20), (17, 11), (25, 10), (18, 20)))
INJECTIONS = tuple(np.uint32(i) for i in range(6))
I1, I2, I3, I4, I5 = INJECTIONS[1:]


@inline
def threefry(c0, c1, c2, c3, k0, k1, k2, k3):
    """Four random words from a four-word counter and a four-word key, twenty rounds."""
    k4 = k0 ^ k1 ^ k2 ^ k3 ^ PARITY
    x0, x1, x2, x3 = _even(c0 + k0, c1 + k1, c2 + k2, c3 + k3)
    x0, x1, x2, x3 = _odd(x0 + k1, x1 + k2, x2 + k3, x3 + k4 + I1)
    x0, x1, x2, x3 = _even(x0 + k2, x1 + k3, x2 + k4, x3 + k0 + I2)
    x0, x1, x2, x3 = _odd(x0 + k3, x1 + k4, x2 + k0, x3 + k1 + I3)
    x0, x1, x2, x3 = _even(x0 + k4, x1 + k0, x2 + k1, x3 + k2 + I4)
    return x0 + k0, x1 + k1, x2 + k2, x3 + k3 + I5


@inline
def normal_pair(a, b):
    """Two independent float32 normals from two random words (Box-Muller).

    The radius comes from `a`. The angle is one of four quadrants (two bits of `b`, as signs) and a
    position inside it: (cos t - sin t, cos t + sin t) is √2 times the point at angle t + π/4.
    """
    uniform = fma(unsigned_to_float(a), 2.0**-32, 2.0**-33)
    radius = sqrt(-log32(uniform))
    t = to_float(as_signed(b << TWO)) * HALF_PI_PER_WORD
    z = t * t
    s = fma(fma(fma(z, -0.0001958789088, 0.008332748271), z, -0.1666666466) * z, t, t)
    c = fma(z, 2.454794209e-5, -0.001388830304)
    c = fma(fma(c, z, 0.04166666466) * z, z, fma(z, -0.5, 1.0))
    first = as_bits(radius * (c - s)) ^ as_signed(b & SIGN)
    second = as_bits(radius * (c + s)) ^ as_signed((b << ONE) & SIGN)
    return from_bits(first), from_bits(second)


@inline
def four_normals(zero, quad, node, variable, k0, k1, k2, k3):
    """Return the normals of steps 4 quad .. 4 quad + 3 of one node and noise variable."""
    a, b, c, d = threefry(
        zero + np.uint32(quad),
        zero + np.uint32(node),
        zero + np.uint32(variable),
        zero,
        k0,
        k1,
        k2,
        k3,
    )
    n0, n1 = normal_pair(a, b)
    n2, n3 = normal_pair(c, d)
    return n0, n1, n2, n3


def keys(seed: int, draws: np.ndarray) -> np.ndarray:
    """Key words of each draw, shape (4, draw): the draw's number and the seed, 64 bits each."""
    draws = np.asarray(draws, np.uint64)
    seeds = np.full_like(draws, np.uint64(seed))
    low, high = np.uint64(0xFFFFFFFF), np.uint64(32)
    return np.stack([draws & low, draws >> high, seeds & low, seeds >> high]).astype(np.uint32)


@cache
def _filler():
    @njit(nogil=True)
    def fill(out, key, first_quad, nodes, variables):
        k0, k1 = load(key, 0, 1), load(key, 1, 1)
        k2, k3 = load(key, 2, 1), load(key, 3, 1)
        zero = k0 ^ k0
        position = 0
        for quad in range(out.size // (4 * nodes * variables)):
            for variable in range(variables):
                for node in range(nodes):
                    n0, n1, n2, n3 = four_normals(
                        zero, first_quad + quad, node, variable, k0, k1, k2, k3
                    )
                    store(out, position, n0)
                    store(out, position + 1, n1)
                    store(out, position + 2, n2)
                    store(out, position + 3, n3)
                    position += 4

    return fill


def normals(seed: int, draw: int, steps: int, nodes: int, variables: int = 1) -> np.ndarray:
    """Return the noise of one draw as an array, float32 of shape (step, variable, node)."""
    quads = -(-steps // 4)
    out = np.empty(quads * variables * nodes * 4, np.float32)
    _filler()(out, keys(seed, np.array([draw]))[:, 0].copy(), 0, nodes, variables)
    ordered = out.reshape(quads, variables, nodes, 4).transpose(0, 3, 1, 2)
    return ordered.reshape(quads * 4, variables, nodes)[:steps]
