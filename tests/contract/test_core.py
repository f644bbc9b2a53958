"""The words of `core`: priors, spaces, blocks, seeds and pair vectors."""

import numpy as np
import pytest
from scipy import stats

from hpcvbi import LogUniform, Param, Space, Uniform
from hpcvbi.core.block import Block, blocks_of
from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.core.pairs import correlation, from_upper, pair_indices, upper
from hpcvbi.core.prior import PRIORS
from hpcvbi.core.seeds import derive_seed, generator

SPACE = Space(
    (
        Param("G", 1.0, low=0.0, prior=Uniform(0.5, 3.0)),
        Param("sigma", 0.01, "1/sqrt(ms)", low=0.0, prior=LogUniform(1e-3, 1e-1)),
    )
)


def test_quantile_and_cdf_are_inverse():
    u = np.linspace(0.0, 1.0, 101)
    for prior in (Uniform(-2.0, 5.0), LogUniform(1e-4, 10.0)):
        np.testing.assert_allclose(prior.cdf(prior.quantile(u)), u, atol=1e-14)
        assert prior.cdf(np.array([-1e9, 1e9])).tolist() == [0.0, 1.0]


def test_densities_are_those_of_scipy():
    x = np.linspace(-0.5, 4.0, 50)
    for prior, same in (
        (Uniform(0.5, 3.0), stats.uniform(0.5, 2.5)),
        (LogUniform(0.5, 3.0), stats.loguniform(0.5, 3.0)),
    ):
        np.testing.assert_allclose(prior.log_density(x), same.logpdf(x), rtol=1e-12)


@pytest.mark.parametrize("kind", PRIORS.values())
@pytest.mark.parametrize(("low", "high"), [(2.0, 1.0), (1.0, 1.0), (1.0, np.inf), (np.nan, 1.0)])
def test_priors_need_finite_ordered_bounds(kind, low, high):
    with pytest.raises(ConfigError, match="needs finite low < high"):
        kind(low, high)


def test_log_uniform_needs_a_positive_lower_bound():
    with pytest.raises(ConfigError, match="log_uniform needs 0 < low, got low = 0"):
        LogUniform(0.0, 1.0)


def test_space_maps_there_and_back():
    theta = SPACE.sample(np.random.default_rng(0), 1000)
    assert theta.shape == (1000, 2) and SPACE.names == ("G", "sigma") and len(SPACE) == 2
    np.testing.assert_allclose(SPACE.from_unit(SPACE.to_unit(theta)), theta, rtol=1e-12)
    np.testing.assert_allclose(SPACE.from_unbounded(SPACE.to_unbounded(theta)), theta, rtol=1e-10)
    SPACE.check(theta)
    for column in SPACE.to_unit(theta).T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_log_prob_is_the_product_of_the_priors():
    theta = np.array([[1.0, 0.01], [4.0, 0.01], [1.0, 0.2]])
    inside = -np.log(2.5) - np.log(0.01 * np.log(100.0))
    np.testing.assert_allclose(SPACE.log_prob(theta), [inside, -np.inf, -np.inf])


def test_blocks_cover_the_draws():
    blocks = blocks_of("ann", "round_000", 10, 4)
    assert [(b.start, b.stop, b.size) for b in blocks] == [(0, 4, 4), (4, 8, 4), (8, 10, 2)]
    assert blocks[1] == Block("ann", "round_000", 1, 4, 8)
    assert blocks[1].key == ("ann", "round_000", 1)


def test_seeds_belong_to_their_labels():
    assert derive_seed("noise", 1) == derive_seed("noise", 1) < 2**63
    seeds = [("noise", 1), ("noise", "1"), ("noise1",), ("noise", 2), ("noise", 1, 0)]
    assert len({derive_seed(*labels) for labels in seeds}) == len(seeds)
    # A recorded value: a change would change the noise of every finished study.
    assert derive_seed("noise", 1) == 2040112098632426545
    assert generator("a").random() == generator("a").random() != generator("b").random()


def test_pair_vectors_run_row_by_row():
    matrix = np.arange(16.0).reshape(4, 4)
    matrix = matrix + matrix.T
    first, second = pair_indices(4)
    assert list(zip(first, second, strict=True))[:4] == [(0, 1), (0, 2), (0, 3), (1, 2)]
    np.testing.assert_array_equal(upper(matrix), matrix[first, second])
    np.fill_diagonal(matrix, 1.0)
    np.testing.assert_array_equal(from_upper(upper(matrix)), matrix)
    assert upper(np.ones((5, 3, 3))).shape == (5, 3)
    with pytest.raises(DataError, match=r"must be square, got shape \(2, 3\)"):
        upper(np.ones((2, 3)))
    with pytest.raises(DataError, match="4 is not the number of pairs"):
        from_upper(np.ones(4))


def test_correlation_is_pearsons():
    a, b = np.random.default_rng(1).standard_normal((2, 7, 30))
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(correlation(a, b), expected)
    with np.errstate(invalid="ignore"):
        assert np.isnan(correlation(np.full(5, 0.1), np.arange(5.0)))
