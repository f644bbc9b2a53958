"""Steps that grow shorter and weights averaged over many of them learn sharp posteriors better."""

import numpy as np
import pytest

from hpcvbi.infer import Draws, Npe, fitting

SEEDS = range(3)
ROWS, CASES = 1000, 300
SLOPES = np.array([1.0, -0.5, 0.7, 0.3])


def problem(n, seed):
    """Draws u (row, 1) and features (row, feature) that know them to about a hundredth."""
    rng = np.random.default_rng(seed)
    u = rng.random((n, 1))
    return u, np.sinh(3 * (u - 0.5) * SLOPES) + 0.02 * rng.standard_normal((n, len(SLOPES)))


def log_scores():
    """Mean log density of truths that were not learned from, for each seed."""
    found, algorithm = [], Npe(draws=ROWS)
    for seed in SEEDS:
        u, x = problem(ROWS, seed)
        state, _ = algorithm.update(algorithm.init(1, x[0]), Draws.of(u, x), seed)
        cases = zip(*problem(CASES, 50 + seed), strict=True)
        found.append(np.mean([algorithm.log_density(state, u[None], x) for u, x in cases]))
    return np.array(found)


@pytest.fixture(scope="module")
def scores():
    """Log scores as fits are."""
    return log_scores()


@pytest.mark.parametrize(
    ("name", "none_of_it", "gain"), [("SHORTER", 1 - 1e-9, 0.1), ("AVERAGED", 1, 0.05)]
)
def test_a_sharp_posterior_is_learned_better(
    scores: np.ndarray, monkeypatch: pytest.MonkeyPatch, name: str, none_of_it: float, gain: float
):
    monkeypatch.setattr(fitting, name, none_of_it)
    gained = scores - log_scores()
    assert np.median(gained) > gain, gained
