"""Classifier two-sample test (C2ST): can a network tell two samples apart?

    c2st = accuracy on held-out points of a classifier of a from b

1/2: it cannot; 1: it always can. The setting is the field's own, so that numbers compare: two
hidden layers of 10 units per parameter, inputs standardised by the first sample, mean over 5 folds.
N(0, 1) against N(m, 1) cannot be told apart better than Phi(m / 2).

Lopez-Paz & Oquab (2017), ICLR, arXiv:1610.06545; setting: Lueckmann, Boelts, Greenberg, Gonçalves &
Macke (2021), AISTATS, arXiv:2101.04653.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.core.seeds import derive_seed, generator


@dataclass(frozen=True, eq=False)
class TwoSamples:
    """Mean accuracy of telling two samples apart, and that of each fold (fold,)."""

    accuracy: float
    folds: np.ndarray
    draws: int  # of each sample


def c2st(first: np.ndarray, second: np.ndarray, seed: int, folds: int = 5) -> TwoSamples:
    """Tell `first` (draw, param) from `second` (draw, param); of the larger one as many draws are
    taken at random as the smaller one has.

    Raises
    ------
    DataError
        Where a sample is not finite, has fewer than 4 draws a fold, or another number of
        parameters.
    """
    from sklearn.model_selection import KFold
    from threadpoolctl import threadpool_limits

    if folds < 2:
        raise ConfigError(f"C2ST needs 2 folds at least, got {folds}: write 5")
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise DataError(
            f"C2ST needs two samples (draw, param) of the same parameters, "
            f"got {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError("C2ST needs finite samples: leave failed draws out")
    draws = min(len(first), len(second))
    if draws < 4 * folds:
        raise DataError(f"C2ST with {folds} folds needs {4 * folds} draws each, got {draws}")
    rng = generator("c2st", seed)
    first, second = (_some(sample, draws, rng) for sample in (first, second))
    points = standardised(np.vstack([first, second]), first)
    labels = np.repeat([0, 1], draws)
    split = KFold(folds, shuffle=True, random_state=derive_seed("c2st folds", seed) % 2**32)
    accuracy = []
    # One thread: sums in another order would be other bits on another machine.
    with threadpool_limits(1):
        for train, test in split.split(points):
            network = classifier(10 * points.shape[1], seed).fit(points[train], labels[train])
            accuracy.append(network.score(points[test], labels[test]))
    return TwoSamples(float(np.mean(accuracy)), np.array(accuracy), draws)


def classifier(width: int, seed: int, **settings):
    """Return an untrained network of two hidden layers of `width` units."""
    from sklearn.neural_network import MLPClassifier

    state = derive_seed("classifier", seed) % 2**32
    settings = {"max_iter": 10_000, **settings}
    return MLPClassifier((width, width), random_state=state, **settings)


def standardised(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """`points` (draw, param) in standard deviations of `reference` from its mean; a parameter
    without spread there is shifted only.
    """
    sd = reference.std(0)
    flat = sd <= 1e-12 * np.abs(reference).max(0)
    return (points - reference.mean(0)) / np.where(flat, 1.0, sd)


def _some(sample: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    if len(sample) == draws:
        return sample
    return sample[np.sort(rng.choice(len(sample), draws, replace=False))]
