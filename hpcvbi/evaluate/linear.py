"""The linear network in closed form: what a connectome predicts without any nonlinear model.

    dx = A x dt + dW,   A = -1 + g W / rho(W),   rho = spectral radius, g in [0, 1): fraction of the
                                                 coupling at which the network loses stability

    all frequencies:   A S + S A' + 1 = 0     covariance S of x itself   (`lyapunov_covariance`)
    slow frequencies:  S0 = A^-1 A^-T         spectral density at 0 Hz   (`slow_covariance`)

BOLD follows neural activity through a response of seconds, and so sees the slow limit: S0 is the
yardstick, and the harder one to beat. For symmetric W both share the eigenvectors of W (S has
eigenvalues 1 / (2 (1 - g l)), S0 their square times 4), so that one eigendecomposition serves a
whole grid of g.

Galan (2008), PLoS ONE 3, e2148, doi:10.1371/journal.pone.0002148.
Saggio, Ritter & Jirsa (2016), PLoS ONE 11, e0157292, doi:10.1371/journal.pone.0157292.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.core.pairs import correlation, upper

FRACTIONS = np.round(np.linspace(0.01, 0.99, 99), 2)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """The best point of the linear network over `fractions`, with the whole curve of the fit; FC
    (pair,).
    """

    fraction: float
    r: float
    mean_fc: float
    fc: np.ndarray
    fractions: np.ndarray
    curve: np.ndarray


def best_linear(
    weights: np.ndarray, recorded: np.ndarray, fractions: np.ndarray = FRACTIONS
) -> LinearFit:
    """Linear network whose slow FC correlates best with the recorded (pair,), over fractions of the
    critical coupling.
    """
    fc = linear_network_fc(weights, fractions)
    curve = correlation(fc, recorded)
    best = int(np.argmax(curve))
    return LinearFit(
        fraction=float(fractions[best]),
        r=float(curve[best]),
        mean_fc=float(fc[best].mean()),
        fc=fc[best],
        fractions=np.asarray(fractions, float),
        curve=curve,
    )


def linear_network_fc(weights: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Slow FC (fraction, pair) of the linear network on the symmetrised `weights` without their
    diagonal.
    """
    weights, fractions = _square(weights), _subcritical(fractions)
    symmetric = (weights + weights.T) / 2
    np.fill_diagonal(symmetric, 0.0)
    eigenvalues, vectors = np.linalg.eigh(symmetric)
    eigenvalues = eigenvalues / np.abs(eigenvalues).max()
    slow = (1.0 - fractions[:, None] * eigenvalues) ** -2.0
    return upper(correlation_of((vectors * slow[:, None, :]) @ vectors.T))


def lyapunov_covariance(weights: np.ndarray, fraction: float) -> np.ndarray:
    """Stationary covariance (region, region) for unit noise, directed weights (to, from), diagonal
    kept as given.
    """
    # Imported here: the rest of the module needs numpy only.
    from scipy.linalg import solve_continuous_lyapunov

    jacobian = _jacobian(weights, fraction)
    return solve_continuous_lyapunov(jacobian, -np.eye(len(jacobian)))


def slow_covariance(weights: np.ndarray, fraction: float) -> np.ndarray:
    """Spectral density at 0 Hz (region, region) for unit noise, directed weights (to, from),
    diagonal kept.
    """
    inverse = np.linalg.inv(_jacobian(weights, fraction))
    return inverse @ inverse.T


def correlation_of(covariance: np.ndarray) -> np.ndarray:
    """Correlation matrices of covariance matrices (..., region, region)."""
    sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return covariance / (sd[..., :, None] * sd[..., None, :])


def _jacobian(weights: np.ndarray, fraction: float) -> np.ndarray:
    weights = _square(weights)
    radius = np.abs(np.linalg.eigvals(weights)).max()
    return -np.eye(len(weights)) + float(_subcritical(fraction)) * weights / radius


def _square(weights: np.ndarray) -> np.ndarray:
    weights = np.asarray(weights, float)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or not np.isfinite(weights).all():
        raise DataError(f"weights must be a finite square matrix (to, from), got {weights.shape}")
    if not np.abs(weights).any():
        raise DataError("weights are all zero: a network needs connections")
    return weights


def _subcritical(fractions: np.ndarray | float) -> np.ndarray:
    fractions = np.asarray(fractions, float)
    if not ((fractions >= 0) & (fractions < 1)).all():
        raise ConfigError(
            "a linear network is stable for fractions of the critical coupling in [0, 1), "
            f"got {fractions.min():g} to {fractions.max():g}"
        )
    return fractions
