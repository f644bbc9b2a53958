"""Counter-based noise: every normal number is a function of (seed, draw, step, node, variable) and
of nothing else.

Threefry4x32-20 (Salmon et al. 2011, doi:10.1145/2063384.2063405) turns the key (draw, seed) and the
counter (step // 4, node, variable, 0) into four random words, which Box-Muller turns into the
normals of four consecutive steps. So a draw gets the same noise in any block, lane, thread, worker
or retry. The normals are float32 (they are widened in float64 kernels); their largest magnitude is
about 6.7.

A path is refined by Brownian bridges: the two halves of an increment ξ are (ξ ± β)/√2, with β from
the counter's fourth word. Where a scheme uses the areas ζ under the path as well, β and the areas
of the halves are drawn given ζ, so that coarse and fine are the same path; the conditional laws
follow from Var(∫∫dW ds) = dt³/3: Kloeden & Platen (1992) doi:10.1007/978-3-662-12616-5, 5.8.
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
HALF_ROOT, HALF_ROOT_3 = 0.5**0.5, 0.75**0.5
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


def _at_level(level):
    word = np.uint32(level)

    @inline
    def four(zero, quad, node, variable, k0, k1, k2, k3):
        a, b, c, d = threefry(
            zero + np.uint32(quad),
            zero + np.uint32(node),
            zero + np.uint32(variable),
            zero + word,
            k0,
            k1,
            k2,
            k3,
        )
        n0, n1 = normal_pair(a, b)
        n2, n3 = normal_pair(c, d)
        return n0, n1, n2, n3

    return four


def halved_increments(coarser, bridge):
    """Make the function of increments at half the step from those at the whole, and new normals."""

    @inline
    def four(zero, quad, node, variable, k0, k1, k2, k3):
        a0, a1, a2, a3 = coarser(zero, quad >> 1, node, variable, k0, k1, k2, k3)
        b0, b1, b2, b3 = bridge(zero, quad >> 1, node, variable, k0, k1, k2, k3)
        if quad & 1:
            a0, a1, b0, b1 = a2, a3, b2, b3
        return (
            (a0 + b0) * HALF_ROOT,
            (a0 - b0) * HALF_ROOT,
            (a1 + b1) * HALF_ROOT,
            (a1 - b1) * HALF_ROOT,
        )

    return four


def with_areas(increments):
    """Make the function of increments and areas, both new normals."""

    @inline
    def eight(zero, quad, node, variable, area, k0, k1, k2, k3):
        a0, a1, a2, a3 = increments(zero, quad, node, variable, k0, k1, k2, k3)
        z0, z1, z2, z3 = increments(zero, quad, node, area, k0, k1, k2, k3)
        return a0, a1, a2, a3, z0, z1, z2, z3

    return eight


def halved_both(coarser, bridge):
    """Make the function of increments and areas at half the step, on the same path."""

    @inline
    def eight(zero, quad, node, variable, area, k0, k1, k2, k3):
        half = quad >> 1
        a0, a1, a2, a3, z0, z1, z2, z3 = coarser(zero, half, node, variable, area, k0, k1, k2, k3)
        c0, c1, c2, c3 = bridge(zero, half, node, variable, k0, k1, k2, k3)
        d0, d1, d2, d3 = bridge(zero, half, node, area, k0, k1, k2, k3)
        if quad & 1:
            a0, a1, z0, z1, c0, c1, d0, d1 = a2, a3, z2, z3, c2, c3, d2, d3
        # The middle of the path and the sum of the halves' areas, both given the whole's area.
        b0, b1 = z0 * HALF_ROOT_3 + c0 * 0.5, z1 * HALF_ROOT_3 + c1 * 0.5
        g0, g1 = z0 * 0.5 - c0 * HALF_ROOT_3, z1 * 0.5 - c1 * HALF_ROOT_3
        return (
            (a0 + b0) * HALF_ROOT,
            (a0 - b0) * HALF_ROOT,
            (a1 + b1) * HALF_ROOT,
            (a1 - b1) * HALF_ROOT,
            (g0 + d0) * HALF_ROOT,
            (g0 - d0) * HALF_ROOT,
            (g1 + d1) * HALF_ROOT,
            (g1 - d1) * HALF_ROOT,
        )

    return eight


four_normals = _at_level(0)
"""Normals of steps 4 quad .. 4 quad + 3 of one node and noise variable."""
_first = halved_increments(four_normals, _at_level(1))
INCREMENTS = (four_normals, _first, halved_increments(_first, _at_level(2)))
"""Increments (per √dt) of the same path for steps of dt, dt/2 and dt/4."""
_both_first = halved_both(with_areas(four_normals), _at_level(1))
INCREMENTS_AND_AREAS = (
    with_areas(four_normals),
    _both_first,
    halved_both(_both_first, _at_level(2)),
)
"""Increments ξ and areas ζ, ∫∫dW ds = dt^(3/2) (ξ + ζ/√3) / 2, of the same path likewise."""


def keys(seed: int, draws: np.ndarray) -> np.ndarray:
    """Key words of each draw, shape (4, draw): the draw's number and the seed, 64 bits each."""
    draws = np.asarray(draws, np.uint64)
    seeds = np.full_like(draws, np.uint64(seed))
    low, high = np.uint64(0xFFFFFFFF), np.uint64(32)
    return np.stack([draws & low, draws >> high, seeds & low, seeds >> high]).astype(np.uint32)


@cache
def _filler(level, areas):
    increments, both = INCREMENTS[level], INCREMENTS_AND_AREAS[level]

    @njit(nogil=True)
    def fill(out, key, nodes, variables):
        k0, k1 = load(key, 0, 1), load(key, 1, 1)
        k2, k3 = load(key, 2, 1), load(key, 3, 1)
        zero = k0 ^ k0
        position = 0
        for quad in range(out.size // (4 * nodes * variables)):
            for variable in range(variables):
                for node in range(nodes):
                    if not areas:
                        n0, n1, n2, n3 = increments(zero, quad, node, variable, k0, k1, k2, k3)
                    else:
                        area = variable % (variables // 2) + variables // 2
                        a0, a1, a2, a3, n0, n1, n2, n3 = both(
                            zero, quad, node, area - variables // 2, area, k0, k1, k2, k3
                        )
                        if variable < variables // 2:
                            n0, n1, n2, n3 = a0, a1, a2, a3
                    store(out, position, n0)
                    store(out, position + 1, n1)
                    store(out, position + 2, n2)
                    store(out, position + 3, n3)
                    position += 4

    return fill


def normals(
    seed: int,
    draw: int,
    steps: int,
    nodes: int,
    variables: int = 1,
    *,
    level: int = 0,
    areas: bool = False,
) -> np.ndarray:
    """Return the noise of one draw as an array, float32 of shape (step, variable, node).

    `level` is how many times steps have been halved; with `areas` the second half of the variables
    are the areas under the first.
    """
    quads = -(-steps // 4)
    out = np.empty(quads * variables * nodes * 4, np.float32)
    _filler(level, areas)(out, keys(seed, np.array([draw]))[:, 0].copy(), nodes, variables)
    ordered = out.reshape(quads, variables, nodes, 4).transpose(0, 3, 1, 2)
    return ordered.reshape(quads * 4, variables, nodes)[:steps]
