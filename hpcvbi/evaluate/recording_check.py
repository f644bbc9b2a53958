"""Could the model with its prior have made this recording? The recording beside the draws of round
0, by `misspecification` and `out_of_distribution`, and features that tell nothing there.

The warning is given where one distance of the two, or a feature beyond all draws, has p <= .05, or
the MMD p <= .025; a recording that the model made gets it in at most 7.5 % of the cases.
"""

from collections.abc import Sequence

import numpy as np

from hpcvbi.evaluate.misspecification import mmd_check
from hpcvbi.evaluate.out_of_distribution import out_of_distribution, recording_warning
from hpcvbi.evaluate.reference import MIN_DRAWS, MOST_DRAWS

LARGE = 0.025
"""p-value of the MMD up to which the recording gets a warning."""
MOST = 2 * MOST_DRAWS
"""Draws of the prior predictive that are looked at."""
RECORDING: dict[str, tuple[tuple[str, ...], str]] = {
    "mmd": ((), "maximum mean discrepancy of the recording from the prior predictive"),
    "mmd_p": ((), "share of prior predictive draws at least as far from the others"),
    "prior_distance": ((), "Mahalanobis distance of the recording from the prior predictive"),
    "prior_distance_p": ((), "share of prior predictive draws at least as far out"),
    "neighbour_p": ((), "share of prior predictive draws with nearest draws as far away"),
    "feature_position": (("feature",), "share of prior predictive draws below the recording"),
    "feature_beyond": (("feature",), "whether the recording is beyond all of them"),
    "feature_constant": (("feature",), "whether the feature is the same in all of them"),
}


def recording_check(
    recorded: np.ndarray, draws: np.ndarray, names: Sequence[str], seed: int
) -> tuple[dict[str, np.ndarray], str]:
    """Return every number of `RECORDING` for `recorded` (feature,) beside prior predictive `draws`
    (draw, feature), and the warning; NaN and no words where fewer than 78 draws are finite.
    """
    draws = np.asarray(draws, float)
    if np.isfinite(draws).all(1).sum() < MIN_DRAWS:
        sizes = {"feature": len(names)}
        return {
            name: np.full([sizes[dim] for dim in dims], np.nan)
            for name, (dims, _) in RECORDING.items()
        }, ""
    apart, placed = mmd_check(recorded, draws, seed), out_of_distribution(recorded, draws, seed)
    words = recording_warning(placed, names)
    if not words and apart.p_value <= LARGE:
        words = (
            "the recording is unlike what the prior predicts (maximum mean discrepancy "
            f"{apart.mmd:.3g}, p = {apart.p_value:.2g}): the model may be misspecified for it, and "
            "then the posterior answers for nothing. Check the recording's units and "
            "preprocessing, widen the prior, or change the model."
        )
    numbers = {
        "mmd": apart.mmd,
        "mmd_p": apart.p_value,
        "prior_distance": placed.mahalanobis,
        "prior_distance_p": placed.mahalanobis_p,
        "neighbour_p": placed.neighbour_p,
        "feature_position": placed.position,
        "feature_beyond": placed.outside,
        "feature_constant": placed.flat,
    }
    return {name: np.asarray(value, float) for name, value in numbers.items()}, words
