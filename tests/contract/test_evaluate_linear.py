"""The closed-form linear network against SciPy's Lyapunov solver and the numbers for TVB's 76."""

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

from hpcvbi.core.pairs import upper
from hpcvbi.evaluate import (
    best_linear,
    correlation_of,
    linear_network_fc,
    lyapunov_covariance,
    slow_covariance,
)

CONNECTOME = Path(__file__).resolve().parents[3] / "shared/oracles/tvb/connectome76.npz"


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    return rng.gamma(0.3, size=(12, 12)) * (1 - np.eye(12))


@pytest.mark.skipif(not CONNECTOME.is_file(), reason=f"not on this machine: {CONNECTOME}")
def test_tvb_76_linear_network():
    with np.load(CONNECTOME) as arrays:
        weights = arrays["weights"] * (1 - np.eye(76))
    covariance = lyapunov_covariance(weights, 0.8)
    assert np.trace(covariance) == pytest.approx(41.477943, abs=1e-6)
    assert upper(correlation_of(covariance)).mean() == pytest.approx(0.041176, abs=1e-6)


def test_lyapunov_covariance_solves_the_equation_for_directed_weights(weights):
    covariance = lyapunov_covariance(weights, 0.7)
    a = -np.eye(12) + 0.7 * weights / np.abs(np.linalg.eigvals(weights)).max()
    np.testing.assert_allclose(a @ covariance + covariance @ a.T, -np.eye(12), atol=1e-12)


def test_slow_covariance_is_what_the_integral_of_the_lagged_covariance_gives(weights):
    # Spectral density at 0 Hz = sum of the covariance over all lags = -(A^-1 S + S A^-T).
    a = -np.eye(12) + 0.7 * weights / np.abs(np.linalg.eigvals(weights)).max()
    stationary = solve_continuous_lyapunov(a, -np.eye(12))
    inverse = np.linalg.inv(a)
    np.testing.assert_allclose(
        slow_covariance(weights, 0.7), -(inverse @ stationary + stationary @ inverse.T), rtol=1e-10
    )


def test_grid_by_eigenvectors_is_the_direct_solution_at_every_fraction(weights):
    symmetric = (weights + weights.T) / 2
    fractions = np.array([0.0, 0.3, 0.8, 0.99])
    grid = linear_network_fc(weights, fractions)
    for fraction, fc in zip(fractions, grid, strict=True):
        direct = upper(correlation_of(slow_covariance(symmetric, fraction)))
        np.testing.assert_allclose(fc, direct, rtol=0, atol=1e-12)


def test_best_linear_finds_the_fraction_that_made_the_data(weights):
    recorded = linear_network_fc(weights, np.array([0.83]))[0]
    fit = best_linear(weights, recorded)
    assert fit.fraction == 0.83
    assert fit.r == pytest.approx(1, abs=1e-12)
    assert fit.mean_fc == pytest.approx(recorded.mean())
    assert fit.curve.shape == fit.fractions.shape
