"""The sampler of unnormalised densities against densities that are known."""

import numpy as np
import pytest

from hpcvbi.infer.cube_sampler import LEVELS, MIXED, MOST, UNMIXED, sample_cube


def normal(mean, sd):
    return lambda u: -0.5 * (((u - mean) / sd) ** 2).sum(1)


def draw(log_density, n_params, n=2000, seed=0):
    return sample_cube(log_density, n_params, n, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("n_params", "sd"), [(1, 1e-3), (2, 0.2), (2, 1e-3), (5, 0.03), (20, 0.02)]
)
def test_a_normal_density_with_correlations(n_params, sd):
    factor = np.eye(n_params) + 0.5 * np.eye(n_params, k=1)
    mean = np.linspace(0.4, 0.6, n_params)
    found = draw(lambda u: -0.5 * (((u - mean) / sd @ factor) ** 2).sum(1), n_params)
    exact = sd * np.sqrt(np.diag(np.linalg.inv(factor @ factor.T)))
    assert found.u.shape == (2000, n_params) and found.r_hat < MIXED
    if sd < 0.1:  # else it is cut by the cube
        assert (np.abs(found.u.mean(0) - mean) < 0.2 * exact).all()
        assert (np.abs(found.u.std(0) / exact - 1) < 0.2).all()


def test_the_faces_of_the_cube_take_and_repel_nothing():
    found = draw(lambda u: 3.0 * u[:, 0], 2, n=8000).u
    share = np.histogram(found[:, 0], 10, (0, 1))[0] / len(found)
    edges = np.linspace(0, 1, 11)
    exact = np.diff(np.exp(3 * edges)) / np.expm1(3)
    assert np.abs(share - exact).max() < 0.02
    flat = np.histogram(found[:, 1], 10, (0, 1))[0] / len(found)
    assert np.abs(flat - 0.1).max() < 0.02
    assert (found > 0).all() and (found < 1).all()


def test_modes_keep_their_share():
    near, far = normal(0.2, 0.01), normal(0.8, 0.01)
    shares = [
        (
            draw(lambda u: np.logaddexp(np.log(0.2) + near(u), np.log(0.8) + far(u)), 2, seed=s).u
            < 0.5
        )
        .all(1)
        .mean()
        for s in range(3)
    ]
    assert np.abs(np.array(shares) - 0.2).max() < 0.08


def test_two_moons():
    # Greenberg et al. (2019): a crescent, mirrored at the diagonal
    def log_density(u):
        a, b = (2 * u - 1).T
        side = -np.abs(a + b) / np.sqrt(2), (-a + b) / np.sqrt(2)
        radius = np.hypot(0.0 - side[0] - 0.25, 0.0 - side[1])
        bent = 0.0 - side[0] - 0.25 > 0
        return np.where(bent, -0.5 * ((radius - 0.1) / 0.01) ** 2 - np.log(radius), -np.inf)

    found = draw(log_density, 2)
    side = np.linspace(0, 1, 600)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    mass = np.exp(log_density(grid))
    mass /= mass.sum()
    mean = mass @ grid
    sd = np.sqrt(mass @ (grid - mean) ** 2)
    assert found.r_hat < MIXED
    assert (np.abs(found.u.mean(0) - mean) < 0.1 * sd).all()
    assert (np.abs(found.u.std(0) / sd - 1) < 0.1).all()
    assert abs((found.u.sum(1) < 1).mean() - 0.5) < 0.06


def test_islands_that_found_different_needles_are_reported():
    needles = np.random.default_rng(1).random((400, 10))

    def log_density(u):
        squares = (u**2).sum(1)[:, None] - 2 * u @ needles.T + (needles**2).sum(1)
        return -0.5 * squares.min(1) / 1e-3**2

    assert draw(log_density, 10, n=512).r_hat > MIXED


@pytest.mark.parametrize("nowhere", [-np.inf, np.nan])
def test_islands_that_agree_on_impossible_draws_are_reported(nowhere):
    assert draw(lambda u: np.full(len(u), nowhere), 3, n=300).r_hat == UNMIXED
    few = draw(lambda u: np.where((np.abs(u - 0.4) < 5e-4).all(1), 0.0, nowhere), 2, n=300)
    inside = (np.abs(few.u - 0.4) < 5e-4).all(1)
    assert few.r_hat == UNMIXED and not inside.all()


@pytest.mark.parametrize(
    "log_density",
    [
        lambda u: np.full(len(u), -np.inf),
        lambda u: np.where(u[:, 0] < 0.5, np.nan, 0.0),
        lambda u: np.where(u[:, 0] < 0.5, np.inf, 0.0),
        lambda u: -1e30 * ((u - 0.3) ** 2).sum(1),
    ],
)
def test_no_density_stalls_it(log_density):
    found = draw(log_density, 3, n=300)
    assert found.u.shape == (300, 3)
    assert np.isfinite(found.u).all() and (found.u > 0).all() and (found.u < 1).all()
    assert found.evaluations < (LEVELS + 3) * (5 + 3) * MOST


def test_the_same_generator_gives_the_same_bits():
    first, again = (draw(normal(0.5, 0.1), 3, seed=4).u for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, draw(normal(0.5, 0.1), 3, seed=5).u)
