"""Mini-batches of scaled draws: from memory, or from rows that are read where they are needed.

    in memory   every epoch a random order of all rows
    streamed    every epoch a random order of chunks; some are read together and their rows mixed,
                so that memory does not grow with the number of draws

Both hold out the same share of random rows, on which no step is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hpcvbi.infer.coordinates import to_real
from hpcvbi.infer.draws import CHUNK, Draws, Rows
from hpcvbi.infer.scaling import Scaling

MIXED = 8
"""Chunks that are in memory at a time."""
SAMPLE = 32_768
"""Rows that scaling is chosen from, where there are more."""


class Batches(Protocol):
    """What a fit goes through; each item is a pair (z, x) of float32 tensors on its device."""

    def epoch(self, size: int) -> Iterator[tuple[Any, Any]]:
        """Yield all rows but the held-out ones, `size` at a time, in random order."""
        ...

    def held_out(self) -> Iterator[tuple[Any, Any]]:
        """Yield the held-out rows."""
        ...


class Table(Protocol):
    """Scaled parameters and features to be learned from."""

    @property
    def rows(self) -> int:
        """How many there are."""
        ...

    def batches(self, torch: Any, device: Any, share: float) -> Batches:
        """Return batches that hold out a share of the rows."""
        ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """Scaled parameters `z` (row, param) and features `x` (row, feature)."""

    z: np.ndarray
    x: np.ndarray

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.z)

    def batches(self, torch: Any, device: Any, share: float) -> "_Shuffled":
        """Return batches that hold out a share of the rows."""
        return _Shuffled(torch, device, self, share)


class _Shuffled:
    def __init__(self, torch: Any, device: Any, table: InMemory, share: float) -> None:
        self.torch, self.device = torch, device
        self.z = torch.tensor(table.z, dtype=torch.float32, device=device)
        self.x = torch.tensor(table.x, dtype=torch.float32, device=device)
        order = torch.randperm(table.rows)
        held = max(1, round(share * table.rows))
        self.check, self.learn = order[:held].to(device), order[held:]

    def epoch(self, size: int) -> Iterator[tuple[Any, Any]]:
        order = self.learn[self.torch.randperm(len(self.learn))].to(self.device)
        for rows in order.split(size):
            yield self.z[rows], self.x[rows]

    def held_out(self) -> Iterator[tuple[Any, Any]]:
        for rows in self.check.split(CHUNK):
            yield self.z[rows], self.x[rows]


@dataclass(frozen=True, eq=False)
class Streamed:
    """Draws that are scaled when they are read, without those that are not `whole` (draw,)."""

    u: np.ndarray
    x: Rows
    whole: np.ndarray
    u_center: np.ndarray
    u_scale: np.ndarray
    scaling: Scaling

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.whole.sum())

    def batches(self, torch: Any, device: Any, share: float) -> "_Mixed":
        """Return batches that hold out a share of the rows."""
        return _Mixed(torch, device, self, share)


class _Mixed:
    def __init__(self, torch: Any, device: Any, table: Streamed, share: float) -> None:
        self.torch, self.device, self.table = torch, device, table
        drawn = torch.rand(len(table.u)).numpy() < share
        drawn[np.flatnonzero(table.whole)[0]] = True  # a share of few rows may be none
        self.check, self.learn = table.whole & drawn, table.whole & ~drawn
        self.chunks = -(-len(table.u) // CHUNK)

    def epoch(self, size: int) -> Iterator[tuple[Any, Any]]:
        for group in self.torch.randperm(self.chunks).split(MIXED):
            parts = [self._read(int(chunk), self.learn) for chunk in group]
            z, x = (self.torch.cat(part) for part in zip(*parts, strict=True))
            del parts
            order = self.torch.randperm(len(z)).to(self.device)
            for start in range(0, len(z), size):  # none where all the group's rows are left out
                rows = order[start : start + size]
                yield z[rows], x[rows]
            del z, x  # before as much is read again

    def held_out(self) -> Iterator[tuple[Any, Any]]:
        for chunk in range(self.chunks):
            if self.check[chunk * CHUNK : (chunk + 1) * CHUNK].any():
                yield self._read(chunk, self.check)

    def _read(self, chunk: int, keep: np.ndarray) -> tuple[Any, Any]:
        rows, torch = slice(chunk * CHUNK, (chunk + 1) * CHUNK), self.torch
        some, table = keep[rows], self.table
        z = (table.u[rows][some] - table.u_center) / table.u_scale
        x = table.scaling.apply(np.asarray(table.x[rows], float)[some])
        return (
            torch.tensor(z, dtype=torch.float32, device=self.device),
            torch.tensor(x, dtype=torch.float32, device=self.device),
        )


def table_of(
    draws: Draws,
    whole: np.ndarray,
    center: np.ndarray,
    scale: np.ndarray,
    scaling: Scaling,
    marks: np.ndarray,
) -> Table:
    """Return the `whole` draws (draw,), streamed where their features are not in memory; `marks`
    (draw, mark) follow the parameters as they are.
    """
    none, one = np.zeros(marks.shape[1]), np.ones(marks.shape[1])
    center, scale = np.append(center, none), np.append(scale, one)
    w = np.hstack([to_real(draws.u), marks])
    if not isinstance(draws.x, np.ndarray):
        return Streamed(w, draws.x, whole, center, scale, scaling)
    return InMemory((w[whole] - center) / scale, scaling.apply(draws.x[whole]))


def sample_of(
    draws: Draws, whole: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return `u` (row, param) and features (row, feature) of whole draws: all, or `SAMPLE` random
    ones. Neighbours would not do, for a cohort's people lie one below the other.
    """
    chunks, u, x = rng.permutation(-(-len(draws) // CHUNK)), [], []
    if (rows := np.flatnonzero(whole)).size > SAMPLE:
        whole = np.zeros_like(whole)
        whole[rng.choice(rows, SAMPLE, replace=False)] = True
    for chunk in chunks:
        part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        u.append(draws.u[part][whole[part]])
        x.append(np.asarray(draws.x[part], float)[whole[part]])
    return np.concatenate(u), np.concatenate(x)
