"""ABC with regression adjustment where the posterior is known, from few rows of many features:

    w = Φ⁻¹(u) ~ N(0, I),  x = B w + sigma e,  e ~ N(0, I):   p(w | x) = N(C B' x / sigma^2, C),

with C = (I + B' B / sigma^2)⁻¹. A monotone function of each feature changes no posterior.
"""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from hpcvbi.evaluate import coverage, recovery_z
from hpcvbi.infer import Draws, Regression

FEATURES, SIGMA, CASES, SEEDS = 40, 4.0, 150, range(4)
B = np.random.default_rng(1).standard_normal((FEATURES, 2))
C = np.linalg.inv(np.eye(2) + B.T @ B / SIGMA**2)


def tailed(x):
    """The farthest of ten thousand lies at a thousand interquartile ranges."""
    return np.sinh(0.5 * x)


def problem(n, seed, features):
    """Draws u (row, param), features (row, feature) and exact posterior means of w (row, param)."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((n, 2))
    x = w @ B.T + SIGMA * rng.standard_normal((n, FEATURES))
    return ndtr(w), features(x), x @ B @ C / SIGMA**2


def scores(rows, heteroscedastic=False, features=lambda x: x):
    """Coverage of the 80 % interval, mean |z|, root mean square error of the mean and width in
    exact standard deviations: over cases of the prior, parameters and seeds.
    """
    found = []
    for seed in SEEDS:
        u, x, _ = problem(rows, seed, features)
        truth, cases, exact = problem(CASES, 100 + seed, features)
        algorithm, draws = Regression(draws=rows, heteroscedastic=heteroscedastic), Draws.of(u, x)
        state, _ = algorithm.update(algorithm.init(2, cases[0]), draws, 1)
        samples = algorithm.posterior(state, cases, 400, 2, draws)
        w, sd = ndtri(np.clip(samples, 1e-9, 1 - 1e-9)), np.sqrt(np.diag(C))
        found.append([
            coverage(samples, truth, np.array([0.8])).mean(),
            np.abs(recovery_z(samples, truth)).mean(),
            np.sqrt((((w.mean(axis=1) - exact) / sd) ** 2).mean()),
            (w.std(axis=1) / sd).mean(),
        ])  # fmt: skip
    return np.mean(found, axis=0)


@pytest.mark.parametrize("features", [lambda x: x, tailed], ids=["gaussian", "heavy tails"])
@pytest.mark.parametrize("heteroscedastic", [False, True])
@pytest.mark.parametrize("rows", [100, 400])
def test_a_fit_to_few_rows_of_many_features_is_not_overconfident(rows, heteroscedastic, features):
    """Of 1200 truths a calibrated interval holds .8 ± .04 (three standard errors, as parameters and
    cases are independent); a fit that is known but for the truth's noise held .5 here.
    """
    covered, z, _, width = scores(rows, heteroscedastic, features)
    assert 0.7 < covered < 0.86, covered
    assert 0.7 < z < 1.0, z
    assert 1.0 < width < 1.6, width  # than the posterior of known coefficients


def test_many_rows_bring_it_to_the_exact_posterior():
    few, many = scores(200), scores(20_000)
    assert few[2] > 0.4 > many[2], (few, many)
    assert 0.97 < many[3] < 1.1, many
    assert abs(many[0] - 0.8) < 0.04, many
