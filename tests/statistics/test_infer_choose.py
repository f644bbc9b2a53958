"""Model probabilities against evidences that are known: one feature, Gaussian noise, uniform priors
of two widths w,

    x = theta + s e,  theta ~ U(-w, w):   p(x | m) = (Phi((w - x) / s) - Phi((-w - x) / s)) / 2w.
"""

import numpy as np
import pytest
from scipy.stats import norm

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.infer.choice import Choice
from hpcvbi.infer.choose import Candidate, choose

S = 0.3


def simulator(width):
    def simulate(u, seed):
        noise = S * np.random.default_rng(seed).standard_normal((len(u), 1))
        return (2 * u[:, :1] - 1) * width + noise

    return simulate


def evidence(x, width):
    return (norm.cdf((width - x) / S) - norm.cdf((-width - x) / S)) / (2 * width)


MODELS = {"narrow": Candidate(1, simulator(1.0)), "wide": Candidate(2, simulator(3.0))}


@pytest.mark.parametrize("x", [0.2, 1.0, 1.3])
@pytest.mark.parametrize("prior", [1.0, 3.0])
def test_probabilities_are_those_of_the_exact_evidences(x, prior):
    models = {**MODELS, "wide": Candidate(2, simulator(3.0), prior)}
    choice = Choice(rounds=16, draws=1000, particles=400, min_epsilon=0.05)
    found = [choose(models, np.array([x]), seed, choice) for seed in range(3)]
    narrow, wide = evidence(x, 1.0), prior * evidence(x, 3.0)
    mean = np.mean([chosen.probabilities["narrow"] for chosen in found])
    assert mean == pytest.approx(narrow / (narrow + wide), abs=0.05)
    for chosen in found:
        assert sum(chosen.probabilities.values()) == pytest.approx(1.0)
        assert len(chosen.generations) >= 4


def test_a_model_without_particles_can_come_back():
    """Almost nobody of the far model is near at first; its probability stays that of the evidence
    whether it had a transition of its own or not.
    """
    models = {"narrow": Candidate(1, simulator(1.0)), "far": Candidate(1, simulator(30.0))}
    choice = Choice(rounds=16, draws=600, particles=300, min_epsilon=0.1)
    found = [choose(models, np.array([0.4]), s, choice).probabilities["far"] for s in range(3)]
    exact = evidence(0.4, 30.0) / (evidence(0.4, 30.0) + evidence(0.4, 1.0))
    assert np.mean(found) == pytest.approx(exact, abs=0.02)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    choice = Choice(rounds=4, draws=300)
    a, b, c = (choose(MODELS, np.array([0.2]), seed, choice) for seed in (1, 1, 2))
    assert a.probabilities == b.probabilities != c.probabilities
    np.testing.assert_array_equal(a.generations[-1].weights, b.generations[-1].weights)


def test_one_model_has_all_and_failed_draws_have_none():
    assert choose({"narrow": MODELS["narrow"]}, np.zeros(1), 0, Choice(rounds=2, draws=200))
    failing = Candidate(1, lambda u, seed: np.full((len(u), 1), np.nan))
    found = choose({**MODELS, "failing": failing}, np.zeros(1), 0, Choice(rounds=3, draws=300))
    assert found.probabilities["failing"] == 0.0
    with pytest.raises(TooFewSurvivors, match="finite features"):
        choose({"failing": failing}, np.zeros(1), 0, Choice(rounds=2, draws=200))
    strict = Choice(rounds=2, draws=200, epsilon="constant", epsilons=(1e-9,))
    with pytest.raises(TooFewSurvivors, match="write a larger epsilon"):
        choose(MODELS, np.zeros(1), 0, strict)
    wrong = Candidate(1, lambda u, seed: np.zeros((len(u), 2)))
    with pytest.raises(ConfigError, match="features of shape"):
        choose({"wrong": wrong}, np.zeros(1), 0, strict)


def test_the_standard_error_is_that_of_repeated_choices():
    """Of 24 repetitions, the spread lies within a factor of two of the mean error, and the mean
    within its own error of the evidences' ratio; at a fixed epsilon, that differ in nothing else.
    """
    choice = Choice(rounds=12, draws=300, particles=100, epsilon="list", epsilons=(2.0, 0.5, 0.2))
    last = [choose(MODELS, np.array([0.6]), seed, choice).generations[-1] for seed in range(24)]
    found = np.array([generation.probabilities[0] for generation in last])
    error = np.mean([generation.errors[0] for generation in last])
    assert 0.5 < found.std(ddof=1) / error < 2.0
    exact = evidence(0.6, 1.0) / (evidence(0.6, 1.0) + evidence(0.6, 3.0))
    assert found.mean() == pytest.approx(exact, abs=0.02 + 3 * error / np.sqrt(24))


def test_no_particle_from_the_tails_decides_the_choice():
    """A share of draws from the prior bounds the weights."""
    models = {**MODELS, "wide": Candidate(2, simulator(3.0), 3.0)}
    choice = Choice(rounds=16, draws=1000, particles=400, min_epsilon=0.05)
    for seed in range(3):
        for generation in choose(models, np.array([1.0]), seed, choice).generations:
            assert generation.weights.max() < 0.2
