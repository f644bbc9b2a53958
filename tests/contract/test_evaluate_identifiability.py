"""What cannot be told apart is found, and said in plain English."""

import numpy as np
import pytest

from hpcvbi.core.errors import DataError
from hpcvbi.evaluate import active_subspace, identifiability, identifiability_sentences

NAMES = ["G", "sigma", "speed"]


def normal(covariance, draws=4000, seed=0):
    """Draws about the middle whose sample covariance is exactly the given one."""
    z = np.random.default_rng(seed).uniform(-1, 1, (draws, len(covariance)))
    z -= z.mean(0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(z, rowvar=False)))).T
    return 0.5 + z @ np.linalg.cholesky(covariance).T


def test_a_ridge_is_found_and_named():
    sd = np.array([0.15, 0.15, 0.05])
    correlation = np.array([[1, -0.97, 0], [-0.97, 1, 0], [0, 0, 1]])
    found = identifiability(normal(correlation * np.outer(sd, sd)))
    np.testing.assert_allclose(found.correlation, correlation, atol=1e-9)
    np.testing.assert_allclose(found.shrinkage, 1 - 12 * sd**2, atol=1e-9)
    np.testing.assert_allclose(found.determined, [0.97**2, 0.97**2, 0], atol=1e-6)
    # Variances along the ridge, of the third parameter, and across the ridge.
    np.testing.assert_allclose(
        found.variances, 12 * np.array([0.0225 * 1.97, 0.0025, 0.0225 * 0.03])
    )
    np.testing.assert_allclose(np.abs(found.directions[0]), [2**-0.5, 2**-0.5, 0], atol=1e-6)
    assert found.directions[0, 0] * found.directions[0, 1] < 0
    assert identifiability_sentences(found, NAMES) == (
        "G and sigma cannot be told apart: their posterior correlation is -0.97; only their sum "
        "is known, in units of their prior ranges.",
    )


def test_a_weighted_difference_is_said_so_and_is_the_direction_that_is_known():
    covariance = np.array([[0.01, 0.019], [0.019, 0.04]])
    u = normal(covariance)
    (said,) = identifiability_sentences(identifiability(u), NAMES[:2])
    assert "correlation is 0.95" in said and "the weighted difference G - 0.5 sigma is" in said
    known = u @ [1, -0.5]
    assert known.std() < 0.35 * u[:, 0].std()


def test_a_ridge_of_parameters_that_are_both_known_is_no_alarm():
    (said,) = identifiability_sentences(
        identifiability(normal(1e-4 * np.array([[1, 0.95], [0.95, 1]]))), NAMES[:2]
    )
    assert "trade off" in said and "both are known" in said and "3.5%" in said


def test_a_parameter_that_follows_its_prior_is_not_informed():
    u = np.random.default_rng(1).random((2000, 3))
    u[:, 0] = 0.5 + 0.1 * (u[:, 0] - 0.5)
    # Two peaks have the prior's variance, and yet say much.
    u[:, 2] = np.where(u[:, 2] < 0.5, 0.2113, 0.7887) + 0.02 * (u[:, 1] - 0.5)
    found = identifiability(u)
    assert abs(found.shrinkage[2]) < 0.02
    assert [s.split(" is ")[0] for s in identifiability_sentences(found, NAMES)] == ["sigma"]


def test_few_draws_that_come_again_know_as_little_as_they_are():
    few = np.random.default_rng(4).beta(0.6, 0.6, (20, 3))
    found = identifiability(np.repeat(few, 50, axis=0))
    assert found.draws == pytest.approx(20) and found.departure.max() > 0.1
    said = identifiability_sentences(found, NAMES)
    assert [s.split(" is ")[0] for s in said if "not informed" in s] == list(NAMES)


def test_three_that_only_have_a_known_sum_are_named_together():
    direction = np.ones(3) / np.sqrt(3)
    free = 0.02 * (np.eye(3) - np.outer(direction, direction))
    found = identifiability(normal(free + 1e-5 * np.outer(direction, direction)))
    assert np.abs(found.correlation - np.eye(3)).max() < 0.51
    (said,) = identifiability_sentences(found, NAMES)
    assert said.startswith("G, sigma and speed cannot be told apart together")


def test_well_known_parameters_need_no_word_and_constant_ones_no_division():
    assert identifiability_sentences(identifiability(normal(0.003 * np.eye(3))), NAMES) == ()
    u = normal(0.003 * np.eye(2))
    u[:, 1] = 0.25
    found = identifiability(u)
    np.testing.assert_allclose(found.correlation, np.eye(2))
    assert found.shrinkage[1] == 1 and identifiability_sentences(found, NAMES[:2]) == ()
    assert identifiability(normal(np.array([[0.003]]))).variances.shape == (1,)


def test_the_active_subspace_of_a_normal_is_the_inverse_of_its_covariance():
    covariance = np.array([[0.01, 0.008], [0.008, 0.01]])
    u = normal(covariance)
    gradients = -np.linalg.solve(covariance, (u - 0.5).T).T
    active, found = active_subspace(gradients), identifiability(u)
    np.testing.assert_allclose(active.values, 1 / found.variances[::-1], rtol=1e-3)
    np.testing.assert_allclose(active.directions, found.directions[::-1], atol=1e-6)


def test_what_is_no_posterior_in_the_cube_is_refused():
    with pytest.raises(DataError, match="to_unit"):
        identifiability(np.full((50, 2), 1.5))
    with pytest.raises(DataError, match="30 posterior draws"):
        identifiability(np.full((29, 3), 0.5))
    with pytest.raises(DataError, match="finite"):
        identifiability(np.full((50, 2), np.nan))
    with pytest.raises(DataError, match="finite"):
        active_subspace(np.full((50, 2), np.nan))
    with pytest.raises(DataError, match="as many names"):
        identifiability_sentences(identifiability(normal(0.003 * np.eye(2))), NAMES)
