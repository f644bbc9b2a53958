"""A recording beside the model's prior predictive draws, in one scale, split for calibrated ranks.

One part of the draws is the reference a distance is taken from, the other is held out. Whatever the
distance is, the held-out draws and a recording that the model made have exchangeable distances from
the reference: the share of held-out draws that are as far out as the recording is a p-value (Vovk,
Gammerman & Shafer 2005, doi:10.1007/b106715). Both parts are bounded, so memory is.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import DataError, TooFewSurvivors
from hpcvbi.core.seeds import generator

# Half of them are held out, and fewer than 39 cannot reach the p of .025 that a warning takes.
MIN_DRAWS = 78
# Of each part: two blocks of distances of 2000 x 2000 are 64 MB.
MOST_DRAWS = 2000
# Where a recording leaves a feature that is the same in all draws: far, in any scale.
FAR = 1e6


@dataclass(frozen=True, eq=False)
class Reference:
    """Recordings (recording, feature), reference and held-out draws (draw, feature), all in robust
    standard deviations of the reference from its median; `flat` (feature,): no spread in the draws.
    """

    recorded: np.ndarray
    reference: np.ndarray
    held: np.ndarray
    flat: np.ndarray
    left_out: int


def beside(recorded: np.ndarray, draws: np.ndarray, seed: int) -> Reference:
    """Scale and split the `draws` (draw, feature) beside `recorded` (feature,) or (recording,
    feature).

    Draws that are not finite are left out and counted. A feature without spread in the draws is 0
    where a recording shares its value, and far out where not.

    Raises
    ------
    DataError
        Where the recording is not finite, or has other features than the draws.
    TooFewSurvivors
        Where fewer than 78 draws are finite.
    """
    recorded, draws = np.atleast_2d(np.asarray(recorded, float)), np.asarray(draws, float)
    if recorded.ndim != 2 or draws.ndim != 2 or draws.shape[1] != recorded.shape[1]:
        raise DataError(
            f"recordings (recording, feature) and draws (draw, feature) must share the features, "
            f"got {recorded.shape} and {draws.shape}"
        )
    if not np.isfinite(recorded).all():
        bad = np.flatnonzero(~np.isfinite(recorded).all(0))
        raise DataError(f"features {bad} of the recording are not finite: leave them out")
    whole = draws[np.isfinite(draws).all(1)]
    if len(whole) < MIN_DRAWS:
        raise TooFewSurvivors(
            f"a look at the prior predictive needs {MIN_DRAWS} finite draws, got {len(whole)} of "
            f"{len(draws)}: simulate more, or widen what the prior allows"
        )
    order = generator("prior predictive", seed).permutation(len(whole))
    half = min(MOST_DRAWS, len(whole) // 2)
    parts = whole[order[:half]], whole[order[half : 2 * half]]
    largest = np.abs(whole).max(0)
    flat = np.ptp(whole, axis=0) <= 1e-12 * largest
    centre, scale = np.median(parts[0], axis=0), _spread(parts[0])
    scaled = [(part - centre) / scale for part in (recorded, *parts)]
    for part in scaled:
        part[:, flat] = 0.0
    differs = np.abs(recorded - whole[0]) > 1e-9 * np.maximum(largest, np.abs(recorded))
    scaled[0][flat & differs] = FAR
    return Reference(scaled[0], scaled[1], scaled[2], flat, len(draws) - len(whole))


def _spread(part: np.ndarray) -> np.ndarray:
    """Interquartile range as a normal's sd; the sd itself where half of the draws are equal."""
    low, high = np.quantile(part, [0.25, 0.75], axis=0)
    robust, sd = (high - low) / 1.349, part.std(0)
    # Tails may be heavy, not the half in the middle: a range far below the sd is no scale.
    robust = np.where(robust > 1e-3 * sd, robust, sd)
    return np.where(robust > 0, robust, 1.0)
