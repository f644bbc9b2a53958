"""What posterior probabilities of models are worth: Bayes factors, in the field's words.

    K_ij = (P_i / prior_i) / (P_j / prior_j)

A model without particles has no probability of 0 but less than 3 / n with n effective particles, at
95 % confidence (the rule of three, Hanley & Lippman-Hand 1983, DOI
10.1001/jama.1983.03330370053031): then K is a bound. Kass & Raftery (1995), Bayes factors, DOI
10.1080/01621459.1995.10476572.
"""

import numpy as np

WORDS = ((1.0, "hardly any"), (3.0, "positive"), (20.0, "strong"), (150.0, "very strong"))
"""From which factor on evidence is called so, by Kass & Raftery."""
NOT_SUFFICIENT = (
    "features that do not suffice to tell the models apart can mislead, however many draws there "
    "are (Robert et al. 2011): choose again with other features, and on simulated recordings"
)
UNSEEN = 3.0
"""A model without one of n effective particles has a probability below this over n, at 95 %."""
SETTLED = 3.0
"""Standard errors that a probability may move in the last generation."""
FEW = 100.0
"""Effective particles below which a probability is uncertain."""


def bayes_factors(
    probabilities: np.ndarray, prior: np.ndarray, effective: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors (model, other) of each model against each other one, given probabilities
    (model,) and priors (model,), and which of them are lower bounds; those of a model without
    particles, upper ones, are their inverse.
    """
    empty = probabilities <= 0
    odds = np.where(empty, min(1.0, UNSEEN / effective), probabilities) / prior
    bound = empty[None, :] & ~empty[:, None]
    return odds[:, None] / odds[None, :], bound


def evidence(factor: float) -> str:
    """Return how much evidence a factor is; one below 1, as the bound of few particles may be, is
    hardly any.
    """
    return [WORDS[0][1], *(word for least, word in WORDS if factor >= least)][-1]


def warnings_of(
    probabilities: np.ndarray, errors: np.ndarray, effective: float, finished: bool
) -> list[str]:
    """Return what to mind about the probabilities (generation, model) with standard `errors`;
    `finished` says whether the last epsilon asked for was reached.
    """
    found = []
    if effective < FEW:
        found.append(
            f"the last generation is worth {effective:.0f} particles only: more draws in a wave"
        )
    if len(probabilities) < 2:
        found.append("there is one generation only, so epsilon is that of the prior: more rounds")
        return found
    moved = np.abs(probabilities[-1] - probabilities[-2])
    noise = np.hypot(errors[-1], errors[-2])
    if (moved > SETTLED * np.maximum(noise, 1e-12)).any():
        found.append(
            f"probabilities still moved by {moved.max():.2f} in the last generation: with a "
            "smaller epsilon they may move on; more rounds"
        )
    if not finished:
        found.append("the waves ended before the smallest epsilon that was asked for was reached")
    return found
