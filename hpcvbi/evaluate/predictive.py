"""Does the recording look like the model's own draws, each feature alone and all together?

A recording can lie inside the range of every feature and still be a combination the model never
makes. The joint check measures the Mahalanobis distance of the recording from the predictive draws
and ranks it among the draws' own:

    pool the recording with the n draws;  d_i = distance of member i from the n others
    p = (number of i with d_i >= d_recording) / (n + 1)         the recording counts itself

If the recording comes from the same distribution as the draws, the n + 1 distances are
exchangeable, and p is uniform on 1/(n+1), ..., 1: exactly, for any distribution, any number of
features, and any estimator that treats the points alike (Vovk, Gammerman & Shafer 2005,
doi:10.1007/b106715). A posterior learned from this very recording makes p lean to the safe side:
above what it would be for a second recording of the same person. Covariances of standardised
features are shrunk towards the identity (Ledoit & Wolf 2004, J. Multivar. Anal. 88, 365,
doi:10.1016/S0047-259X(03)00096-4), so more features than draws still work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import DataError, TooFewSurvivors

# Fewer draws cannot reach p < .05.
MIN_DRAWS = 20


@dataclass(frozen=True, eq=False)
class FeatureCheck:
    """Each feature of the recording against the draws; arrays (feature,).

    `lower`, `upper` bound the central `level` of the draws, or all of them where they are too few
    to tell; then even a true model leaves a feature outside with probability `chance_outside`.
    `rank` is the share of draws below the recording.
    """

    recorded: np.ndarray
    median: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    inside: np.ndarray
    rank: np.ndarray
    level: float
    chance_outside: float
    draws: int

    @property
    def expected(self) -> float:
        """How many features chance alone leaves outside, on average."""
        return self.chance_outside * len(self.recorded)

    @property
    def by_chance(self) -> bool:
        """Whether no more features lie outside than chance leaves there: at most one more than
        twice as many as on average.
        """
        return bool((~self.inside).sum() <= 2 * self.expected + 1)


@dataclass(frozen=True, eq=False)
class JointCheck:
    """All features together: distance of the recording, each draw's own (draw,), and p-value."""

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


def feature_check(recorded: np.ndarray, draws: np.ndarray, level: float = 0.99) -> FeatureCheck:
    """Compare features of the recording (feature,) with those of the predictive draws (draw,
    feature).
    """
    recorded, draws, _ = _finite(recorded, draws)
    tail = (1 - level) / 2
    # Weibull's quantile i / (n + 1) leaves a further draw outside with exactly the stated
    # probability.
    lower, median, upper = np.quantile(draws, [tail, 0.5, 1 - tail], axis=0, method="weibull")
    return FeatureCheck(
        recorded=recorded,
        median=median,
        lower=lower,
        upper=upper,
        inside=(recorded >= lower) & (recorded <= upper),
        rank=(draws < recorded).mean(0),
        level=level,
        chance_outside=max(1 - level, 2 / (len(draws) + 1)),
        draws=len(draws),
    )


def joint_check(recorded: np.ndarray, draws: np.ndarray) -> JointCheck:
    """Distance of the recording (feature,) from the predictive draws (draw, feature), with its
    calibrated p-value.

    Raises
    ------
    DataError
        Where the recording's features are not finite or not as many as the draws'.
    TooFewSurvivors
        Where fewer than 20 draws are finite.
    """
    recorded, draws, left_out = _finite(recorded, draws)
    pool = np.vstack([recorded[None], draws])
    distances = np.array(
        [mahalanobis(point, np.delete(pool, i, axis=0)) for i, point in enumerate(pool)]
    )
    # Equal up to rounding counts as equal: against claiming a misfit.
    farther = distances >= distances[0] * (1 - 1e-12)
    return JointCheck(
        distance=float(distances[0]),
        draw_distances=distances[1:],
        p_value=float(farther.mean()),
        draws=len(draws),
        left_out=left_out,
    )


def verdict(
    features: FeatureCheck, joint: JointCheck, names: Sequence[str], alpha: float = 0.05
) -> str:
    """Say in plain language whether the model makes recordings like this one."""
    outside = [name for name, inside in zip(names, features.inside, strict=True) if not inside]
    alone = (
        f"{len(outside)} of {len(names)} features lie outside the draws' {features.level:.0%} range"
        + (f" ({', '.join(outside)})" if outside else "")
        + f"; chance alone makes it {features.expected:.1f} on average"
    )
    as_far = round(joint.p_value * (joint.draws + 1)) - 1
    together = (
        f"distance {joint.distance:.1f}, draws' median {np.median(joint.draw_distances):.1f}, "
        f"{as_far} of {joint.draws} draws as far out, p = {joint.p_value:.2g}"
    )
    if not joint.inside(alpha):
        return (
            f"OUTSIDE: the model with this posterior does not make recordings like this one "
            f"({together}). The posterior answers for a model that does not fit: do not read its "
            f"parameters as this person's. {alone[0].upper()}{alone[1:]}."
        )
    head = "inside" if features.by_chance else "inside, with reserve"
    return (
        f"{head}: all features together look like one of the model's own draws "
        f"({together}); {alone}."
    )


def mahalanobis(point: np.ndarray, sample: np.ndarray) -> float:
    """Distance of `point` (feature,) from `sample` (draw, feature), by its shrunk covariance.

    A feature that is the same in the whole sample adds nothing where the point shares it, and makes
    it infinitely far where not.
    """
    deviation, sd = point - sample.mean(0), sample.std(0)
    flat = sd <= 1e-12 * np.abs(sample).max(0)
    if (np.abs(deviation[flat]) > 1e-9 * np.abs(sample[:, flat]).max(0, initial=0.0)).any():
        return np.inf
    if flat.all():
        return 0.0
    z = (sample[:, ~flat] - sample[:, ~flat].mean(0)) / sd[~flat]
    towards = deviation[~flat] / sd[~flat]
    return float(np.sqrt(towards @ np.linalg.solve(shrunk_covariance(z), towards)))


def shrunk_covariance(centred: np.ndarray) -> np.ndarray:
    """Ledoit-Wolf covariance (feature, feature) of `centred` (draw, feature): (1 - a) S + a
    tr(S)/f, optimal a.
    """
    n, f = centred.shape
    covariance = centred.T @ centred / n
    scale = np.trace(covariance) / f
    spread = ((covariance - scale * np.eye(f)) ** 2).sum()
    # Sum over draws of ||z z' - S||^2 / n^2, expanded: the squared error that S itself carries.
    error = (((centred**2).sum(1) ** 2).sum() / n - (covariance**2).sum()) / n
    weight = 1.0 if spread == 0 else min(1.0, max(0.0, error / spread))
    # A trace of the identity keeps the matrix invertible where features repeat each other.
    weight = max(weight, 1e-9)
    return (1 - weight) * covariance + weight * scale * np.eye(f)


def _finite(recorded: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    recorded, draws = np.asarray(recorded, float), np.asarray(draws, float)
    if recorded.ndim != 1 or draws.ndim != 2 or draws.shape[1] != len(recorded):
        raise DataError(
            f"a recording (feature,) and draws (draw, feature) must share the features, "
            f"got {recorded.shape} and {draws.shape}"
        )
    if not np.isfinite(recorded).all():
        raise DataError(
            f"features {np.flatnonzero(~np.isfinite(recorded))} of the recording are not finite"
        )
    finite = draws[np.isfinite(draws).all(1)]
    if len(finite) < MIN_DRAWS:
        raise TooFewSurvivors(
            f"a predictive check needs {MIN_DRAWS} finite draws, got {len(finite)} of "
            f"{len(draws)}: simulate more posterior draws"
        )
    return recorded, finite, len(draws) - len(finite)
