"""One person's result in numbers: posterior, predictive checks, and the FC fit beside its
yardsticks.

`EVALUATION` says what every number is; `judge` computes them all from arrays.

FC fits come twice. `model` compares the recording with the model's signal itself; `recorded` with
that signal under measurement noise, as the likelihood sees it. Noise whose level differs between
regions attenuates correlations in a pattern that alone resembles the recorded FC
(`noise_pattern_r`), so that only the first says how good the model is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hpcvbi.core.block import Status
from hpcvbi.core.pairs import pair_indices
from hpcvbi.evaluate.calibration_check import CALIBRATION, calibration_words
from hpcvbi.evaluate.fit import fc_fit, others_fit, predictive_fit, structure_fit
from hpcvbi.evaluate.identifiability import identifiability, identifiability_sentences
from hpcvbi.evaluate.linear import best_linear
from hpcvbi.evaluate.posterior import recovery_z, shrinkage, summarise
from hpcvbi.evaluate.predictive import feature_check, joint_check, verdict
from hpcvbi.evaluate.predictive_distance import DISTANCES, predictive_distances
from hpcvbi.evaluate.recording_check import RECORDING

EVALUATION: dict[str, tuple[tuple[str, ...], str]] = {
    "mean": (("param",), "posterior mean, in the parameter's unit"),
    "sd": (("param",), "posterior standard deviation"),
    "lower": (("param",), "5 % quantile of the posterior"),
    "upper": (("param",), "95 % quantile of the posterior"),
    "shrinkage": (
        ("param",),
        "1 - posterior variance / prior variance, where the prior is uniform",
    ),
    "z_mean": (("param",), "mean recovery z-score of simulated twins; 0 when unbiased"),
    "z_sd": (("param",), "their standard deviation; 1 when calibrated, above 1 when overconfident"),
    "feature_recorded": (("feature",), "feature of the recording"),
    "feature_lower": (("feature",), "lower end of the posterior predictive range"),
    "feature_upper": (("feature",), "upper end of the posterior predictive range"),
    "feature_inside": (("feature",), "whether the recording lies inside that range"),
    "joint_distance": ((), "Mahalanobis distance of the recording from the predictive draws"),
    "joint_p": ((), "share of pooled draws at least as far away as the recording"),
    "inside": (
        (),
        "whether the recording lies inside jointly (p > .05), and all features but a few",
    ),
    **DISTANCES,
    "model_r": ((), "posterior predictive: mean correlation of model FC with the recorded FC"),
    "model_r_sd": ((), "standard deviation over predictive draws"),
    "model_r_of_mean": ((), "correlation of the mean predicted model FC"),
    "recorded_r": ((), "the same with measurement noise: mean"),
    "recorded_r_sd": ((), "standard deviation over predictive draws"),
    "recorded_r_of_mean": ((), "correlation of the mean predicted FC"),
    "grid_best": ((), "value of the grid's parameter with the best mean model_r"),
    "grid_model_r": ((), "mean over fresh seeds at the best grid point"),
    "grid_model_r_sd": ((), "standard deviation over fresh seeds"),
    "grid_recorded_r": ((), "the same for FC with measurement noise, at the same point"),
    "grid_recorded_r_sd": ((), "standard deviation over fresh seeds"),
    "difference": ((), "model_r - grid_model_r"),
    "difference_se": ((), "standard error of the difference"),
    "reaches_grid": ((), "whether the difference is above minus two standard errors"),
    "linear_r": ((), "closed-form linear network, best coupling"),
    "structure_r": ((), "r(SC, FC)"),
    "others_r": ((), "the mean FC of the other people; NaN for a cohort of one"),
    "noise_pattern_r": (
        (),
        "measurement noise alone: sqrt of the product of two regions' reliability",
    ),
    "draws": ((), "draws simulated for this person, in all rounds"),
    "ok": ((), "draws that are whole, with dt as written"),
    "halved": ((), "draws that are whole with dt/2, because they diverged with dt"),
    "quartered": ((), "draws that are whole with dt/4"),
    "diverged": ((), "draws that diverged; they are counted and take no part in learning"),
    "failed": ((), "draws whose simulation failed; they are counted and take no part in learning"),
    "proposed": ((), "draws of the rounds that are learned from"),
    "learned": ((), "draws of these rounds that were learned from"),
    "excluded": (
        (),
        "share of these rounds' draws that learning left out: not whole, or a feature undefined",
    ),
    "correlation": (("param", "other"), "posterior correlation, in the unit cube of the prior"),
    "determined": (("param",), "share of a parameter's variance that the others fix (R^2)"),
    "direction_variance": (
        ("direction",),
        "posterior variance / prior variance along each direction, the least known first",
    ),
    "direction": (("direction", "param"), "unit vectors of these directions, in the unit cube"),
    "leakage": ((), "share of the network's mass outside the prior; NaN where there is no network"),
    "acceptance": ((), "share of the prior that the last region keeps, or of draws accepted"),
    "effective": ((), "weighted draws of the last round, as so many equal ones; NaN without any"),
    "r_hat": ((), "R-hat of posterior draws that come by Markov chains; 1 where they do not"),
    **RECORDING,
    **CALIBRATION,
}
"""What every number is: its dimensions, and its meaning."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a judgement is made of; parameters in the unit cube (`u`) and in natural units
    (`theta`).
    """

    u: np.ndarray  # (sample, param)
    theta: np.ndarray  # (sample, param)
    twins_u: np.ndarray  # (twin, sample, param) posteriors given simulated twins
    twins_truth: np.ndarray  # (twin, param)
    feature_names: tuple[str, ...]
    recorded_features: np.ndarray  # (feature,)
    predicted_features: np.ndarray  # (draw, feature)
    cohort_fc: np.ndarray  # (person, pair) recorded
    person: int
    weights: np.ndarray  # (to, from)
    reliability: np.ndarray  # (region,) share of the recording's variance that is no white noise
    predicted_model_fc: np.ndarray  # (draw, pair)
    predicted_fc: np.ndarray  # (draw, pair)
    recorded_curves: Mapping[str, np.ndarray]  # (point,) fcd and psd
    predicted_curves: Mapping[str, np.ndarray]  # (draw, point)
    grid_best: float
    fresh_model_fc: np.ndarray  # (draw, pair) at the best grid point, fresh seeds
    fresh_fc: np.ndarray  # (draw, pair)
    status: np.ndarray  # (draw,) of all rounds
    proposed: int
    learned: int
    info: Mapping[str, Any]  # of the last update
    calibration: Mapping[str, np.ndarray]  # numbers of CALIBRATION
    recording: tuple[Mapping[str, np.ndarray], str]  # numbers of RECORDING, warning
    parameter_names: tuple[str, ...]


@threadpool_limits.wrap(limits=1, user_api="blas")  # last bits depend on the number
def judge(evidence: Evidence) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return every number of `EVALUATION`, and words: the `verdict` of the predictive check, which
    `distances` are lacking, and what is to be said of `identifiability`, of the `recording` beside
    the prior predictive and of the `calibration`, empty where nothing is wrong; of people who share
    a network, also of the person's `place` among those that it was learned from.
    """
    e = evidence
    recorded = e.cohort_fc[e.person]
    posterior = summarise(e.theta)
    z = recovery_z(e.twins_u, e.twins_truth)
    features = feature_check(e.recorded_features, e.predicted_features)
    joint = joint_check(e.recorded_features, e.predicted_features)
    model, seen = (predictive_fit(fc, recorded) for fc in (e.predicted_model_fc, e.predicted_fc))
    fresh, fresh_seen = (predictive_fit(fc, recorded) for fc in (e.fresh_model_fc, e.fresh_fc))
    difference = model.mean - fresh.mean
    error = np.sqrt(model.sd**2 / model.draws + fresh.sd**2 / fresh.draws)
    others = others_fit(e.cohort_fc)[e.person] if len(e.cohort_fc) > 1 else np.nan
    i, j = pair_indices(len(e.weights))
    pattern = np.sqrt(e.reliability[i] * e.reliability[j])
    distances, apart = predictive_distances(
        {"fc": recorded, **e.recorded_curves}, {"fc": e.predicted_fc, **e.predicted_curves}
    )
    numbers = {
        "mean": posterior.mean,
        "sd": posterior.sd,
        "lower": posterior.lower,
        "upper": posterior.upper,
        "shrinkage": shrinkage(e.u),
        "z_mean": z.mean(axis=0),
        "z_sd": z.std(axis=0, ddof=1),
        "feature_recorded": features.recorded,
        "feature_lower": features.lower,
        "feature_upper": features.upper,
        "feature_inside": features.inside,
        "joint_distance": joint.distance,
        "joint_p": joint.p_value,
        "inside": features.by_chance and joint.inside(),
        "model_r": model.mean,
        "model_r_sd": model.sd,
        "model_r_of_mean": model.of_mean,
        "recorded_r": seen.mean,
        "recorded_r_sd": seen.sd,
        "recorded_r_of_mean": seen.of_mean,
        "grid_best": e.grid_best,
        "grid_model_r": fresh.mean,
        "grid_model_r_sd": fresh.sd,
        "grid_recorded_r": fresh_seen.mean,
        "grid_recorded_r_sd": fresh_seen.sd,
        "difference": difference,
        "difference_se": error,
        "reaches_grid": bool(difference >= -2.0 * error),
        "linear_r": best_linear(e.weights, recorded).r,
        "structure_r": structure_fit(e.weights, recorded),
        "others_r": others,
        "noise_pattern_r": float(fc_fit(pattern, recorded)) if np.ptp(pattern) > 0 else np.nan,
        "draws": len(e.status),
        **{s.name.lower(): (e.status == s).sum() for s in Status if s != Status.PENDING},
        "proposed": e.proposed,
        "learned": e.learned,
        "excluded": (e.proposed - e.learned) / e.proposed,
        **distances,
        **_of_learning(e.info),
        **e.recording[0],
        **e.calibration,
    }
    known, sentences = _identified(e)
    numbers = {name: np.asarray(value) for name, value in {**numbers, **known}.items()}
    return numbers, {
        "verdict": verdict(features, joint, e.feature_names),
        "distances": apart,
        "identifiability": "\n".join(sentences),
        "recording": e.recording[1],
        "calibration": calibration_words(numbers, e.parameter_names),
        **({"place": e.info["place"]} if "place" in e.info else {}),
    }


def _of_learning(info: Mapping[str, Any]) -> dict[str, float]:
    """What the last update says about its draws; methods know different things."""
    accepted = info["accepted"] / info["simulated"] if info.get("simulated") else np.nan
    effective = info.get("effective")
    return {
        "leakage": info.get("leakage", np.nan),
        "r_hat": info.get("r_hat", np.nan),
        "acceptance": info.get("volume", accepted),
        "effective": np.nan if effective is None else effective,
    }


def _identified(e: Evidence) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Posterior correlations and directions, and sentences; NaN where draws are too few."""
    n = e.u.shape[1]
    if len(e.u) < 10 * n:
        square, line = np.full((n, n), np.nan), np.full(n, np.nan)
        names = ("correlation", "direction"), ("determined", "direction_variance")
        return {**dict.fromkeys(names[0], square), **dict.fromkeys(names[1], line)}, ()
    found = identifiability(np.clip(e.u, 0.0, 1.0))
    return {
        "correlation": found.correlation,
        "determined": found.determined,
        "direction_variance": found.variances,
        "direction": found.directions,
    }, identifiability_sentences(found, e.parameter_names)


def best_grid_point(points: np.ndarray, fc: np.ndarray, recorded: np.ndarray) -> float:
    """Return the grid value (draw,) whose draws' FC (draw, pair) correlate best with the recorded
    FC on average.
    """
    fits = fc_fit(fc, recorded)
    values = np.unique(points)
    means = [_mean_of_whole(fits[points == value]) for value in values]
    return float(values[int(np.argmax(means))])


def _mean_of_whole(fits: np.ndarray) -> float:
    """Mean over draws with a result; minus infinity where none has one, so that it is not best."""
    whole = fits[np.isfinite(fits)]
    return float(whole.mean()) if len(whole) else -np.inf
