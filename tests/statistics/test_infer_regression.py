"""ABC with regression adjustment where the posterior is known, from few rows of many features:

    w = Φ⁻¹(u) ~ N(0, I),  x = B w + sigma e,  e ~ N(0, I):   p(w | x) = N(C B' x / sigma^2, C),

with C = (I + B' B / sigma^2)⁻¹. A monotone function of each feature changes no posterior.
"""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from hpcvbi.evaluate import coverage, recovery_z
from hpcvbi.infer import Draws, Regression
from hpcvbi.infer.neighbourhood import best
from hpcvbi.infer.neighbourhood import scores as log_densities
from hpcvbi.infer.regression import epanechnikov

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


def kept_and_moved(draws, observed, rows=20_000, **settings):
    algorithm = Regression(draws=rows, **settings)
    _, info = algorithm.update(algorithm.init(2, observed), draws, 1)
    return info.kept, info.moved


def test_a_line_through_all_kept_draws_where_features_are_linear():
    """Of as good neighbourhoods the largest is taken unless it seems behind by a standard error."""
    u, x, _ = problem(20_000, 1, lambda x: x)
    found = [kept_and_moved(Draws.of(u, x), observed) for observed in x[:20]]
    assert all(moved for _, moved in found)
    assert sum(kept == 1000 for kept, _ in found) > 10


def test_fewer_draws_where_features_bend():
    """p(u | x) is a line's near x: no more than there is a line should be kept."""
    u, rng = np.random.default_rng(1).random((40_000, 2)), np.random.default_rng(2)
    x = np.sin(7.0 * (u - 0.5)) + 0.01 * rng.standard_normal(u.shape)
    bent = np.stack([x[:, 0], x[:, 0] ** 3 + u[:, 1]], axis=1)
    kept, moved = kept_and_moved(Draws.of(u, bent), bent[7])
    assert kept < 2000 and moved


def test_no_line_between_two_modes(monkeypatch):
    """Of |u - 1/2| the sign is unknown: a line's residuals at one mode do not fit at the other."""
    u, rng = np.random.default_rng(1).random((100_000, 2)), np.random.default_rng(2)
    x = np.abs(u - 0.5) + 0.002 * rng.standard_normal(u.shape)
    draws, observed = Draws.of(u, x), np.array([0.2, 0.2])
    algorithm = Regression(draws=len(u))
    state, info = algorithm.update(algorithm.init(2, observed), draws, 1)
    assert info.kept < 5000 and not info.moved
    chosen = algorithm.posterior(state, observed, 1000, 2, draws)
    monkeypatch.setattr(Regression, "chosen", lambda self, *near: (5000, True))
    line = algorithm.posterior(state, observed, 1000, 2, draws)
    off, off_line = (
        np.quantile(np.abs(np.abs(drawn - 0.5) - 0.2), 0.9) for drawn in (chosen, line)
    )
    assert off < 0.015 < 0.03 < off_line, (off, off_line)
    signs = np.unique(chosen > 0.5, axis=0, return_counts=True)[1]
    assert len(signs) == 4 and signs.min() > 150


@pytest.mark.parametrize("modes", [1, 2])
def test_draws_moved_by_what_their_features_tell_predict_each_other_best(modes):
    rng = np.random.default_rng(1)
    z = np.sort(np.abs(rng.standard_normal((300, 1))), axis=0) * 0.3
    centre = np.where(rng.random((300, 1)) < 0.5, -1.0, 1.0) if modes == 2 else 0.0
    w, weights = centre + z + 0.05 * rng.standard_normal((300, 2)), np.full(300, 1 / 300)
    exact = log_densities(w[:100], w - z, weights)
    wrong = [(w - z * slope, weights) for slope in (0.0, 0.5, 1.5)]
    for moved, _ in wrong:
        worse = exact - log_densities(w[:100], moved, weights)
        assert worse.mean() > 3 * worse.std() / 10.0
    assert best(w, [*wrong, (w - z, weights), (w - z, weights)]) == 3


def test_the_log_density_of_a_draw_is_that_of_the_others_and_of_one_of_the_prior():
    rng = np.random.default_rng(1)
    w, weights = rng.standard_normal((40, 2)), rng.random(40)
    weights /= weights.sum()
    n, spread = 1 / (weights**2).sum(), np.sqrt(weights @ (w - weights @ w) ** 2)
    tables = []
    for part in 2.0 ** -np.arange(0.0, 4.5, 0.5):
        width, row = part * (4 / (4 * n)) ** (1 / 6) * spread, []
        for i in range(10):
            kernel = norm.pdf(w[i], w, width).prod(axis=1) * weights / (1 - weights[i])
            inside, prior = np.delete(kernel, i).sum(), norm.pdf(w[i]).prod()
            row.append(np.log((n * inside + prior) / (n + 1)))
        tables.append(row)
    wanted = max(tables, key=np.mean)
    np.testing.assert_allclose(log_densities(w[:10], w, weights), wanted, rtol=1e-9)


def test_weights_fall_to_the_farthest_unless_a_few_would_have_them_all():
    ordinary = np.linspace(0.0, 2.0, 50)
    falling = 1 - (ordinary / 2.0) ** 2
    np.testing.assert_array_equal(epanechnikov(ordinary), falling / falling.sum())
    for few in ([0.1], [0.1, 0.2, 50.0]):
        tied = np.append(few, np.full(200 - len(few), 50.1))
        found = epanechnikov(np.append(tied, np.inf))
        np.testing.assert_array_equal(found, np.append(np.full(200, 1 / 200), 0.0))


@pytest.mark.parametrize("rare", [0.001, 0.01])
def test_a_rare_event_leaves_more_of_the_prior_than_the_draws_that_had_it(rare):
    """Of 4000 draws some 2 or 20 have it, whatever their parameters are: it tells nothing."""
    rng = np.random.default_rng(5)
    u, event = rng.random((4000, 1)), rng.random((4000, 1)) < rare
    draws, observed = Draws.of(u, event.astype(float)), np.array([1.0])
    algorithm = Regression(draws=len(u))
    state, info = algorithm.update(algorithm.init(1, observed), draws, 1)
    assert 0 < event.sum() < 40 and info.effective > 0.5 * min(40, info.kept)
    drawn = algorithm.posterior(state, observed, 1000, 2, draws)
    assert abs(drawn.std() / 12**-0.5 - 1) < 0.3 and info.as_dict()["effective"] == info.effective
