"""Every neural method against the exact posterior of linear features with Gaussian noise."""

import numpy as np
import pytest
from test_infer_gaussian import OBSERVED, exact_mean_and_sd, simulate

from hpcvbi.infer import ALGORITHMS, learn

SETTINGS = {
    "npe": {"draws": 800},
    "apt": {"draws": 600},
    "nle": {"draws": 400},
    "nre": {"draws": 500},
    "fmpe": {"draws": 1000},
    "npse": {"draws": 1000},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_posterior_is_near_the_exact_one(name):
    learned = learn(ALGORITHMS[name](**SETTINGS[name]), simulate, 2, OBSERVED, seed=1)
    drawn = learned.posterior(OBSERVED, 2000, seed=1)
    mean, sd = exact_mean_and_sd(OBSERVED)
    # from seed to seed networks fitted to some hundred draws differ by .2 sd
    assert (np.abs(drawn.mean(0) - mean) < 0.5 * sd).all(), (drawn.mean(0) - mean) / sd
    assert (np.abs(drawn.std(0) / sd - 1) < 0.3).all(), drawn.std(0) / sd
    # the prior is not near it
    assert (np.abs(np.sqrt(1 / 12) / sd - 1) > 0.3).all()


@pytest.mark.parametrize("name", ["fmpe", "npse"])
def test_a_density_by_integration_is_normalised_and_that_of_the_draws(name):
    algorithm = ALGORITHMS[name](draws=200, max_epochs=10)
    learned = learn(algorithm, simulate, 2, OBSERVED, seed=1)
    side = (np.arange(50) + 0.5) / 50
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    mass = np.exp(algorithm.log_density(learned.state, grid, OBSERVED)) / len(grid)
    assert abs(mass.sum() - 1) < 0.03
    mean = mass @ grid / mass.sum()
    drawn = learned.posterior(OBSERVED, 4000, seed=1)
    assert (np.abs(drawn.mean(0) - mean) < 0.1 * drawn.std(0)).all()
