"""Whether features tell models apart: with normal features the share is that of the densities."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from hpcvbi.evaluate.told_apart import confused, told_apart


def exact(apart: float, prior: float) -> float:
    """Mean posterior probability of the first of two normal models, over its own simulations."""

    def share(x: float) -> float:
        mine, other = prior * norm.pdf(x), (1 - prior) * norm.pdf(x, apart)
        return norm.pdf(x) * mine / (mine + other)

    return quad(share, -8, 8)[0]


@pytest.mark.parametrize("apart", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("prior", [0.5, 0.8])
def test_the_share_is_that_of_the_densities(apart: float, prior: float) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((1500, 1)), apart + rng.standard_normal((600, 1))
    found = told_apart([a, b], np.array([prior, 1 - prior]))
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert found[0, 0] == pytest.approx(exact(apart, prior), abs=0.03)


def test_failed_draws_and_constant_features_do_not_count() -> None:
    rng = np.random.default_rng(1)
    a, b = (shift + rng.standard_normal((300, 1)) for shift in (0.0, 3.0))
    plain = told_apart([a, b], np.full(2, 0.5))
    wide = [np.column_stack([x, np.ones(len(x))]) for x in (a, b)]
    wide[0] = np.concatenate([wide[0], np.full((5, 2), np.nan)])
    assert told_apart(wide, np.full(2, 0.5)) == pytest.approx(plain)
    none = told_apart([a, np.full((4, 1), np.nan)], np.full(2, 0.5))
    assert none[0].tolist() == [1.0, 0.0] and np.isnan(none[1]).all()
    assert np.isnan(told_apart([a[:1], b[:1]], np.full(2, 0.5))).all()
    assert confused(["a", "b"], none) == []


def test_models_that_look_alike_are_named() -> None:
    words = confused(["a", "b", "c"], np.array([[0.9, 0.1, 0.0], [0.0, 0.6, 0.4], [0.0, 0.2, 0.8]]))
    assert len(words) == 1 and "that b simulates look like c's" in words[0] and "60%" in words[0]
