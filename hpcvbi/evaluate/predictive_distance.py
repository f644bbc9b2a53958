"""Is the recording as near to the posterior predictive draws as these are to each other?

    pool the recording with the n draws;  D_i = mean distance of member i from the n others
    p = (number of i with D_i >= D_recording) / (n + 1)         the recording counts itself

All members are treated alike, so p is uniform if the recording is one more draw, for any distance
(Vovk, Gammerman & Shafer 2005, doi:10.1007/b106715). The distances, in the order of the functions:

    1 - r of two FC, over pairs;  root mean square difference of two FC
    largest difference of the distribution functions of FCD values (Kolmogorov-Smirnov), the measure
        of Hansen et al. (2015), doi:10.1016/j.neuroimage.2014.11.001, and Deco et al. (2021),
        doi:10.1126/sciadv.abf4752
    root mean square difference of log power spectra [dB] (Gray & Markel 1976,
        doi:10.1109/TASSP.1976.1162849)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import DataError, TooFewSurvivors

# Fewer draws cannot reach p < .05.
MIN_DRAWS = 20
MOST_DRAWS = 256
"""Predictive draws that are compared with the recording, one with each other."""


@dataclass(frozen=True, eq=False)
class DistanceCheck:
    """Mean distance of the recording from the draws, each draw's own (draw,), and p-value."""

    distance: float
    draw_distances: np.ndarray
    p_value: float
    draws: int
    left_out: int

    def inside(self, alpha: float = 0.05) -> bool:
        """Whether the recording is no farther out than chance allows in all but `alpha` of the
        cases.
        """
        return self.p_value > alpha


def fc_correlation_check(recorded: np.ndarray, predicted: np.ndarray) -> DistanceCheck:
    """1 - r over pairs, of recorded FC (pair,) and `predicted` FC (draw, pair).

    Raises
    ------
    DataError
        Where the recorded FC is not finite, constant, or of other pairs than the predicted.
    TooFewSurvivors
        Where fewer than 20 draws are finite.
    """
    return _check(recorded, predicted, _standard_pattern, lambda z: _euclidean(z) ** 2 / 2)


def fc_rmse_check(recorded: np.ndarray, predicted: np.ndarray) -> DistanceCheck:
    """Root mean square difference over pairs, of recorded FC (pair,) and `predicted` FC (draw,
    pair); errors as `fc_correlation_check`.
    """
    return _check(recorded, predicted, np.asarray, _rms)


def fcd_check(recorded: np.ndarray, predicted: np.ndarray) -> DistanceCheck:
    """Kolmogorov-Smirnov distance of distribution functions of FCD, recorded (value,) and
    `predicted` (draw, value), all at the same values; errors as `fc_correlation_check`.
    """
    return _check(recorded, predicted, np.asarray, _largest)


def psd_check(recorded: np.ndarray, predicted: np.ndarray) -> DistanceCheck:
    """Log-spectral distance [dB] of recorded power (..., frequency), such as (region, frequency),
    and `predicted` power (draw, ..., frequency), in the same units.

    A draw with power that is not above zero is left out. Errors as `fc_correlation_check`.
    """
    recorded, predicted = np.asarray(recorded, float), np.asarray(predicted, float)
    if predicted.ndim < 2 or predicted.shape[1:] != recorded.shape:
        raise DataError(
            f"power of the recording (..., frequency) and of draws (draw, ..., frequency) must "
            f"share their shape, got {recorded.shape} and {predicted.shape}"
        )
    return _check(
        recorded.reshape(-1), predicted.reshape(len(predicted), recorded.size), _decibel, _rms
    )


CHECKS: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], DistanceCheck]]] = {
    "fc_correlation": ("fc", fc_correlation_check),
    "fc_rmse": ("fc", fc_rmse_check),
    "fcd": ("fcd", fcd_check),
    "psd": ("psd", psd_check),
}
"""What each check compares, and how."""
DISTANCES: dict[str, tuple[tuple[str, ...], str]] = {
    "fc_correlation_distance": ((), "mean 1 - r of the recorded FC and that of predictive draws"),
    "fc_correlation_p": ((), "share of pooled draws with FC at least as far from the others"),
    "fc_rmse_distance": ((), "mean root mean square difference of the two FC"),
    "fc_rmse_p": ((), "share of pooled draws with FC at least as far from the others"),
    "fcd_distance": ((), "mean Kolmogorov-Smirnov distance of the two distributions of FCD"),
    "fcd_p": ((), "share of pooled draws with FCD at least as far from the others"),
    "psd_distance": ((), "mean root mean square difference of the two log power spectra, in dB"),
    "psd_p": ((), "share of pooled draws with spectra at least as far from the others"),
}


def predictive_distances(
    recorded: Mapping[str, np.ndarray], predicted: Mapping[str, np.ndarray]
) -> tuple[dict[str, float], str]:
    """Return every number of `DISTANCES`, and what could not be compared, in words.

    `recorded` has fc (pair,), fcd (value,) and psd (frequency,), `predicted` the same of each draw.
    Entries that the recording does not have are left out.
    """
    numbers, words = dict[str, float](), dict[str, None]()
    for name, (what, check) in CHECKS.items():
        there = np.isfinite(recorded[what])
        draws = np.asarray(predicted[what], float)[:, there]
        draws = draws[np.isfinite(draws).all(1)][:MOST_DRAWS]
        lacking = ""
        if not there.any():
            lacking = "the recording is too short for one"
        elif len(draws) < MIN_DRAWS:
            lacking = f"only {len(draws)} draws have one, {MIN_DRAWS} are needed"
        checked = None if lacking else check(recorded[what][there], draws)
        numbers[f"{name}_distance"] = checked.distance if checked else np.nan
        numbers[f"{name}_p"] = checked.p_value if checked else np.nan
        if lacking:
            words[f"{what.upper()} is not compared: {lacking}"] = None
    return numbers, "; ".join(words)


def _check(
    recorded: np.ndarray,
    predicted: np.ndarray,
    prepare: Callable[[np.ndarray], np.ndarray],
    distances: Callable[[np.ndarray], np.ndarray],
) -> DistanceCheck:
    recorded, predicted = np.asarray(recorded, float), np.asarray(predicted, float)
    if recorded.ndim != 1 or predicted.ndim != 2 or predicted.shape[1] != len(recorded):
        raise DataError(
            f"a recording (entry,) and draws (draw, entry) must share the entries, "
            f"got {recorded.shape} and {predicted.shape}"
        )
    pool = np.vstack([recorded, predicted])
    pool[~np.isfinite(pool).all(1)] = np.nan
    pool = prepare(pool)
    whole = np.all(np.isfinite(pool), axis=1)
    if not whole[0]:
        raise DataError(
            "the recording has entries that are not finite, power that is not above zero, or no "
            "spread: leave out the regions they belong to"
        )
    draws = int(whole.sum()) - 1
    if draws < MIN_DRAWS:
        raise TooFewSurvivors(
            f"a predictive check needs {MIN_DRAWS} finite draws, got {draws} of "
            f"{len(predicted)}: simulate more posterior draws"
        )
    mean = distances(pool[whole]).sum(1) / draws
    # Equal up to rounding counts as equal: against claiming a misfit.
    farther = mean >= mean[0] * (1 - 1e-12)
    return DistanceCheck(
        distance=float(mean[0]),
        draw_distances=mean[1:],
        p_value=float(farther.mean()),
        draws=draws,
        left_out=len(predicted) - draws,
    )


def _standard_pattern(pool: np.ndarray) -> np.ndarray:
    """Rows with mean 0 and length 1, so that products are correlations; NaN where constant."""
    centred = pool - pool.mean(1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    flat = length <= 1e-12 * np.sqrt(pool.shape[1]) * np.abs(pool).max(1, keepdims=True)
    return centred / np.where(flat, np.nan, length)


def _decibel(pool: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.where(pool > 0, pool, np.nan))


def _euclidean(pool: np.ndarray) -> np.ndarray:
    # One row at a time: differences lose no digits, and memory stays that of the pool.
    return np.array([np.linalg.norm(pool - row, axis=1) for row in pool])


def _rms(pool: np.ndarray) -> np.ndarray:
    return _euclidean(pool) / np.sqrt(pool.shape[1])


def _largest(pool: np.ndarray) -> np.ndarray:
    return np.array([np.abs(pool - row).max(1) for row in pool])
