"""How well functional connectivity (FC) is met, and the yardsticks that need no model.

A fit is worth what it adds to its yardsticks: the connectome itself (`structure_fit`), a linear
network on it (linear.py), other people's FC (`cohort_fit`, `others_fit`), and, from above, the
person's own recording (`halves_fit`). FC are pair vectors (..., pair) in the order of core.pairs.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import DataError, TooFewSurvivors
from hpcvbi.core.pairs import correlation, upper


@dataclass(frozen=True)
class PredictiveFit:
    """Correlation of simulated with recorded FC: of single draws, and of the mean of their FC;
    `draws` were finite.

    `of_mean` is higher than `mean` where draws differ by chance only: averaging removes the noise
    of a finite recording.
    """

    mean: float
    sd: float
    of_mean: float
    draws: int


def fc_fit(predicted: np.ndarray, recorded: np.ndarray) -> np.ndarray:
    """Pearson correlation (...) over pairs of `predicted` (..., pair) with `recorded` (pair,)."""
    return correlation(predicted, recorded)


def predictive_fit(predicted: np.ndarray, recorded: np.ndarray) -> PredictiveFit:
    """Fit of simulated FC (draw, pair) to the recorded (pair,); draws that are not finite are left
    out.
    """
    predicted = np.asarray(predicted, float)
    predicted = predicted[np.isfinite(predicted).all(1)]
    if len(predicted) < 2:
        raise TooFewSurvivors(f"a predictive fit needs 2 finite draws, got {len(predicted)}")
    single = fc_fit(predicted, recorded)
    return PredictiveFit(
        mean=float(single.mean()),
        sd=float(single.std(ddof=1)),
        of_mean=float(fc_fit(predicted.mean(0), recorded)),
        draws=len(predicted),
    )


def structure_fit(weights: np.ndarray, recorded: np.ndarray) -> float:
    """Correlation over pairs of the connectome's weights (to, from), both directions averaged, with
    FC (pair,).
    """
    weights = np.asarray(weights, float)
    return float(fc_fit(upper((weights + weights.T) / 2), recorded))


def cohort_fit(recorded: np.ndarray) -> np.ndarray:
    """Correlation (person, person) of every two people's FC (person, pair); the diagonal is NaN."""
    recorded = _cohort(recorded)
    fit = correlation(recorded[:, None], recorded[None])
    np.fill_diagonal(fit, np.nan)
    return fit


def others_fit(recorded: np.ndarray) -> np.ndarray:
    """Correlation (person,) of each person's FC with the mean FC of all the others, from (person,
    pair).
    """
    recorded = _cohort(recorded)
    others = (recorded.sum(0) - recorded) / (len(recorded) - 1)
    return correlation(others, recorded)


def halves_fit(signal: np.ndarray) -> float:
    """Correlation over pairs of the FC of the first and of the second half of `signal` (time,
    region).

    A ceiling for models of the whole recording, and a check of stationarity: a transient has halves
    that disagree.
    """
    signal = np.asarray(signal, float)
    half = len(signal) // 2
    if signal.ndim != 2 or half < 2:
        raise DataError(f"halves need (time, region) with 4 frames at least, got {signal.shape}")
    return float(fc_fit(*(upper(np.corrcoef(part.T)) for part in (signal[:half], signal[-half:]))))


def _cohort(recorded: np.ndarray) -> np.ndarray:
    recorded = np.asarray(recorded, float)
    if recorded.ndim != 2 or len(recorded) < 2:
        raise DataError(
            f"comparing people needs FC (person, pair) of 2 people at least, "
            f"got shape {recorded.shape}"
        )
    return recorded
