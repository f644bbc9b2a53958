"""Linear networks: covariance, and propagation with delays, exactly."""

import numpy as np
import pytest
from networks import TVB_76, brainlike, isolated, tvb_76
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

from hpcvbi import LINEAR, MODELS, Brain, Connectome, Fc, Moments, Sample, WhiteNoise, simulate

N, DRAWS = 76, 64
needs_tvb_76 = pytest.mark.skipif(not TVB_76.exists(), reason=f"no connectome in {TVB_76}")


def network(name):
    made = tvb_76(False) if name == "TVB" else brainlike(N)
    return made.normalised("spectral_radius")


def correlations(covariance):
    spread = np.sqrt(np.diag(covariance))
    return covariance / spread[:, None] / spread


@needs_tvb_76
def test_the_covariance_of_the_connectome_of_the_virtual_brain():
    """dx = A x dt + dW with A = −1 + .8 W, W without diagonal over its spectral radius: the largest
    real part is −.2, the trace of the covariance 41.477943, the mean correlation over pairs
    .041176. Tolerance: the digits given.
    """
    A = 0.8 * network("TVB").weights - np.eye(N)
    assert np.linalg.eigvals(A).real.max() == pytest.approx(-0.2, abs=1e-12)
    covariance = solve_continuous_lyapunov(A, -np.eye(N))
    assert np.trace(covariance) == pytest.approx(41.477943, abs=1e-6)
    pairs = np.triu_indices(N, 1)
    assert correlations(covariance)[pairs].mean() == pytest.approx(0.041176, abs=1e-6)


@pytest.mark.parametrize("name", ["like a brain", pytest.param("TVB", marks=needs_tvb_76)])
def test_simulated_covariance_is_that_of_the_lyapunov_equation(name):
    """In steps of .05 ms, 5 s for each of 64 draws.

    Tolerance: 1 % for the trace of 76 variances with 64 × 5000 / 5 independent samples each, and
    the step's own .5 %, which the discrete equation takes into account; .01 for correlations, four
    standard errors of 1/√64000.
    """
    connectome = network(name)
    brain = Brain(
        connectome,
        MODELS["linear"],
        LINEAR,
        WhiteNoise(("x",)),
        dt=0.05,
        duration=5000.0,
        burn_in=50.0,
        monitors=(Sample("x", 0.5, keep=False), Moments("sample"), Fc("sample")),
        values={"G": 0.8, "gamma": -1.0, "sigma": 1.0},
    )
    seen = simulate(brain, np.zeros((DRAWS, 0)), seed=4, width=16).signals
    A = 0.8 * connectome.weights - np.eye(N)
    exact = solve_discrete_lyapunov(np.eye(N) + 0.05 * A, 0.05 * np.eye(N))
    assert np.trace(exact) == pytest.approx(
        np.trace(solve_continuous_lyapunov(A, -np.eye(N))), rel=0.05
    )
    variance = seen["moments"][:, 1].astype(float).mean(axis=0)
    assert variance.sum() == pytest.approx(np.trace(exact), rel=0.01)
    np.testing.assert_allclose(variance, np.diag(exact), rtol=0.04)
    found = seen["fc"].astype(float).mean(axis=0)
    np.testing.assert_allclose(found, correlations(exact), rtol=0, atol=0.015)
    other = solve_discrete_lyapunov(np.eye(N) + 0.05 * A.T, 0.05 * np.eye(N))
    assert np.abs(found - correlations(other)).max() > 0.03


def test_exact_propagation_with_delays():
    """Issue 41 of The Virtual Brain: x(t + 1) = x(t) + Σ_j w_ij x_j(t − d_ij) for a chain of four
    nodes, all ones in the past. The numbers are whole: no tolerance.

    The delays along the chain, 11, 6 and 1 steps, are the places of the connections in the matrix
    of tract lengths 0 ... 15; a delay shorter by one step would change the table.
    """
    n = 4
    lengths = np.arange(16.0).reshape(n, n)
    chain = Connectome(np.eye(n, k=1), lengths, isolated(n).labels)
    brain = Brain(
        chain,
        MODELS["linear"],
        LINEAR,
        None,
        dt=1.0,
        duration=10.0,
        monitors=(Sample("x", 1.0),),
        values={"gamma": 0.0},
        speed=1.0,
    )
    seen = simulate(brain, seed=0, width=16, initial=np.ones((1, n))).signals["sample"][0]
    table = """
        2 2 2 1 / 3 3 3 1 / 5 4 4 1 / 8 5 5 1 / 12 6 6 1
        17 7 7 1 / 23 8 8 1 / 30 10 9 1 / 38 13 10 1 / 48 17 11 1
    """
    expected = np.array(table.replace("/", " ").split(), float).reshape(10, n)
    np.testing.assert_array_equal(seen, expected)
