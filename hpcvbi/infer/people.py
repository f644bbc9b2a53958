"""People whom a network was learned from, as their covariates tell: what the network is told of
each, and how unlike them another person is.

It is told the first principal components of standardised covariates, for some dozens of people do
not show what each of many correlated covariates does, and a network makes something of each. Of 60
made-up connectomes with 18 covariates (100 draws each, a linear network of 40 regions), posterior
means of other people were off by .88 exact standard deviations, without covariates by .54, with 2,
4 or 8 components by .31 to .39.

The distance of a person is that to the nearest of the others by standardised covariates, ranked
among the same distance of all: p is the share, the person included, whose nearest is as far. For a
person drawn like the others P(p <= a) <= a, whatever the distribution (conformal prediction). p is
never below 1 / (people + 1), so that few people say little.

Vovk, Gammerman & Shafer (2005), Algorithmic learning in a random world, DOI 10.1007/b106715.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from hpcvbi.core.errors import ConfigError

UNLIKELY = 0.05
ROUNDING = 1e-9
"""Relative difference up to which numbers count as equal."""


@dataclass(frozen=True, eq=False)
class People:
    """Covariates (person, covariate), and the principal `axes` (component, covariate) of what
    varies among them in standard deviations.
    """

    covariates: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, covariates: np.ndarray, components: int) -> "People":
        """Find the first principal axes, as many as asked for and there are; those along which
        nothing but rounding varies are zero, for a network sees what varies at unit variance.
        """
        z = _standardised(covariates, covariates)
        _, spread, axes = np.linalg.svd(z, full_matrices=False)
        axes[spread <= ROUNDING * spread[0]] = 0.0
        axes = axes[: min(components, len(covariates))]
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
        return cls(covariates, axes * np.where(largest < 0, -1.0, 1.0))

    def told(self, covariates: np.ndarray) -> np.ndarray:
        """Return what the network is told of a person with these covariates, (component,)."""
        covariates = vector(covariates)
        if len(covariates) != self.covariates.shape[1]:
            raise ConfigError(
                f"there are {self.covariates.shape[1]} covariates, got {len(covariates)}"
            )
        return self.axes @ _standardised(covariates, self.covariates)

    def distance(self, covariates: np.ndarray) -> tuple[float, float]:
        """Return the distance of another person to the nearest, and its p."""
        apart = _nearest(np.vstack([self.covariates, covariates]))
        return float(apart[-1]), float(_shares(apart)[-1])

    def likeness(self) -> list[float]:
        """Return the p of each person's distance to the others."""
        return [1.0] if len(self.covariates) == 1 else _shares(_nearest(self.covariates)).tolist()

    def beyond(self, covariates: np.ndarray) -> np.ndarray:
        """Which covariates lie beyond everybody's."""
        low, high = self.covariates.min(axis=0), self.covariates.max(axis=0)
        return (covariates < low) | (covariates > high)

    def differ(self, covariates: np.ndarray) -> np.ndarray:
        """Which covariates differ from the one value that everybody has."""
        rounding = _rounding(self.covariates)
        same = np.ptp(self.covariates, axis=0) <= rounding
        return same & (np.abs(covariates - self.covariates.mean(axis=0)) > rounding)


def vector(covariates: np.ndarray) -> np.ndarray:
    """Return covariates as floats; ConfigError unless they are a vector of finite numbers."""
    covariates = np.asarray(covariates, float)
    if covariates.ndim != 1 or not np.isfinite(covariates).all():
        raise ConfigError(f"covariates must be a vector of finite numbers, got {covariates!r}")
    return covariates


@dataclass(frozen=True, eq=False)
class Place:
    """Where a person lies among those learned from.

    `distance` to the nearest of them, in standard deviations of covariates; its `p`; the covariates
    that lie `beyond` all of theirs (covariate,), and those that `differ` from the one value that
    all of them share; and the features, then components, that the network sees `clipped` (feature +
    component,), for they lie outside all it has seen.
    """

    distance: float
    p: float
    people: int
    beyond: np.ndarray
    differ: np.ndarray
    clipped: np.ndarray

    @property
    def unlike(self) -> bool:
        """Whether the posterior is an extrapolation as far as one can tell: the distance is rarer
        than 5 %, or where there are too few people to say so, the largest of all; or something
        differs here of which the network knows one value only.
        """
        return bool(self.differ.any()) or self.p <= max(UNLIKELY, 1.0 / (self.people + 1))

    def warning(self) -> str:
        """Say so in words; empty where there is nothing to warn of."""
        if not self.unlike:
            return ""
        why = (
            f"{int(self.differ.sum())} of the person's covariates differ from the one value that "
            f"all {self.people} people have that the network learned from"
            if self.differ.any()
            else f"the person's covariates lie {self.distance:.2g} standard deviations from the "
            f"nearest of the {self.people} people that the network learned from (by chance as far: "
            f"{self.p:.2g} of people like these)"
        )
        return (
            f"{why}: the posterior extrapolates. Learn from draws of this person as well, in a "
            "study of all under another output"
        )


def _nearest(covariates: np.ndarray) -> np.ndarray:
    """Distance (person,) to the nearest other person, by covariates (person, covariate) over their
    standard deviations; what differs by no more than rounding counts as equal.
    """
    z = _standardised(covariates, covariates)
    apart = cdist(z, z)
    np.fill_diagonal(apart, np.inf)
    return apart.min(axis=1)


def _rounding(covariates: np.ndarray) -> np.ndarray:
    """By how much values of each covariate (covariate,) may differ and count as equal."""
    return ROUNDING * np.maximum(np.abs(covariates).max(axis=0), np.finfo(float).tiny)


def _shares(distance: np.ndarray) -> np.ndarray:
    """Share of people (person,) whose distance is as large as each one's."""
    return (distance[None] >= distance[:, None]).mean(axis=1)


def _standardised(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Values (..., covariate) by mean and spread of `by` (person, covariate); 0 where that does not
    vary.
    """
    center, sd = by.mean(axis=0), by.std(axis=0)
    varied = sd > _rounding(by)
    return np.where(varied, values - center, 0.0) / np.where(varied, sd, 1.0)
