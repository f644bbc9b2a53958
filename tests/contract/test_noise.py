"""The noise is Threefry4x32-20 and Box-Muller, and behaves like independent standard normals.

The second implementation below is plain NumPy, written from the papers: Salmon et al. (2011)
doi:10.1145/2063384.2063405 and Box & Muller (1958) doi:10.1214/aoms/1177706645.
"""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from hpcvbi.sim.lanes.memory import load, store
from hpcvbi.sim.noise import keys, normals, threefry

ONES, PI = [0xFFFFFFFF] * 4, [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
KNOWN_ANSWERS = [
    # counter, key, words: the file kat_vectors of Random123.
    ([0] * 4, [0] * 4, [0x9C6CA96A, 0xE17EAE66, 0xFC10ECD4, 0x5256A7D8]),
    (ONES, ONES, [0x2A881696, 0x57012287, 0xF6C7446E, 0xA16A6732]),
    (
        PI,
        [0xA4093822, 0x299F31D0, 0x082EFA98, 0xEC4E6C89],
        [0x59CD1DBB, 0xB8879579, 0x86B5D00C, 0xAC8B6D84],
    ),
]
ROTATIONS = [(10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20)]


def plain_threefry(counter, key):
    """Words (4, ...) of counters and keys of that shape."""
    mask = np.uint64(0xFFFFFFFF)
    key = [np.asarray(k, np.uint64) for k in key]
    key.append(key[0] ^ key[1] ^ key[2] ^ key[3] ^ np.uint64(0x1BD11BDA))
    x = [(np.asarray(c, np.uint64) + k) & mask for c, k in zip(counter, key[:4], strict=True)]
    for number in range(20):
        first, second = (1, 3) if number % 2 == 0 else (3, 1)
        sources, rotations = (first, second), ROTATIONS[number % 8]
        for target, source, bits in zip((0, 2), sources, rotations, strict=True):
            x[target] = (x[target] + x[source]) & mask
            turned = x[source] << np.uint64(bits) | x[source] >> np.uint64(32 - bits)
            x[source] = (turned & mask) ^ x[target]
        if number % 4 == 3:
            turn = number // 4 + 1
            for word in range(4):
                x[word] = (x[word] + key[(turn + word) % 5]) & mask
            x[3] = (x[3] + np.uint64(turn)) & mask
    return np.stack(x)


def plain_normals(seed, draw, steps, nodes, variables):
    """Same contract as `normals`, in float64 from the uniform on."""
    quad, variable, node = np.meshgrid(
        np.arange(-(-steps // 4)), np.arange(variables), np.arange(nodes), indexing="ij"
    )
    key = [draw & 0xFFFFFFFF, draw >> 32, seed & 0xFFFFFFFF, seed >> 32]
    words = plain_threefry([quad, node, variable, np.zeros_like(quad)], key)
    four = []
    for a, b in (words[:2], words[2:]):
        uniform = (a.astype(np.float32) * np.float32(2**-32) + np.float32(2**-33)).astype(float)
        radius = np.sqrt(-2.0 * np.log(uniform))
        # The two highest bits of b choose the quadrant, the others the angle inside it.
        inside = ((b << np.uint64(2)) & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.int32)
        angle = np.pi / 4 + inside.astype(float) * 2.0**-32 * np.pi / 2
        four.append(radius * np.cos(angle) * np.where(b >> np.uint64(31) & np.uint64(1), -1, 1))
        four.append(radius * np.sin(angle) * np.where(b >> np.uint64(30) & np.uint64(1), -1, 1))
    by_step = np.stack(four, axis=1)
    return by_step.reshape(-1, variables, nodes)[:steps]


@pytest.fixture(scope="module")
def words_of():
    @njit
    def run(inputs, out):
        c0, c1 = load(inputs, 0, 1), load(inputs, 1, 1)
        c2, c3 = load(inputs, 2, 1), load(inputs, 3, 1)
        k0, k1 = load(inputs, 4, 1), load(inputs, 5, 1)
        k2, k3 = load(inputs, 6, 1), load(inputs, 7, 1)
        x0, x1, x2, x3 = threefry(c0, c1, c2, c3, k0, k1, k2, k3)
        store(out, 0, x0)
        store(out, 1, x1)
        store(out, 2, x2)
        store(out, 3, x3)

    def words(counter, key):
        out = np.empty(4, np.uint32)
        run(np.array([*counter, *key], np.uint32), out)
        return out.tolist()

    return words


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_known_answers(words_of, counter, key, words):
    assert words_of(counter, key) == words
    assert plain_threefry(counter, key).tolist() == words


def test_agrees_with_a_second_implementation():
    seed, draw = 0x0123456789ABCDEF, (7 << 32) + 12345
    got = normals(seed, draw, 203, 17, 3)
    expected = plain_normals(seed, draw, 203, 17, 3)
    assert got.shape == (203, 3, 17) and got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


def test_each_number_depends_on_its_indices_only():
    whole = normals(5, 3, 40, 6, 2)
    np.testing.assert_array_equal(normals(5, 3, 9, 6, 2), whole[:9])
    np.testing.assert_array_equal(normals(5, 3, 40, 4, 2), whole[:, :, :4])
    np.testing.assert_array_equal(normals(5, 3, 40, 6, 1), whole[:, :1])


def test_keys_hold_all_64_bits_of_draw_and_seed():
    words = keys(2**63 + 5, np.array([2**40 + 1]))
    assert words[:, 0].tolist() == [1, 2**8, 5, 2**31]


@pytest.fixture(scope="module")
def sample():
    """About a million normals, (step, variable, node)."""
    return normals(20261121, 0, 8000, 64, 2).astype(float)


def test_moments(sample):
    z, n = sample.ravel(), sample.size
    # Standard errors of mean, mean square, third and fourth moment of a standard normal.
    for power, expected, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - expected) < 4 * np.sqrt(variance / n)


def test_distribution(sample):
    z = sample.ravel()
    assert stats.kstest(z, "norm").pvalue > 1e-3
    for bound in (3.0, 4.0):
        expected = 2 * stats.norm.sf(bound) * z.size
        assert abs((np.abs(z) > bound).sum() - expected) < 4 * np.sqrt(expected)
    assert np.abs(z).max() < 6.8


def test_steps_nodes_and_variables_are_uncorrelated(sample):
    steps = len(sample)
    for lag in range(1, 9):
        product = sample[:-lag] * sample[lag:]
        assert abs(product.mean()) < 4 / np.sqrt(product.size)
    for product in (
        sample[:, :, 1:] * sample[:, :, :-1],
        sample[:, 0] * sample[:, 1],
        (sample[:-1] ** 2 - 1) * (sample[1:] ** 2 - 1) / 2,
    ):
        assert abs(product.mean()) < 4 / np.sqrt(product.size)
    between_nodes = np.corrcoef(sample[:, 0].T)[np.triu_indices(64, 1)]
    assert np.abs(between_nodes).max() < 5 / np.sqrt(steps)


def test_draws_and_seeds_are_uncorrelated():
    sets = [normals(seed, draw, 4000, 8, 1).ravel() for seed in (1, 2) for draw in (0, 1, 2**32)]
    between = np.corrcoef(sets)[np.triu_indices(len(sets), 1)]
    assert np.abs(between).max() < 4.5 / np.sqrt(sets[0].size)


@pytest.mark.parametrize("areas", [False, True])
@pytest.mark.parametrize("level", [1, 2])
def test_a_refined_path_is_the_same_path(level, areas):
    variables = 4 if areas else 2
    coarse, fine = (
        normals(8, 3, steps, 5, variables, level=at, areas=areas).astype(float)
        for at, steps in ((level - 1, 403), (level, 806))
    )
    first, second = fine[::2], fine[1::2]
    np.testing.assert_allclose(
        (first[:, :2] + second[:, :2]) / np.sqrt(2.0), coarse[:, :2], rtol=0, atol=1e-6
    )
    if areas:
        # With ∫∫dW ds = h^(3/2) (ξ + ζ/√3) / 2 of both halves, and h ξ₁ √h of what the first
        # half's increment adds during the second.
        (x1, z1), (x2, z2) = ((half[:, :2], half[:, 2:]) for half in (first, second))
        area = ((x1 + z1 / np.sqrt(3)) / 2 + (x2 + z2 / np.sqrt(3)) / 2 + x1) / 2**1.5
        zeta = np.sqrt(3.0) * (2 * area - (x1 + x2) / np.sqrt(2.0))
        np.testing.assert_allclose(zeta, coarse[:, 2:], rtol=0, atol=2e-6)


@pytest.mark.parametrize("areas", [False, True])
@pytest.mark.parametrize("level", [1, 2])
def test_refined_normals_are_independent_standard_normals(level, areas):
    z = normals(77, 1, 16000, 16, 2, level=level, areas=areas).astype(float)
    assert stats.kstest(z.ravel()[::2], "norm").pvalue > 1e-3
    # Eight consecutive steps hold all that one coarse step was refined to, and its neighbour.
    together = z.reshape(2000, 8, 2, 16).transpose(0, 3, 1, 2).reshape(-1, 16)
    covariance = together.T @ together / len(together)
    assert np.abs(covariance - np.eye(16)).max() < 5 / np.sqrt(len(together))
    squares = (together**2 - 1) / np.sqrt(2.0)
    assert np.abs(squares.T @ squares / len(together) - np.eye(16)).max() < 0.1
    assert np.abs(together.mean(axis=0)).max() < 4.5 / np.sqrt(len(together))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_refined_numbers_depend_on_their_indices_only(level):
    whole = normals(5, 3, 40, 6, 4, level=level, areas=True)
    np.testing.assert_array_equal(normals(5, 3, 9, 6, 4, level=level, areas=True), whole[:9])
    np.testing.assert_array_equal(normals(5, 3, 9, 2, 4, level=level, areas=True), whole[:9, :, :2])
    if level == 0:
        np.testing.assert_array_equal(normals(5, 3, 40, 6, 4), whole)


def test_levels_differ():
    levels = [normals(5, 0, 4000, 2, 1, level=level).ravel() for level in range(3)]
    between = np.corrcoef(levels)[np.triu_indices(3, 1)]
    assert np.abs(between).max() < 4.5 / np.sqrt(levels[0].size)
