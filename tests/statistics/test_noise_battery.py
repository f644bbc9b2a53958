"""A longer battery on the counter noise, on demand: pytest -m battery.

Every statistic is turned into a p value under the hypothesis of independent standard normals; the
seeds are fixed and the bound is divided by the number of p values (Bonferroni), so that the battery
passes or fails for good. Statistics as in Knuth, The Art of Computer Programming 2, 3.3.2, and
L'Ecuyer & Simard (2007) doi:10.1145/1268776.1268777.
"""

import numpy as np
import pytest
from scipy import stats

from hpcvbi.sim.noise import normals

pytestmark = pytest.mark.battery
LEVEL = 1e-3
"""Probability that one of these tests fails although the noise is what it should be."""
SEEDS = (1, 2, 20261121, 2**63 - 1)
PLAIN = [{"level": 0}, {"level": 1}, {"level": 2}]
AREAS = [{"level": level, "areas": True} for level in (0, 1, 2)]
STREAMS = pytest.mark.parametrize("options", PLAIN + AREAS, ids=str)
STEPS, NODES, VARIABLES = 8192, 64, 4


def sample(seed, options, draw=0, steps=STEPS, nodes=NODES, variables=VARIABLES):
    return normals(seed, draw, steps, nodes, variables, **options).astype(float)


def passes(p_values):
    """Assert that the smallest of independent or dependent p values is not too small."""
    p_values = np.ravel(p_values)
    assert np.isfinite(p_values).all()
    assert p_values.min() > LEVEL / p_values.size, np.sort(p_values)[:5]


def two_sided(z):
    return 2 * stats.norm.sf(np.abs(z))


def chi_square(counts, expected):
    statistic = (np.square(counts - expected) / expected).sum()
    return stats.chi2.sf(statistic, np.size(counts) - 1)


def correlation(a, b):
    """p value of the mean product of two arrays of standard normals, of any shape."""
    return two_sided((a * b).sum() / np.sqrt(np.size(a)))


@STREAMS
def test_moments(options):
    """The first eight, each over the variance that it has for a standard normal."""
    found = []
    for seed in SEEDS:
        z = sample(seed, options)
        for power in range(1, 9):
            mean, variance = (stats.norm.moment(k) for k in (power, 2 * power))
            spread = np.sqrt((variance - mean**2) / z.size)
            found.append(two_sided(((z**power).mean() - mean) / spread))
    passes(found)


@STREAMS
def test_distribution(options):
    """Kolmogorov-Smirnov, and chi-square of a thousand equally likely bins and of the tails."""
    found, edges = [], np.linspace(0.0, 1.0, 1001)
    for seed in SEEDS:
        z = sample(seed, options).ravel()
        found.append(stats.kstest(z[:500_000], "norm").pvalue)
        counts, _ = np.histogram(stats.norm.cdf(z), edges)
        found.append(chi_square(counts, z.size / 1000))
        tails = stats.norm.isf([1e-3, 1e-4, 1e-5])
        for sign in (-1, 1):
            above = (sign * z[:, None] > tails).sum(axis=0)
            inside = -np.diff(np.append(np.append(z.size, above), 0))
            expected = -np.diff(z.size * np.array([1.0, 1e-3, 1e-4, 1e-5, 0.0]))
            found.append(chi_square(inside, expected))
    passes(found)


@STREAMS
def test_steps_are_independent(options):
    """Autocorrelation of values, squares and signs at lags up to 64, across calls of four steps."""
    found = []
    for seed in SEEDS:
        z = sample(seed, options)
        for lag in (*range(1, 17), 32, 63, 64):
            early, late = z[:-lag], z[lag:]
            found.append(correlation(early, late))
            found.append(correlation((early**2 - 1) / np.sqrt(2), (late**2 - 1) / np.sqrt(2)))
            found.append(correlation(np.sign(early), np.sign(late)))
    passes(found)


@STREAMS
def test_nodes_and_variables_are_independent(options):
    """All pairs of the streams of one draw, at the same step and one step apart."""
    z = sample(3, options, steps=4096, nodes=32).reshape(4096, -1)
    many = z.shape[1]
    together = z.T @ z / np.sqrt(len(z))
    apart = z[:-1].T @ z[1:] / np.sqrt(len(z) - 1)
    passes(two_sided(np.concatenate([together[np.triu_indices(many, 1)], apart.ravel()])))


@STREAMS
def test_neighbouring_draws_and_seeds_are_independent(options):
    """Keys that differ in one bit or by one, in each of their four words."""
    keys = [(seed, 0) for seed in (0, 1, 2, 3, 2**31, 2**32, 2**62)]
    keys += [(0, draw) for draw in (1, 2, 3, 4, 5, 2**16, 2**32, 2**32 + 1, 2**62)]
    z = np.stack([sample(*key_of(*key, options)).ravel() for key in keys])
    pairs = np.triu_indices(len(keys), 1)
    squares = (z**2 - 1) / np.sqrt(2)
    products = [(y @ y.T / np.sqrt(y.shape[1]))[pairs] for y in (z, squares)]
    passes(two_sided(np.concatenate(products)))


def key_of(seed, draw, options):
    return seed, options, draw, 4096, 16


@STREAMS
def test_pairs_fill_the_square(options):
    """Pairs of neighbours along each index in a grid of 32 by 32 equally likely cells; triples of
    steps in 8 by 8 by 8.
    """
    found = []
    for seed in SEEDS:
        u = stats.norm.cdf(sample(seed, options))
        for axis in range(3):
            first = u.take(range(0, u.shape[axis] - 1, 2), axis)
            second = u.take(range(1, u.shape[axis], 2), axis)
            cells = (first * 32).astype(int) * 32 + (second * 32).astype(int)
            found.append(chi_square(np.bincount(cells.ravel(), minlength=1024), cells.size / 1024))
        three = (u[: STEPS // 3 * 3].reshape(-1, 3, NODES * VARIABLES) * 8).astype(int)
        cells = three[:, 0] * 64 + three[:, 1] * 8 + three[:, 2]
        found.append(chi_square(np.bincount(cells.ravel(), minlength=512), cells.size / 512))
    passes(found)


@STREAMS
def test_runs(options):
    """Wald-Wolfowitz: how often the sign changes from one step to the next."""
    found = []
    for seed in SEEDS:
        changes = np.diff(np.sign(sample(seed, options)), axis=0) != 0
        found += list(
            two_sided(
                (changes.sum(axis=0) - changes.shape[0] / 2).ravel() / np.sqrt(changes.shape[0] / 4)
            )
        )
        found.append(stats.binomtest(int(changes.sum()), changes.size).pvalue)
    passes(found)


@STREAMS
def test_largest_of_64(options):
    """Φ(max)^64 of the nodes of one step is uniform; so is that of 64 steps of one node."""
    found = []
    for seed in SEEDS:
        z = sample(seed, options)
        for largest in (z.max(axis=2), z.reshape(-1, 64, VARIABLES, NODES).max(axis=1)):
            found.append(stats.kstest(stats.norm.cdf(largest.ravel()) ** 64, "uniform").pvalue)
    passes(found)


@pytest.mark.parametrize("level", [1, 2])
def test_a_refined_path_is_the_coarse_one(level):
    """Sums of halved increments are the increments; what the bridge adds is independent of them."""
    many, found = 2**level, []
    for seed in SEEDS:
        coarse = sample(seed, {"level": 0}, steps=2048)
        fine = sample(seed, {"level": level}, steps=2048 * many)
        parts = fine.reshape(2048, many, VARIABLES, NODES)
        np.testing.assert_allclose(parts.sum(axis=1) / np.sqrt(many), coarse, atol=3e-6)
        bridge = (parts[:, : many // 2].sum(axis=1) - parts[:, many // 2 :].sum(axis=1)) / np.sqrt(
            many
        )
        found += [correlation(bridge, coarse), correlation(bridge[1:], coarse[:-1])]
    passes(found)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_areas_are_independent_of_increments(level):
    """ξ and ζ of one step and of neighbouring steps."""
    found = []
    for seed in SEEDS:
        z = sample(seed, {"level": level, "areas": True})
        increments, areas = z[:, : VARIABLES // 2], z[:, VARIABLES // 2 :]
        found.append(correlation(increments, areas))
        for lag in range(1, 9):
            found.append(correlation(increments[lag:], areas[:-lag]))
            found.append(correlation(increments[:-lag], areas[lag:]))
    passes(found)


@pytest.mark.parametrize(
    ("flaw", "test"),
    [
        (lambda z: 1.002 * z, test_moments),
        (lambda z: z.clip(-3.6, 3.6), test_distribution),
        (lambda z: z + 0.01 * np.roll(z, 3, axis=0), test_steps_are_independent),
        (
            lambda z: np.where(np.arange(z.shape[2]) == 9, np.roll(z, 1, 2), z),
            test_nodes_and_variables_are_independent,
        ),
        (lambda z: np.where(z > 3.0, 3.0, z), test_largest_of_64),
    ],
)
def test_the_battery_finds_a_flaw(monkeypatch, flaw, test):
    """Small departures, one for each kind of statistic."""
    sound = normals
    monkeypatch.setitem(globals(), "normals", lambda *a, **k: flaw(sound(*a, **k)))
    with pytest.raises(AssertionError):
        test({"level": 0})
