"""Whether features tell models apart at all: simulated recordings, of which the model is known, are
given back to the models by their neighbours among the other simulations.

    c_ml = mean over draws i of model m of  sum_{j in N(i), m_j = l} w_j / sum_{j in N(i)} w_j

with N(i) the k draws nearest to draw i, itself apart, features in units of their pooled spread, and
w_j the prior of draw j's model over how many draws that has. Without information every row is the
prior. It is the soft kin of the prior error rate, which counts best guesses: Pudlo et al. (2016),
Reliable ABC model choice via random forests, DOI 10.1093/bioinformatics/btv684.
"""

from collections.abc import Sequence

import numpy as np

MOST = 2000
"""Draws of a model that are looked at, at most."""
RECOGNISED = 0.7
"""Share of a model's own simulations below which it is not told apart."""
_ROWS = 256


def told_apart(features: Sequence[np.ndarray], prior: np.ndarray) -> np.ndarray:
    """Return the mean probability (model, other) that simulations of a model are of the other.

    `features` are each model's (draw, feature), draws that are not finite left out; NaN for a model
    without any, and everywhere where there are fewer than three in all.
    """
    each = [x[np.isfinite(x).all(axis=1)][:MOST] for x in features]
    counts = np.array([len(x) for x in each])
    found = np.full((len(each), len(each)), np.nan)
    if counts.sum() < 3:
        return found
    x, model = np.concatenate(each), np.repeat(np.arange(len(each)), counts)
    low, high = np.quantile(x, [0.25, 0.75], axis=0)
    spread = high - low
    z = x[:, spread > 0] / spread[spread > 0]
    weights = (prior / np.maximum(counts, 1))[model]
    k = min(len(z) - 1, max(10, round(np.sqrt(len(z)))))
    shares = np.empty((len(z), len(each)))
    for start in range(0, len(z), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(z)))
        apart = np.stack([((z - z[row]) ** 2).sum(axis=1) for row in rows])
        apart[np.arange(len(rows)), rows] = np.inf
        near = np.argsort(apart, axis=1, kind="stable")[:, :k]
        votes = [(weights[near] * (model[near] == m)).sum(axis=1) for m in range(len(each))]
        shares[rows] = np.stack(votes, axis=1) / weights[near].sum(axis=1, keepdims=True)
    for m in np.flatnonzero(counts):
        found[m] = shares[model == m].mean(axis=0)
    return found


def confused(models: Sequence[str], found: np.ndarray) -> list[str]:
    """Return a warning for every model whose simulations are not told from others'."""
    words = []
    for m, name in enumerate(models):
        if found[m, m] < RECOGNISED:
            other = int(np.argmax(np.where(np.arange(len(models)) == m, -1.0, found[m])))
            words.append(
                f"recordings that {name} simulates look like {models[other]}'s to these features: "
                f"{found[m, m]:.0%} of their probability is {name}'s own; choose features that "
                "tell them apart"
            )
    return words
