"""What is learned from: simulated draws with their features, in memory or in the store.

A draw whose simulation failed has NaN among its features; learning conditions on its absence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hpcvbi.core.errors import ConfigError

CHUNK = 8192
"""Rows looked at together; of 100 features they take 6.5 MB."""
ELSEWHERE = -1
"""Round of draws of the prior that another study has simulated."""


class Rows(Protocol):
    """A matrix that need not fit into memory: rows are read where they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        ...

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Return some rows."""
        ...


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws `u` (draw, param) of the unit cube, features `x` (draw, feature), and in which `round`
    (draw,) each was proposed.
    """

    u: np.ndarray
    x: Rows
    round: np.ndarray

    def __post_init__(self) -> None:
        if self.u.ndim != 2 or len(self.x.shape) != 2 or len(self.u) != self.x.shape[0]:
            raise ConfigError(
                "u must have shape (draw, param) and x (draw, feature), got "
                f"{self.u.shape} and {self.x.shape}"
            )
        if not ((self.u >= 0) & (self.u <= 1)).all():
            raise ConfigError("u must lie in the unit cube: map draws with Space.to_unit")

    def __len__(self) -> int:
        return len(self.u)

    @classmethod
    def of(cls, u: np.ndarray, x: Rows, round: int = 0) -> "Draws":
        """Return the draws of one round."""
        u = np.asarray(u, float)
        return cls(u, x, np.full(len(u), round, np.int64))

    @classmethod
    def join(cls, parts: Sequence["Draws"]) -> "Draws":
        """Return the draws of several rounds, in their order."""
        xs = [part.x for part in parts]
        whole = [x for x in xs if isinstance(x, np.ndarray)]
        return cls(
            np.concatenate([part.u for part in parts]),
            np.concatenate(whole) if len(whole) == len(xs) else Stacked(tuple(xs)),
            np.concatenate([part.round for part in parts]),
        )

    @property
    def whole(self) -> np.ndarray:
        """Which draws (draw,) have finite features only."""
        found = np.empty(len(self), bool)
        for start in range(0, len(self), CHUNK):
            rows = slice(start, start + CHUNK)
            found[rows] = np.isfinite(self.x[rows]).all(axis=1)
        return found

    def finite(self) -> "Draws":
        """Return the draws that have finite features only, in memory."""
        x = np.asarray(self.x[0 : len(self)], float)
        keep = np.isfinite(x).all(axis=1)
        return Draws(self.u[keep], x[keep], self.round[keep])


@dataclass(frozen=True, eq=False)
class Stacked:
    """Several matrices of equal width, one below the other."""

    parts: tuple[Rows, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return sum(part.shape[0] for part in self.parts), self.parts[0].shape[1]

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Return some rows, in steps of one."""
        start, stop, _ = rows.indices(self.shape[0])
        found, first = [], 0
        for part in self.parts:
            end = first + part.shape[0]
            if start < end and first < stop:
                found.append(part[max(start, first) - first : min(stop, end) - first])
            first = end
        return np.concatenate(found) if found else np.empty((0, self.shape[1]))


@dataclass(frozen=True, eq=False)
class Masked:
    """A matrix with NaN in the rows that do not `hold` (row,)."""

    rows: Rows
    hold: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.rows.shape

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Return some rows."""
        return np.where(self.hold[rows, None], self.rows[rows], np.nan)
