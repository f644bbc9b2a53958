"""The rows of the benchmark's files: appended one by one, read again to resume."""

import csv
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cell:
    """What is measured once."""

    case: str
    method: str
    budget: int
    seed: int


@dataclass(frozen=True)
class Row(Cell):
    """How good the posteriors of a parameter are, over `tests` test cases drawn from the prior.

    `mean_abs_z` of |posterior mean − truth| / posterior sd (.8 if Gaussian and calibrated);
    `shrinkage` is 1 − posterior variance / prior variance, mean over tests; coverage of the central
    intervals; CPU seconds of learning and sampling, and of simulating what was learned from.
    """

    param: str
    tests: int
    mean_abs_z: float
    shrinkage: float
    error: float
    coverage50: float
    coverage80: float
    coverage90: float
    cpu_seconds: float
    simulation_cpu_seconds: float


@dataclass(frozen=True)
class Apart(Cell):
    """C2ST of a method's posteriors from those that NPE learned with `reference` simulations, mean
    over `tests`; .5 if none can be told apart, 1 if all can.
    """

    reference: int
    tests: int
    c2st: float


@dataclass(frozen=True)
class Zones(Cell):
    """Precision and recall of epileptogenic (ez) and propagation (pz) zones over random maps, and
    the share of maps without a single mistake.
    """

    maps: int
    ez_precision: float
    ez_recall: float
    pz_precision: float
    pz_recall: float
    whole: float


def cell_of(row: Cell) -> Cell:
    """What a row belongs to."""
    return Cell(row.case, row.method, row.budget, row.seed)


def read(path: Path, kind: type[Any] = Row) -> list[Any]:
    """Return the rows of a file; one that was cut short while it was written is left out."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    columns = [(field.name, field.type) for field in fields(kind)]
    table = csv.DictReader(whole.splitlines())
    return [kind(*(cast(row[name]) for name, cast in columns)) for row in table]


def append(path: Path, rows: Sequence[Any]) -> None:
    """Add rows to a file at once, which other processes may add to as well."""
    lines = [",".join(_text(value) for value in astuple(row)) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or not path.stat().st_size:
        lines.insert(0, ",".join(field.name for field in fields(rows[0])))
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, ("\n".join(lines) + "\n").encode())
        os.fsync(file)
    finally:
        os.close(file)


def _text(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
