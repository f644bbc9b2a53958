"""The rows of the benchmark of inference: written one by one, read again to resume."""

import csv
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cell:
    """What is measured once."""

    task: str
    observation: int
    method: str
    budget: int
    seed: int


@dataclass(frozen=True)
class Row(Cell):
    """How well the posterior was found: C2ST against the reference, 0.5 best, 1 worst."""

    c2st: float
    cpu_seconds: float

    @property
    def cell(self) -> Cell:
        return Cell(*astuple(self)[: len(fields(Cell))])


@dataclass(frozen=True)
class Moments(Cell):
    """Mean and sd of a parameter of the linear brain: `mean_error` is the mean less the exact one,
    in exact sd; `sd_ratio` is over the exact sd. Exact given the features, then given the whole
    recording, where an inference from features can only be wider.
    """

    param: str
    mean_error: float
    sd_ratio: float
    mean_error_recording: float
    sd_ratio_recording: float


def read(path: Path, kind: type[Any] = Row) -> list[Any]:
    """Return the rows of a file; one that was cut short while it was written is left out."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    casts = [field.type for field in fields(kind)]
    table = csv.DictReader(whole.splitlines())
    return [
        kind(*(cast(row[f.name]) for cast, f in zip(casts, fields(kind), strict=True)))
        for row in table
    ]


def append(path: Path, rows: Sequence[Any]) -> None:
    """Add rows to a file, which other processes may add to as well."""
    names = ",".join(field.name for field in fields(rows[0]))
    lines = [",".join(_text(value) for value in astuple(row)) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or not path.stat().st_size:
        lines.insert(0, names)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, ("\n".join(lines) + "\n").encode())
        os.fsync(file)
    finally:
        os.close(file)


def _text(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
