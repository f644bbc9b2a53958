"""Is a recording unlike everything the prior predictive holds, and in what?

Three looks: the position of each feature among the draws; the Mahalanobis distance of all together,
by a shrunk covariance; and the distance to the k-th nearest draw, which also sees a hole in the
middle or a curved sheet. Both distances are ranked among held-out draws (reference.py), so each
p-value is calibrated whatever the features' distribution is.

Knorr, Ng & Tucakov (2000), VLDB J. 8, 237, doi:10.1007/s007780050006, for distance-based outliers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from hpcvbi.core.errors import DataError
from hpcvbi.evaluate.predictive import shrunk_covariance
from hpcvbi.evaluate.reference import Reference, beside

NEIGHBOUR = 5


@dataclass(frozen=True, eq=False)
class OutOfDistribution:
    """Where a recording lies in the prior predictive; arrays (feature,).

    `position` is the share of draws below the recording, ties counting half. `outside`: beyond all
    draws, or another value than the one all draws share (`flat`).
    """

    position: np.ndarray
    outside: np.ndarray
    flat: np.ndarray
    mahalanobis: float
    mahalanobis_p: float
    neighbour: float
    neighbour_p: float
    draws: int
    left_out: int

    def unlike(self, alpha: float = 0.05) -> bool:
        """Whether the recording is farther out than chance allows, by one distance of the two."""
        return 2 * min(self.mahalanobis_p, self.neighbour_p) <= alpha


def out_of_distribution(recorded: np.ndarray, draws: np.ndarray, seed: int) -> OutOfDistribution:
    """Place `recorded` (feature,) among prior predictive `draws` (draw, feature).

    Raises
    ------
    DataError
        Where the recording is not finite, or has other features than the draws.
    TooFewSurvivors
        Where fewer than 78 draws are finite.
    """
    recorded, draws = np.asarray(recorded, float), np.asarray(draws, float)
    if recorded.ndim != 1:
        raise DataError(f"one recording (feature,) at a time, got shape {recorded.shape}")
    parts = beside(recorded, draws, seed)
    whole = draws[np.isfinite(draws).all(1)]
    position = ((whole < recorded).mean(0) + (whole <= recorded).mean(0)) / 2
    outside = (recorded < whole.min(0)) | (recorded > whole.max(0))
    outside[parts.flat] = parts.recorded[0, parts.flat] != 0
    position[parts.flat & ~outside] = 0.5
    far, far_p = _ranked(parts, _mahalanobis(parts))
    near, near_p = _ranked(parts, _neighbour(parts))
    return OutOfDistribution(
        position=position,
        outside=outside,
        flat=parts.flat,
        mahalanobis=far,
        mahalanobis_p=far_p,
        neighbour=near,
        neighbour_p=near_p,
        draws=len(whole),
        left_out=parts.left_out,
    )


def recording_warning(found: OutOfDistribution, names: Sequence[str], alpha: float = 0.05) -> str:
    """Say in plain language that a recording is unlike the prior predictive; empty where not."""
    beyond = [name for name, out in zip(names, found.outside, strict=True) if out]
    # Each feature of a recording that the model made is outside n draws with chance 2 / (n + 1).
    chance = 2 * len(names) / (found.draws + 1)
    # A value the model never leaves needs no statistics.
    sure = (found.outside & found.flat).any() or (beyond and chance <= alpha)
    if not (found.unlike(alpha) or sure):
        return ""
    where = (
        f"beyond all {found.draws} draws in {', '.join(beyond)}"
        if beyond
        else "in a combination of features, none of them beyond the draws alone"
    )
    return (
        f"the recording is unlike what the prior predicts ({where}; Mahalanobis distance "
        f"{found.mahalanobis:.3g}, p = {found.mahalanobis_p:.2g}; nearest draws "
        f"p = {found.neighbour_p:.2g}): a posterior for it is extrapolation. Check the recording's "
        f"units and preprocessing, widen the prior, or change the model."
    )


def _mahalanobis(parts: Reference) -> np.ndarray:
    """Distance (1 + held,) of the recording and of held-out draws."""
    mean, sd = parts.reference.mean(0), parts.reference.std(0)
    # A feature that is flat in the reference has no scale of its own but that of the part.
    sd = np.where(sd > 0, sd, 1.0)
    points = (np.vstack([parts.recorded, parts.held]) - mean) / sd
    covariance = shrunk_covariance((parts.reference - mean) / sd)
    if not covariance.any():
        return np.linalg.norm(points, axis=1)
    return np.sqrt((points * np.linalg.solve(covariance, points.T).T).sum(1))


def _neighbour(parts: Reference) -> np.ndarray:
    distances = cdist(np.vstack([parts.recorded, parts.held]), parts.reference)
    return np.partition(distances, NEIGHBOUR - 1, axis=1)[:, NEIGHBOUR - 1]


def _ranked(parts: Reference, distances: np.ndarray) -> tuple[float, float]:
    # Equal up to rounding counts as equal: against claiming a misfit.
    as_far = (distances[1:] >= distances[0] * (1 - 1e-12)).sum()
    return float(distances[0]), float((1 + as_far) / (1 + len(parts.held)))
