"""Draws as a smooth density: no wider than they are, and as narrow as each of their modes."""

import numpy as np
import pytest

from hpcvbi.infer.coordinates import from_real, to_real
from hpcvbi.infer.smoothing import smoothed

DRAWS = 100_000
"""Means are then known to .003 of a standard deviation, standard deviations to .002."""


def weighted(rows, params, seed=1):
    """Draws w (row, param) that are strongly correlated, and weights."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((rows, params)) @ rng.standard_normal((params, params))
    weights = rng.random(rows)
    return 0.2 * mixed + 0.5, weights / weights.sum()


def drawn(w, weights, factor=1.0, n=DRAWS):
    return to_real(smoothed(from_real(w), weights, factor, n, np.random.default_rng(2)))


@pytest.mark.parametrize(("rows", "params"), [(30, 1), (50, 2), (200, 8)])
def test_mean_and_covariance_stay(rows, params):
    w, weights = weighted(rows, params)
    center = weights @ w
    covariance = (weights[:, None] * (w - center)).T @ (w - center)
    sd = np.sqrt(np.diag(covariance))
    found = drawn(w, weights)
    assert len(np.unique(found, axis=0)) == DRAWS
    np.testing.assert_allclose((found.mean(0) - center) / sd, 0.0, atol=0.02)
    np.testing.assert_allclose(
        np.cov(found.T).reshape(covariance.shape) / np.outer(sd, sd),
        covariance / np.outer(sd, sd),
        atol=0.02,
    )


def test_a_lone_draw_does_not_widen_a_mode():
    rng = np.random.default_rng(1)
    w = np.concatenate([0.01 * rng.standard_normal((200, 2)), [[2.0, 2.0]]])
    found = drawn(w, np.full(201, 1 / 201))
    mode = found[np.abs(found).max(axis=1) < 1.0]
    assert len(mode) > 0.99 * DRAWS
    assert (mode.std(0) < 0.013).all()


def test_few_draws_in_many_directions_and_draws_that_agree():
    w, weights = weighted(5, 8)
    found = drawn(w, weights, n=4000)
    np.testing.assert_allclose(found.mean(0), weights @ w, atol=0.05)
    assert np.linalg.matrix_rank(found - found.mean(0), tol=1e-6) == 4
    np.testing.assert_allclose(drawn(np.full((9, 2), 0.3), np.full(9, 1 / 9), n=10), 0.3)
    np.testing.assert_allclose(drawn(np.full((1, 2), 0.3), np.ones(1), n=10), 0.3)
