"""The stationary covariance of a linear network against the solution of its Lyapunov equation.

    dx = (−x / τ + G W x) dt + σ dW_t          A C + C Aᵀ + σ² 1 = 0,  A = −1/τ + G W

Steps of dt make it x' = (1 + dt A) x + σ √dt N, whose covariance the discrete equation gives
exactly.
"""

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

from hpcvbi import (
    LINEAR,
    Brain,
    Connectome,
    Model,
    Param,
    Sample,
    State,
    WhiteNoise,
    simulate,
)

N, TAU, G, SIGMA, DT = 8, 10.0, 0.07, 0.5, 0.5
DRAWS, SAMPLES = 256, 40


def dfun(x, c, tau):
    """Linear decay [1/ms]."""
    return (c - x / tau,)


DECAY = Model("decay", dfun, (State("x"),), ("c",), (Param("tau", TAU, "ms"),), ("x",))


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(12)
    weights = rng.random((N, N)) * (rng.random((N, N)) < 0.6)
    return Connectome(weights, np.zeros((N, N)), tuple("abcdefgh")).normalised("spectral_radius")


@pytest.fixture(scope="module")
def covariance(network):
    """Empirical covariance over draws and samples 200 ms apart, and its number of samples."""
    brain = Brain(
        network,
        DECAY,
        LINEAR,
        WhiteNoise(("x",)),
        dt=DT,
        duration=SAMPLES * 200.0,
        burn_in=400.0,
        monitors=(Sample("x", 200.0),),
        values={"G": G, "sigma": SIGMA},
    )
    x = simulate(brain, np.zeros((DRAWS, 0)), seed=3).signals["sample"].reshape(-1, N)
    return x.T.astype(float) @ x / len(x), len(x)


def test_it_is_the_stationary_covariance_of_the_scheme(network, covariance):
    empirical, count = covariance
    A = -np.eye(N) / TAU + G * network.weights
    exact = solve_discrete_lyapunov(np.eye(N) + DT * A, SIGMA**2 * DT * np.eye(N))
    variance = np.diag(exact)
    error = np.sqrt((np.outer(variance, variance) + exact**2) / count)
    assert (np.abs(empirical - exact) < 4.5 * error).all()
    # The transposed network would be far outside.
    other = solve_discrete_lyapunov(np.eye(N) + DT * A.T, SIGMA**2 * DT * np.eye(N))
    assert (np.abs(empirical - other) / error).max() > 20


def test_it_is_close_to_that_of_continuous_time(network, covariance):
    A = -np.eye(N) / TAU + G * network.weights
    exact = solve_continuous_lyapunov(A, -(SIGMA**2) * np.eye(N))
    assert np.trace(covariance[0]) == pytest.approx(np.trace(exact), rel=0.05)
