"""Posteriors of u ~ N(0, I), x = u + noise in two correlated dimensions: exact, and wrong ways."""

import numpy as np

NOISE = np.array([[1.0, 0.8], [0.8, 1.0]])
COVARIANCE = np.linalg.inv(np.eye(2) + np.linalg.inv(NOISE))
GAIN = np.linalg.inv(np.eye(2) + NOISE)

WRONG = {
    "too narrow": (COVARIANCE * 0.6**2, 0.0),
    "too wide": (COVARIANCE * 1.6**2, 0.0),
    "shifted": (COVARIANCE, 0.5),
    "of the wrong correlation": (COVARIANCE * [[1, -1], [-1, 1]], 0.0),
}


def problem(rng, cases):
    """Truths (case, param) and data (case, feature)."""
    u = rng.normal(size=(cases, 2))
    return u, u + rng.normal(size=u.shape) @ np.linalg.cholesky(NOISE).T


def posterior(rng, x, draws, covariance=COVARIANCE, shift=0.0):
    """Draws (case, draw, param) of the normal posterior at x (case, feature)."""
    noise = rng.normal(size=(len(x), draws, 2)) @ np.linalg.cholesky(covariance).T
    return (x @ GAIN.T + shift)[:, None] + noise


def log_density(u, x, covariance=COVARIANCE, shift=0.0):
    """Log density, up to a constant, at u (..., param) of the posterior at x (..., feature)."""
    off = u - (x @ GAIN.T + shift)
    return -0.5 * (off * np.linalg.solve(covariance, off[..., None])[..., 0]).sum(-1)
