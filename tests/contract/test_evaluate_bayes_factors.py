"""Bayes factors of models by hand, their words, and what is to be minded."""

import numpy as np
import pytest

from hpcvbi.evaluate.bayes_factors import bayes_factors, evidence, warnings_of


def test_factors_are_odds_without_the_prior() -> None:
    factors, bound = bayes_factors(np.array([0.6, 0.3, 0.1]), np.array([0.5, 0.25, 0.25]), 500.0)
    assert factors[0, 1] == pytest.approx(1.0) and factors[1, 2] == pytest.approx(3.0)
    assert factors * factors.T == pytest.approx(1.0)
    assert not bound.any()


def test_a_model_without_particles_gives_a_bound() -> None:
    factors, bound = bayes_factors(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 300.0)
    assert factors[0, 1] == pytest.approx(100.0)
    assert bound.tolist() == [[False, True], [False, False]]


def test_the_words_are_those_of_kass_and_raftery() -> None:
    said = [evidence(factor) for factor in (1.0, 2.9, 3.0, 19.0, 20.0, 151.0)]
    assert said == ["hardly any", "hardly any", "positive", "positive", "strong", "very strong"]


def test_few_particles_say_hardly_anything_of_a_model_that_has_none() -> None:
    factors, bound = bayes_factors(np.array([1.0, 0.0]), np.array([0.9, 0.1]), 25.0)
    assert bound[0, 1] and factors[0, 1] < 1
    assert evidence(factors[0, 1]) == "hardly any"


def test_what_has_not_settled_is_said() -> None:
    settled = np.array([[0.5, 0.5], [0.52, 0.48]])
    moving = np.array([[0.5, 0.5], [0.8, 0.2]])
    errors = np.full((2, 2), 0.02)
    assert warnings_of(settled, errors, 500.0, finished=True) == []
    assert "still moved by 0.30" in warnings_of(moving, errors, 500.0, finished=True)[0]
    assert "worth 20 particles" in warnings_of(settled, errors, 20.0, finished=True)[0]
    assert "one generation" in warnings_of(settled[:1], errors[:1], 500.0, finished=True)[0]
    assert "smallest epsilon" in warnings_of(settled, errors, 500.0, finished=False)[0]
