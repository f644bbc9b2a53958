"""Partial pooling against exact posteriors of people with Gaussian likelihoods on the logit scale.

    y_j ~ N(z_j, S_j),  z_j ~ N(mu, diag tau²):   p(y | mu, tau) = ∏_j N(y_j | mu, diag tau² + S_j),

which a grid over mu and tau integrates. A person's posterior under the flat prior is their Gaussian
times u (1 - u), drawn from by rejection.
"""

import subprocess
import sys

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import kstest

from hpcvbi.core.errors import DataError
from hpcvbi.infer.hierarchy import MEAN_SD, SPREAD_SCALE, Pooled, contrast, pool
from hpcvbi.infer.kernels import Kernels


def flat_posterior(rng, y, cov, n):
    """Draws (n, param) in the unit cube of a person whose likelihood is N(y | z, cov)."""
    kept = np.empty((0, len(y)))
    while len(kept) < n:
        u = expit(rng.multivariate_normal(y, cov, 4 * n))
        kept = np.vstack([kept, u[rng.random(4 * n) < (4 * u * (1 - u)).prod(1)]])
    return kept[:n]


def cohort(rng, mu, tau, people, draws, cov):
    """Truths and measurements (person, param), and draws (person, draw, param)."""
    truth = rng.normal(mu, tau, (people, len(mu)))
    y = np.array([rng.multivariate_normal(z, cov) for z in truth])
    return truth, y, np.array([flat_posterior(rng, each, cov, draws) for each in y])


def exact(y, sd):
    """Mean and sd of mu, then of tau, from measurements (person,) of one parameter."""
    mu, tau = np.meshgrid(np.linspace(-7, 7, 561), np.linspace(1e-3, 6, 480), indexing="ij")
    log_p = -((mu / MEAN_SD) ** 2) / 2 - (tau / SPREAD_SCALE) ** 2 / 2
    for each in y:
        v = tau**2 + sd**2
        log_p -= np.log(v) / 2 + (each - mu) ** 2 / (2 * v)
    p = np.exp(log_p - log_p.max())
    return moments(p / p.sum(), mu) + moments(p / p.sum(), tau)


def moments(p, value):
    mean = (p * value).sum()
    return mean, np.sqrt((p * (value - mean) ** 2).sum())


def check(pooled: Pooled, p, want, within=0.25):
    """Means within a share of the exact sd, sds within the same share of themselves."""
    mu, mu_sd, tau, tau_sd = want
    mean, spread = pooled.mean[:, p], pooled.spread[:, p]
    assert abs(mean.mean() - mu) < within * mu_sd
    assert abs(spread.mean() - tau) < within * tau_sd
    assert mean.std() == pytest.approx(mu_sd, rel=within)
    assert spread.std() == pytest.approx(tau_sd, rel=within)


@pytest.fixture(scope="module")
def many():
    """Twelve people, measured less exactly than they differ in one parameter, more in the other."""
    rng = np.random.default_rng(5)
    cov = np.diag([0.8, 0.3]) ** 2
    truth, y, u = cohort(rng, [0.5, -1.0], [0.4, 0.6], 12, 400, cov)
    return truth, y, u, pool(u, seed=3)


def test_the_group_is_the_exact_one(many):
    _, y, _, pooled = many
    for p, sd in enumerate([0.8, 0.3]):
        check(pooled, p, exact(y[:, p], sd))
    assert pooled.effective > 300
    assert not pooled.warnings


def test_people_come_nearer_to_the_truth(many):
    truth, _, u, pooled = many
    alone = logit(u).mean(1)
    together = logit(pooled.people_u).mean(1)
    rmse = [np.sqrt(((z - truth) ** 2).mean(0)) for z in (alone, together)]
    assert rmse[1][0] < 0.75 * rmse[0][0]  # where people are measured less exactly than they differ
    assert rmse[1].sum() < 0.85 * rmse[0].sum()
    centre = pooled.mean.mean(0)
    assert (np.abs(together - centre).mean(0) < np.abs(alone - centre).mean(0)).all()


def test_people_are_exact_given_the_group(many):
    _, y, _, pooled = many
    for p, sd in enumerate([0.8, 0.3]):
        share = pooled.spread[:, p] ** 2 / (pooled.spread[:, p] ** 2 + sd**2)
        want = (share * y[:, [p]] + (1 - share) * pooled.mean[:, p]).mean(1)
        var = (share * sd**2).mean() + (share * y[:, [p]] + (1 - share) * pooled.mean[:, p]).var(1)
        z = logit(pooled.people_u[..., p])
        assert np.abs(z.mean(1) - want).max() < 0.35 * np.sqrt(var.min())
        assert np.sqrt(z.var(1) / var).mean() == pytest.approx(1, abs=0.12)


def test_draws_of_a_person_are_joint():
    """Nothing is known of the two parameters but their sum: pooled apart, neither would be."""
    rng = np.random.default_rng(8)
    cov = np.array([[1.0, -0.97], [-0.97, 1.0]])
    _, y, u = cohort(rng, [0.3, -0.3], [0.15, 0.15], 8, 400, cov)
    pooled = pool(u, seed=1)
    axes = [np.linspace(-3, 3, 31), np.linspace(-3, 3, 31), *2 * [np.linspace(0.02, 2, 20)]]
    m, n, s, t = np.meshgrid(*axes, indexing="ij", sparse=True)
    log_p = -(m**2 + n**2) / (2 * MEAN_SD**2) - (s**2 + t**2) / (2 * SPREAD_SCALE**2)
    a, b, c = s**2 + 1, t**2 + 1, -0.97
    det = a * b - c * c
    for one, other in y:
        d, e = one - m, other - n
        log_p = log_p - np.log(det) / 2 - (b * d * d - 2 * c * d * e + a * e * e) / (2 * det)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    for k, (mu, tau) in enumerate([(m, s), (n, t)]):
        check(pooled, k, moments(p, mu) + moments(p, tau), within=0.3)
    both = moments(p, m + n)
    apart = [pool(u[..., [k]], seed=1).mean[:, 0] for k in (0, 1)]
    got = pooled.mean.sum(1)
    assert abs(got.mean() - both[0]) < 0.3 * both[1]
    assert got.std() == pytest.approx(both[1], rel=0.3)
    assert (apart[0] + apart[1]).std() > 2 * both[1]


def test_ranks_of_the_truth_are_uniform():
    ranks = []
    for case in range(12):
        rng = np.random.default_rng([7, case])
        mu, tau = rng.normal(0, MEAN_SD, 3), np.abs(rng.normal(0, SPREAD_SCALE, 3))
        _, _, u = cohort(rng, mu, tau, 5, 100, 0.5**2 * np.eye(3))
        pooled = pool(u, seed=case, draws=200)
        ranks.append([(pooled.mean < mu).mean(0), (pooled.spread < tau).mean(0)])
    for found in np.swapaxes(ranks, 0, 1):
        assert kstest(found.ravel(), "uniform").pvalue > 0.01


def test_somebody_of_the_group_alone_has_the_flat_prior():
    """Variance and kurtosis of the logistic distribution: pi²/3 and 4.2."""
    second = MEAN_SD**2 + SPREAD_SCALE**2
    fourth = 3 * MEAN_SD**4 + 6 * MEAN_SD**2 * SPREAD_SCALE**2 + 9 * SPREAD_SCALE**4
    assert second == pytest.approx(np.pi**2 / 3)
    assert fourth / second**2 == pytest.approx(4.2)


def test_a_group_of_one_keeps_the_persons_posterior():
    rng = np.random.default_rng(2)
    u = flat_posterior(rng, np.array([1.5, -0.2]), np.diag([0.5, 3.0]) ** 2, 800)
    pooled = pool(u[None], seed=0)
    z, together = logit(u), logit(pooled.people_u[0])
    assert (np.abs(together.mean(0) - z.mean(0)) < 0.2 * z.std(0)).all()
    assert together.std(0) == pytest.approx(z.std(0), rel=0.15)
    assert len(pooled.warnings) == 1 and "group of 1" in pooled.warnings[0]


def test_identical_people_have_little_spread():
    rng = np.random.default_rng(4)
    one = flat_posterior(rng, np.array([0.7]), np.eye(1) * 0.4**2, 400)
    pooled = pool(np.repeat(one[None], 9, 0), seed=0)
    check(pooled, 0, exact(np.full(9, logit(one).mean() * 1.06), 0.4), within=0.35)
    assert logit(pooled.people_u).std(1).max() < 0.75 * 0.4


def test_somebody_far_away_widens_the_group_and_stays_away():
    rng = np.random.default_rng(6)
    y = np.array([0.0, 0.1, -0.1, 0.05, -0.05, 7.0])
    u = np.array([flat_posterior(rng, y[[j]], np.eye(1) * 0.2**2, 400) for j in range(6)])
    pooled = pool(u, seed=0)
    check(pooled, 0, exact(y, 0.2))
    assert logit(pooled.people_u[5]).mean() > 6.5


def test_few_draws_are_told():
    rng = np.random.default_rng(1)
    _, _, u = cohort(rng, [0.0], [0.5], 4, 12, np.eye(1))
    pooled = pool(u, seed=0, people=["ann", "ben", "cleo", "dan"])
    assert (pooled.ess <= 12).all() and np.isfinite(pooled.people_u).all()
    (said,) = pooled.warnings
    assert "fewer than 50 effective draws" in said
    assert all(f"{name} (" in said for name in ("ann", "ben", "cleo", "dan"))


def test_more_parameters_than_draws_tell_are_told():
    u = np.random.default_rng(1).random((2, 30, 12))
    assert any("12 parameters" in text for text in pool(u, seed=0, draws=50).warnings)


def test_draws_on_the_edge_and_without_spread_are_taken():
    u = np.concatenate([np.zeros((1, 60, 1)), np.ones((1, 60, 1)), np.full((2, 60, 1), 0.5)])
    pooled = pool(u, seed=0, draws=100)
    assert np.isfinite(pooled.mean).all() and np.isfinite(pooled.people_u).all()
    assert ((pooled.people_u >= 0) & (pooled.people_u <= 1)).all()


def test_peoples_order_does_not_matter_and_the_seed_does():
    rng = np.random.default_rng(3)
    _, _, u = cohort(rng, [0.2, 0.4], [0.3, 0.9], 5, 100, 0.5**2 * np.eye(2))
    order = np.array([3, 1, 4, 0, 2])
    one, turned, other = pool(u, seed=1), pool(u[order], seed=1), pool(u, seed=2)
    np.testing.assert_array_equal(one.mean, turned.mean)
    np.testing.assert_array_equal(one.spread, turned.spread)
    np.testing.assert_array_equal(one.people_u[order], turned.people_u)
    np.testing.assert_array_equal(one.ess[order], turned.ess)
    assert not np.array_equal(one.mean, other.mean)


def test_bits_are_the_same_in_another_process():
    text = (
        "import numpy as np; from hashlib import sha256; from hpcvbi.infer.hierarchy import pool; "
        "p = pool(np.random.default_rng(0).beta(3, 4, (3, 80, 3)), seed=5, draws=60); "
        "print(sha256(p.mean.tobytes() + p.people_u.tobytes()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(said) == 1


def test_smoothing_keeps_mean_and_covariance():
    rng = np.random.default_rng(9)
    z = rng.multivariate_normal([1.0, -1.0, 0.0], [[1, 0.99, 0], [0.99, 1, 0], [0, 0, 4]], 5000)
    kernels = Kernels.of(expit(z)[None])
    centres = kernels.z[:, 0].T
    np.testing.assert_allclose(centres.mean(0), z.mean(0), atol=1e-9)
    covariance = np.cov(centres.T, bias=True) + np.diag(kernels.variance[:, 0])
    np.testing.assert_allclose(covariance, np.cov(z.T, bias=True), rtol=5e-3, atol=5e-3)
    assert kernels.variance[0, 0] < 0.02 * kernels.variance[2, 0]


def test_groups_differ_as_exact_posteriors_do():
    rng = np.random.default_rng(12)
    patients = cohort(rng, [1.2, 0.0], [0.5, 0.5], 8, 300, 0.4**2 * np.eye(2))
    controls = cohort(rng, [0.0, 0.0], [0.5, 0.5], 10, 300, 0.4**2 * np.eye(2))
    found = contrast(pool(patients[2], seed=0), pool(controls[2], seed=1))
    for p in range(2):
        a, b = exact(patients[1][:, p], 0.4), exact(controls[1][:, p], 0.4)
        sd = np.hypot(a[1], b[1])
        assert abs(found.difference[:, p].mean() - (a[0] - b[0])) < 0.25 * sd
        assert found.difference[:, p].std() == pytest.approx(sd, rel=0.25)
        assert found.probability[p] == (found.difference[:, p] > 0).mean()
    assert found.probability[0] > 0.97


@pytest.mark.parametrize(
    ("samples", "options", "words"),
    [
        (np.full((3, 20), 0.5), {}, r"\(person, draw, param\)"),
        (np.full((3, 1, 2), 0.5), {}, "two draws"),
        (np.full((0, 9, 2), 0.5), {}, "person"),
        (np.full((3, 9, 2), np.nan), {}, "unit cube"),
        (np.full((3, 9, 2), 1.2), {}, "to_unit"),
        (np.full((3, 9, 2), 0.5), {"draws": 0}, "draws"),
        (np.full((3, 9, 2), 0.5), {"people": ["ann"]}, "1 names for 3"),
    ],
)
def test_bad_input_is_refused(samples, options, words):
    with pytest.raises(DataError, match=words):
        pool(samples, seed=0, **options)


def test_groups_of_other_parameters_are_not_compared():
    one, other = (
        Pooled(np.zeros((9, k)), np.ones((9, k)), np.ones((3, 9, k)), np.ones(3), 9.0, ())
        for k in (2, 1)
    )
    with pytest.raises(DataError, match="2 and 1 parameters"):
        contrast(one, other)
