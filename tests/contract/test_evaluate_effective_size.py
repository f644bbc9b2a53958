"""Effective sizes of weights and of chains, against theory and against arviz."""

from importlib.util import find_spec

import numpy as np
import pytest

from hpcvbi.core.errors import DataError
from hpcvbi.evaluate import judge_chains, kish, pareto_smoothed

needs_arviz = pytest.mark.skipif(find_spec("arviz") is None, reason="arviz is missing")


def autoregressive(rho, draws=1000, chains=4, seed=0):
    noise = np.random.default_rng(seed).normal(size=(chains, draws, len(rho)))
    x = noise / np.sqrt(1 - np.square(rho))
    for i in range(1, draws):
        x[:, i] = x[:, i - 1] * rho + noise[:, i]
    return x


def test_kish_counts_equal_weights_and_knows_no_constant():
    assert kish(np.zeros(50)) == pytest.approx(50)
    assert kish(np.array([0.0, 0, -np.inf, -np.inf])) == pytest.approx(2)
    weights = np.array([0.5, 0.3, 0.2])
    assert kish(np.log(weights) + 2000) == pytest.approx(1 / (weights**2).sum())


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_tail_of_pareto_weights_has_their_shape(shape):
    u = np.random.default_rng(1).random(20000)
    found = pareto_smoothed(-shape * np.log(u))
    assert found.k == pytest.approx(shape, abs=0.15)
    assert found.reliable == (shape < 0.7) and found.k_limit == 0.7
    assert np.exp(found.log_weights).sum() == pytest.approx(1)


def test_importance_sampling_is_reliable_from_wide_to_narrow_not_the_other_way():
    z = np.random.default_rng(2).normal(size=(4000, 5))
    wide, narrow = 1.2 * z, 0.3 * z
    good = pareto_smoothed((z**2 - wide**2).sum(1) / 2)
    bad = pareto_smoothed((z**2 - narrow**2).sum(1) / 2)
    assert good.reliable and good.ess > 2000
    assert not bad.reliable
    np.testing.assert_allclose(np.exp(good.log_weights) @ wide**2, 1, atol=0.1)


def test_weights_without_a_tail():
    equal = pareto_smoothed(np.full(100, -3.0))
    assert equal.ess == 100 and np.isnan(equal.k) and equal.reliable
    zero = np.append(-np.inf, np.linspace(0.0, 9.0, 99))
    assert pareto_smoothed(zero).ess == pytest.approx(pareto_smoothed(zero[::-1]).ess)
    assert pareto_smoothed(zero).ess < 30
    few = np.full(100, -np.inf)
    few[:3] = [0, 1, 2]
    assert pareto_smoothed(few).k == np.inf and not pareto_smoothed(few).reliable
    assert np.isfinite(pareto_smoothed(np.repeat([0.0, 1.0], 50)).ess)
    assert pareto_smoothed(np.array([0.0, 1.0])).k == np.inf
    for bad in (np.full(5, np.nan), np.full(5, -np.inf), np.array([0, np.inf]), np.zeros((2, 2))):
        with pytest.raises(DataError):
            kish(bad)


def test_effective_draws_of_autoregressive_chains_are_the_known_ones():
    rho = np.array([0.0, 0.7, -0.3])
    found = judge_chains(autoregressive(rho, 4000))
    np.testing.assert_allclose(found.bulk, 16000 * (1 - rho) / (1 + rho), rtol=0.15)
    assert (found.rhat < 1.01).all() and (found.tail > 1500).all() and found.draws == 16000


def test_chains_apart_drifting_or_of_unlike_width_are_found():
    x = np.random.default_rng(3).normal(size=(4, 500, 4))
    x[0, :, 0] += 2
    x[..., 1] += np.linspace(0, 3, 500)
    x[0, :, 2] *= 5
    found = judge_chains(x)
    assert (found.rhat[:3] > 1.05).all() and found.rhat[3] < 1.01
    assert (found.bulk[:2] < 200).all()
    x[..., 0] = 1.0
    assert np.isnan(judge_chains(x).rhat[0])
    for bad in (x[0], x[:, :7], np.full((2, 10, 1), np.nan)):
        with pytest.raises(DataError, match="chain, draw, param"):
            judge_chains(bad)


@needs_arviz
@pytest.mark.filterwarnings("ignore")  # of what arviz imports
def test_the_numbers_are_those_of_arviz():
    import arviz

    for n, sd in ((100, 1.0), (1000, 0.3), (3000, 2.0)):
        log_weights = np.random.default_rng(n).normal(size=n) * sd
        smoothed, k = arviz.psislw(log_weights.copy())
        found = pareto_smoothed(log_weights)
        assert found.k == pytest.approx(float(k), rel=1e-9)
        np.testing.assert_allclose(found.log_weights, np.asarray(smoothed), atol=1e-9)
    x = autoregressive(np.array([0.0, 0.6, -0.5]), 500)
    found, data = judge_chains(x), arviz.convert_to_dataset({"x": x})
    np.testing.assert_allclose(found.rhat, arviz.rhat(data).x.values, rtol=1e-6)
    np.testing.assert_allclose(found.bulk, arviz.ess(data).x.values, rtol=0.01)
    np.testing.assert_allclose(found.tail, arviz.ess(data, method="tail").x.values, rtol=0.01)
