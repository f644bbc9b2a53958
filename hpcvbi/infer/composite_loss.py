"""What the optimisers minimise: one number per point, from its replicates' features.

    loss = sum_g w_g D_g + w_stability S + w_prior R
    D_g  = mean over the features of group g of ((mean_r x - x_observed) / s)^2
    S    = share of replicates that failed + mean over features of var_r(x) / s^2
    R    = mean over parameters of ((u - 1/2) / sd)^2,   sd = 1 / sqrt(12)

A point is one parameter vector, simulated on several noise seeds r: its replicates. s is the
standard deviation of a feature over draws of the prior, so that every D_g is about 1 or more for a
draw that has nothing to do with the recording; at most three robust ones, so that no wild draw
switches a feature off. S is how much a point depends on its noise seed. R is the squared distance
from the prior's median, in the prior's standard deviations: the log density of a uniform prior
would pull nowhere. A point none of whose replicates succeeded has an infinite loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.infer.draws import CHUNK, Draws
from hpcvbi.infer.table import robust

UNIT_SD = 12**-0.5
MOST = 3.0
"""Robust standard deviations of a feature that its standard deviation counts as at most."""
TERMS = ("stability", "prior")
"""Terms beside the distances."""


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of the loss.

    groups: the weight of each group of features, and the columns that belong to it; none for one
    group of all columns with weight 1.
    """

    groups: tuple[tuple[float, tuple[int, ...]], ...] = ()
    stability: float = 0.0
    prior: float = 0.0

    def of_columns(self, n_features: int) -> np.ndarray:
        """Return what the squared distance of each feature counts, shape (feature,)."""
        counts = np.zeros(n_features)
        for weight, columns in self.groups or ((1.0, tuple(range(n_features))),):
            if max(columns) >= n_features:
                raise ConfigError(
                    f"weights: there is no column {max(columns)} among {n_features} features"
                )
            counts[list(columns)] += weight / len(columns)
        return counts


def weights_of(given: Any, groups: Mapping[str, str]) -> Weights:
    """Return the weights that are `given` by the name of a feature, of a group, or of a term.

    `groups` holds the group of each feature, in the order of the columns. A feature that has a
    weight of its own is a group of its own. Groups without a weight do not count, unless no feature
    and no group has one: then each group counts 1. Raises ConfigError where a name is unknown, a
    group has no feature, or a weight is no number from 0 on.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"weights: write {{name: number, ...}}, got {given!r}")
    features, known = list(groups), dict.fromkeys(groups.values())
    for name, weight in given.items():
        if name not in (*TERMS, *known, *features):
            raise ConfigError(_unknown(name, features, list(known)))
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise ConfigError(f"weights: {name} must be a number, got {weight!r}")
        if not (np.isfinite(weight) and weight >= 0):
            raise ConfigError(f"weights: {name} must be a finite number from 0 on, got {weight!r}")
    alone = {name for name in features if name in given}
    members = {name: (features.index(name),) for name in features if name in alone} | {
        group: tuple(
            column
            for column, name in enumerate(features)
            if groups[name] == group and name not in alone
        )
        for group in known
        if group not in alone
    }
    counted = [name for name in members if name in given]
    for name in counted:
        if not members[name]:
            raise ConfigError(
                f"weights: every feature of {name} has a weight of its own; leave {name} out"
            )
    found = {name: float(given[name]) for name in counted} or {name: 1.0 for name in members}
    if not any(found.values()):
        raise ConfigError("weights: at least one feature or group must count more than 0")
    return Weights(
        tuple((weight, members[name]) for name, weight in found.items()),
        *(float(given.get(term, 0.0)) for term in TERMS),
    )


def _unknown(name: str, features: list[str], groups: list[str]) -> str:
    near = get_close_matches(str(name), (*TERMS, *groups, *features), n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return (
        f"weights: the study has no feature {name!r}, and no group of this name has one{hint}. "
        f"Groups: {', '.join(groups)}; features: {', '.join(features)}; and {' and '.join(TERMS)}"
    )


@dataclass(frozen=True, eq=False)
class Points:
    """What was simulated, point by point.

    `u` (point, param); `mean` and `variance` (point, feature) over the replicates that are whole,
    NaN where there is none; `failed` (point,) the share of replicates that are not; `round`
    (point,).
    """

    u: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    failed: np.ndarray
    round: np.ndarray

    def __len__(self) -> int:
        return len(self.u)


def points_of(draws: Draws, replicates: int) -> Points:
    """Gather every `replicates` draws, one below the other, into a point; draws of another study
    are left out.
    """
    first = int((draws.round < 0).sum())
    size, n_features = (len(draws) - first) // replicates, draws.x.shape[1]
    if first + size * replicates != len(draws) or (draws.round[:first] >= 0).any():
        raise ConfigError(
            f"{len(draws) - first} draws are no multiple of replicates = {replicates}, or do not "
            "follow the draws of other studies"
        )
    mean, variance = np.full((2, size, n_features), np.nan)
    failed = np.ones(size)
    step = max(1, CHUNK // replicates)
    for start in range(0, size, step):
        stop = min(size, start + step)
        x = np.asarray(draws.x[first + start * replicates : first + stop * replicates], float)
        whole = np.isfinite(x).all(axis=1).reshape(-1, replicates)
        x = np.where(whole[..., None], x.reshape(*whole.shape, n_features), 0.0)
        count = whole.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            centre = x.sum(axis=1) / count[:, None]
        apart = np.where(whole[..., None], x - centre[:, None], 0.0)
        mean[start:stop] = centre
        spread = (apart**2).sum(axis=1) / np.maximum(count - 1, 1)[:, None]
        variance[start:stop] = np.where(count[:, None] > 0, spread, np.nan)
        failed[start:stop] = 1.0 - count / replicates
    rows = slice(first, None, replicates)
    return Points(draws.u[rows], mean, variance, failed, draws.round[rows])


def prior_spread(draws: Draws) -> np.ndarray:
    """Return the standard deviation (feature,) over the draws of the prior that are whole, at most
    three robust ones; 1 where a feature does not vary.

    Round 0 and the draws of other studies are draws of the prior.
    """
    rows = int((draws.round <= 0).sum())
    x = np.asarray(draws.x[0:rows], float)
    x = x[np.isfinite(x).all(axis=1)]
    if len(x) < 2:
        raise TooFewSurvivors(
            f"{len(x)} of {rows} draws of the prior have finite features, at least 2 are needed to "
            "scale them. Narrow the priors to where the model is stable, leave out features that "
            "are not defined there, or simulate more draws a round"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.fmin(x.std(axis=0), MOST * robust(x)[1])
    resolution = 1e-9 * np.maximum(np.abs(np.median(x, axis=0)), np.finfo(float).tiny)
    return np.where(spread > resolution, spread, 1.0)


def losses(
    weights: Weights, points: Points, x_observed: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """Return the loss (point,) given features (feature,) and their spread (feature,); infinite
    where no replicate is whole.
    """
    counts = weights.of_columns(len(x_observed))
    distance = (((points.mean - x_observed) / spread) ** 2) @ counts
    unstable = points.failed + (points.variance / spread**2).mean(axis=1)
    pull = (((points.u - 0.5) / UNIT_SD) ** 2).mean(axis=1)
    loss = distance + weights.stability * unstable + weights.prior * pull
    return np.where(np.isfinite(loss), loss, np.inf)
