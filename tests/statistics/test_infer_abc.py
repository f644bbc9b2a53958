"""ABC against an exact posterior, and against pyABC's own ABC-SMC at no smaller a budget:

    x = A u + sigma e,  e ~ N(0, I):   p(u | x) is a Gaussian cut to the square (quadrature).

An ABC posterior is the exact one smeared over a ball of radius epsilon: never much narrower, and
the less wide the smaller epsilon. Two-sample test with nearest neighbours as classifier: Schilling
(1986), DOI 10.1080/01621459.1986.10478337.
"""

import logging
import warnings
from functools import cache

import numpy as np
import pytest
from scipy.spatial import cKDTree
from test_infer_gaussian import OBSERVED, SIGMA, A, exact_mean_and_sd, simulate

from hpcvbi.evaluate.posterior import distinct_draws
from hpcvbi.infer import AbcSmc, Knn, Regression, Rejection, learn

BUDGET = 8192
SEEDS = range(3)
SMC = AbcSmc(rounds=16, draws=512, particles=256)


@cache
def learned(algorithm, seed, observed=tuple(OBSERVED)):
    return learn(algorithm, simulate, 2, np.array(observed), seed)


def off_and_width(algorithm):
    """Root mean square error of the mean in exact standard deviations, and mean relative width."""
    mean, sd = exact_mean_and_sd(OBSERVED)
    drawn = [learned(algorithm, seed).posterior(OBSERVED, 4000, seed=1) for seed in SEEDS]
    off = np.array([(u.mean(0) - mean) / sd for u in drawn])
    return np.sqrt((off**2).mean()), np.mean([u.std(0) / sd for u in drawn])


def exact_draws(n, seed):
    """Rejection from the exact density, which is at most 1 when scaled to its peak on a grid."""
    rng = np.random.default_rng(seed)
    axis = (np.arange(400) + 0.5) / 400
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_mass = -0.5 * ((OBSERVED - grid @ A.T) ** 2).sum(1) / SIGMA**2
    mass = np.exp(log_mass - log_mass.max())
    return grid[rng.choice(len(grid), n, p=mass / mass.sum())] + (rng.random((n, 2)) - 0.5) / 400


def c2st(a, b, k=25):
    """Share of points whose k nearest others are mostly of their own sample: .5 if all are one."""
    points, of = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    near = cKDTree(points).query(points, k + 1)[1][:, 1:]
    return ((of[near].mean(1) > 0.5) == of).mean()


@pytest.mark.parametrize(
    ("algorithm", "off", "widest"),
    [
        (Rejection(draws=BUDGET), 0.2, 1.25),
        (Rejection(draws=BUDGET // 2, rounds=2), 0.2, 1.25),
        (Regression(draws=BUDGET), 0.1, 1.1),
        (Regression(draws=BUDGET, heteroscedastic=True), 0.1, 1.1),
        (Knn(draws=BUDGET), 0.15, 1.4),
        (SMC, 0.15, 1.2),
        (AbcSmc(rounds=16, draws=512, particles=256, adjust=True), 0.15, 1.1),
        (AbcSmc(rounds=16, draws=512, particles=256, statistics="linear"), 0.15, 1.15),
        (AbcSmc(rounds=16, draws=512, particles=256, statistics="network"), 0.15, 1.2),
        (AbcSmc(rounds=16, draws=512, particles=256, distance="info_weighted"), 0.15, 1.2),
        (AbcSmc(rounds=16, draws=512, particles=256, distance="aggregated", p=1), 0.2, 1.25),
        (AbcSmc(rounds=16, draws=512, particles=256, adaptive=False), 0.15, 1.25),
        (AbcSmc(rounds=16, draws=512, particles=256, transition="local"), 0.15, 1.2),
        (
            AbcSmc(rounds=16, draws=512, particles=256, epsilon="list", epsilons="2, 1.5, 1.2"),
            0.2,
            1.25,
        ),
    ],
)
def test_mean_is_right_and_width_is_no_less_than_exact(algorithm, off, widest):
    error, width = off_and_width(algorithm)
    assert error < off and 0.93 < width < widest, (error, width)


def test_epsilons_fall_from_generation_to_generation():
    state = learned(SMC, 0).state
    assert state.generations >= 4 and (np.diff(state.epsilon) < 0).all()
    assert (state.accepted >= 256).all() and (state.simulated % 512 == 0).all()


def test_weights_of_generations_undo_their_proposals():
    """Every generation is a weighted sample of the prior cut to its ball, which wider balls hold:
    its weighted means agree with those of prior draws that reach the same epsilon.
    """
    algorithm = AbcSmc(rounds=8, draws=2048, particles=1000, adaptive=False, scaling=0.5)
    got = learned(algorithm, 1)
    u = np.random.default_rng(0).random((100_000, 2))
    apart = algorithm.distances(got.state, simulate(u, 1))

    def off(params, weights, prior):
        """Means and widths, in the errors that so many equal particles would have."""
        size = weights.sum() ** 2 / (weights**2).sum()
        mean = weights @ params
        spread = np.sqrt(weights @ (params - mean) ** 2)
        means = (mean - prior.mean(0)) / prior.std(0) * np.sqrt(size)
        widths = (spread / prior.std(0) - 1) * np.sqrt(2 * size)
        return np.abs([means, widths]).max()

    unweighted = []
    for generation in range(1, got.state.generations):
        params, weights = got.state.population(generation)
        prior = u[apart <= got.state.epsilon[generation]]
        # those of a generation descend from the one before, so that errors add up
        assert off(params, weights, prior) < 5
        unweighted.append(off(params, np.full(len(params), 1 / len(params)), prior))
    assert max(unweighted) > 5


def test_a_posterior_of_many_parameters_is_no_handful_of_draws() -> None:
    def blurred(u, seed):
        return u + 0.2 * np.random.default_rng(seed).standard_normal(u.shape)

    observed, many = np.full(10, 0.5), AbcSmc(rounds=63, draws=50, particles=100)
    for seed in SEEDS:
        u = learn(many, blurred, 10, observed, seed).posterior(observed, 2000, seed=1)
        assert distinct_draws(u) > 18
        assert (np.abs(u.mean(0) - 0.5) < 0.2).all()


def test_a_posterior_at_another_observation_is_looked_up_too():
    other = A @ np.array([0.55, 0.5])
    mean, sd = exact_mean_and_sd(other)
    for algorithm in (Regression(draws=BUDGET), SMC):
        cases = learned(algorithm, 0).algorithm.posterior(
            learned(algorithm, 0).state, np.stack([other, OBSERVED]), 2000, 3,
            learned(algorithm, 0).draws,
        )  # fmt: skip
        assert cases.shape == (2, 2000, 2)
        assert (np.abs(cases[0].mean(0) - mean) < 0.35 * sd).all()
        assert (np.abs(cases[0].std(0) / sd - 1.1) < 0.3).all()


def pyabc_posterior(seed):
    """Posterior draws of pyABC's own sampler, and how many simulations it has used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyabc
    logging.getLogger("ABC").setLevel(logging.ERROR)
    before = np.random.get_state()
    np.random.seed(seed)

    def model(p):
        return {"x": A @ np.array([p["a"], p["b"]]) + SIGMA * np.random.standard_normal(len(A))}

    uniform = {name: pyabc.RV("uniform", 0, 1) for name in "ab"}
    abc = pyabc.ABCSMC(
        model,
        pyabc.Distribution(**uniform),
        pyabc.AdaptivePNormDistance(p=2),
        population_size=256,
        sampler=pyabc.sampler.SingleCoreSampler(),
    )
    abc.new("sqlite://", {"x": OBSERVED})
    history = abc.run(max_total_nr_simulations=BUDGET)
    drawn, weights = history.get_distribution()
    rows = np.random.default_rng(seed).choice(len(drawn), 1000, p=weights)
    np.random.set_state(before)
    return drawn[["a", "b"]].to_numpy()[rows], history.total_nr_simulations


@pytest.mark.filterwarnings("ignore")  # of what pyABC imports and opens
def test_it_agrees_with_pyabc_and_is_no_worse():
    _, sd = exact_mean_and_sd(OBSERVED)
    theirs = [pyabc_posterior(seed) for seed in SEEDS]
    assert all(simulations >= BUDGET for _, simulations in theirs)
    ours = [learned(SMC, seed).posterior(OBSERVED, 1000, seed=1) for seed in SEEDS]
    assert SMC.draws * SMC.rounds == BUDGET
    pooled = [np.concatenate(ours), np.concatenate([u for u, _ in theirs])]
    # each run has one or two hundred effective particles: together they err by .07 sd
    assert (np.abs(pooled[0].mean(0) - pooled[1].mean(0)) < 0.3 * sd).all()
    assert (np.abs(pooled[0].std(0) / pooled[1].std(0) - 1) < 0.2).all()
    # particles that come again would be told by their copies, were they not moved a little
    exact = exact_draws(3000, 7)
    rng = np.random.default_rng(5)
    own, other = (c2st(u + 0.15 * sd * rng.standard_normal(u.shape), exact) for u in pooled)
    assert own <= other + 0.02, (own, other)
    wrong = exact + 0.7 * sd
    assert c2st(wrong, exact) > own + 0.05


def test_the_kernel_of_neighbours_is_as_wide_as_a_mode_and_not_as_all_of_them():
    sd, rng = 0.01, np.random.default_rng(1)
    u = np.clip(rng.choice([0.2, 0.8], (400, 2)) + sd * rng.standard_normal((400, 2)), 0, 1)
    drawn = Knn().sampled(u, np.full(400, 1 / 400), np.random.default_rng(2), 4000)
    from_mode = np.where(drawn < 0.5, drawn - 0.2, drawn - 0.8)
    assert (from_mode.std(0) < 1.5 * sd).all()
    wide = (4 / (4 * 400)) ** (1 / 6) * u.std(0)  # Silverman's, of both modes
    assert (wide > 5 * sd).all()
