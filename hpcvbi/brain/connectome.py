"""The structural connectome: regions, weights and tract lengths.

`weights[to, from]` is the strength of the connection that ends in `to`; `lengths[to, from]` is its
length in mm. A signal needs length / speed milliseconds [mm / (mm/ms)] along it.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hpcvbi.core.errors import ConfigError, DataError

Normalisation = Literal["spectral_radius", "max", "none"]
Rounding = Literal["floor", "round"]


@dataclass(frozen=True, eq=False)
class Connectome:
    """Regions and their connections.

    Parameters
    ----------
    weights : (to, from) dimensionless, finite.
    lengths : (to, from) [mm], finite, not negative.
    labels : one distinct name per region.
    """

    weights: np.ndarray
    lengths: np.ndarray
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("weights", "lengths"):
            array = np.array(getattr(self, name), dtype=float)
            if array.ndim != 2 or array.shape[0] != array.shape[1]:
                raise DataError(f"{name} must be square (to, from), got shape {array.shape}")
            if not np.isfinite(array).all():
                row, column = np.argwhere(~np.isfinite(array))[0]
                raise DataError(
                    f"{name}[{row}, {column}] is {array[row, column]}, not a finite number"
                )
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "labels", tuple(self.labels))
        if self.lengths.shape != self.weights.shape:
            raise DataError(f"weights {self.weights.shape} and lengths {self.lengths.shape} differ")
        if (self.lengths < 0).any():
            row, column = np.argwhere(self.lengths < 0)[0]
            raise DataError(
                f"lengths[{row}, {column}] = {self.lengths[row, column]:g} mm is negative"
            )
        if len(self.labels) != len(self.weights):
            raise DataError(f"{len(self.labels)} labels for {len(self.weights)} regions")
        if len(set(self.labels)) != len(self.labels):
            raise DataError("region labels must be distinct")

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.labels)

    @property
    def strength(self) -> np.ndarray:
        """Sum of incoming weights per region, shape (region,)."""
        return self.weights.sum(axis=1)

    def symmetrised(self) -> "Connectome":
        """Return the mean of both directions, weights and lengths alike."""
        return replace(
            self,
            weights=(self.weights + self.weights.T) / 2,
            lengths=(self.lengths + self.lengths.T) / 2,
        )

    def without_self_connections(self) -> "Connectome":
        """Return a copy with a zero diagonal."""
        weights = self.weights.copy()
        np.fill_diagonal(weights, 0.0)
        return replace(self, weights=weights)

    def normalised(self, by: Normalisation) -> "Connectome":
        """Divide all weights by their spectral radius, by their maximum, or leave them."""
        if by == "none":
            return self
        if by == "max":
            scale = float(np.abs(self.weights).max())
        elif by == "spectral_radius":
            scale = float(np.abs(np.linalg.eigvals(self.weights)).max())
        else:
            raise ConfigError(f"normalise must be spectral_radius, max or none, got {by!r}")
        if scale == 0.0:
            raise DataError(
                f"cannot normalise by {by}: it is zero, the connectome has no connections"
            )
        return replace(self, weights=self.weights / scale)

    def subset(self, regions: np.ndarray) -> "Connectome":
        """Return the connectome of these region indices, in their order."""
        grid = np.ix_(regions, regions)
        labels = tuple(self.labels[i] for i in regions)
        return Connectome(self.weights[grid], self.lengths[grid], labels)

    def delays(self, speed: float | None, dt: float, rounding: Rounding = "floor") -> np.ndarray:
        """Delays in steps of `dt` [ms] at `speed` [mm/ms], shape (to, from); None is an infinite
        speed.

        `floor` never lets a signal arrive late by rounding; `round` (half to even) is the rule of
        The Virtual Brain.
        """
        if rounding not in ("floor", "round"):
            raise ConfigError(f"rounding must be floor or round, got {rounding!r}")
        if speed is None:
            return np.zeros(self.weights.shape, np.int64)
        if not speed > 0:
            raise ConfigError(f"conduction speed must be positive [mm/ms], got {speed}")
        steps = self.lengths / speed / dt
        return (np.rint(steps) if rounding == "round" else np.floor(steps)).astype(np.int64)
