"""Simulation-based calibration of every method on the linear whole-brain model.

    python tests/benchmarks/inference_calibration.py [--quick] [--methods NAME ...]
        [--budgets N ...] [--seeds N ...] [--cases N] [--minutes M] [--target FOLDER]

A method that holds for any data learns once and answers all cases; one that aims at a recording
learns anew for each, and is given `--cases` of them. Answers are added to inference_sbc_cases.csv
as they come, and never asked for again: the same command resumes. inference_sbc.csv sums them up;
its columns are those of `Summary`.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import measure  # sets one thread, before NumPy is loaded
import numpy as np
from engine import TARGET
from inference import warm_up
from inference_methods import SETTINGS, algorithm
from inference_rows import append, read
from linear_cases import (
    SHORT_BRAIN,
    Cases,
    answered_at_once,
    answered_one_by_one,
    calibration,
    compared,
    prior_cases,
)
from resumable import asked_for, each
from tasks.linear_posterior import LINEAR_BRAIN

from hpcvbi.core.seeds import derive_seed

PARAMS = ("g", "sigma")
ANY = 200
"""Cases of a method that learns once."""
Way = Callable[[Any, Cases, int, int], Iterator[tuple[np.ndarray, float]]]
WAYS: dict[str, Way] = {
    **dict.fromkeys(SETTINGS, answered_at_once),
    **dict.fromkeys(("tsnpe", "apt", "abc_smc"), answered_one_by_one),
}
"""How each method is asked; nle and nre have one round, and hold for any data."""
QUICK = {
    "methods": ["npe", "rejection", "abc_smc"],
    "budgets": [1000],
    "seeds": [1],
    "cases": 3,
    "minutes": 1.0,
    "target": TARGET / "quick",
}
FULL = {
    "methods": list(WAYS),
    "budgets": [1000, 3162, 10_000],
    "seeds": [1],
    "cases": 40,
    "minutes": np.inf,
    "target": TARGET,
}
assert measure.THREADS


@dataclass(frozen=True)
class Cell:
    """What is learned by a method with a budget."""

    method: str
    budget: int
    seed: int


@dataclass(frozen=True)
class Answer(Cell):
    """One parameter of one case; see `linear_cases.Compared`."""

    case: int
    param: str
    rank: int
    z: float
    error: float
    width: float
    cpu_seconds: float


@dataclass(frozen=True)
class Summary(Cell):
    """All cases of a parameter: `p` of the ranks' whole ECDF, its `deviation`, 1 being the least
    that leaves the 95 % band; shares of truths in central intervals; mean and root mean square of z
    = (mean - truth) / sd, 0 and about 1 where calibrated; root mean square `error` of the mean in
    exact standard deviations, mean and median of the width over the exact one; CPU seconds of all
    cases.
    """

    cases: int
    param: str
    p: float
    deviation: float
    coverage50: float
    coverage80: float
    coverage90: float
    mean_z: float
    rms_z: float
    rms_error: float
    width_ratio: float
    median_width_ratio: float
    cpu_seconds: float


def settings(cell: Cell) -> Any:
    """Return the algorithm of a cell; one that learns once does so in one round."""
    chosen = algorithm(cell.method, cell.budget)
    once = WAYS[cell.method] is answered_at_once
    return replace(chosen, rounds=1, draws=cell.budget) if once else chosen


def answers(cell: Cell, cases: Cases, first: int) -> Iterator[list[Answer]]:
    """Ask for the cases from `first` on; yield a row for each case and parameter."""
    own = derive_seed("calibration of methods", cell.method, cell.budget, cell.seed)
    for drawn, took in WAYS[cell.method](settings(cell), cases, own, first):
        found = compared(drawn, cases.some(slice(first, first + len(drawn))))
        rows = []
        for case, param in np.ndindex(found.rank.shape):
            of = (part[case, param].item() for part in vars(found).values())
            rows.append(Answer(*vars(cell).values(), first + case, PARAMS[param], *of, took))
        first += len(drawn)
        yield rows


def summed_up(rows: Sequence[Answer]) -> list[Summary]:
    """Sum up the answers of each cell."""
    found = []
    for cell in dict.fromkeys(Cell(row.method, row.budget, row.seed) for row in rows):
        for param in PARAMS:
            of = [r for r in rows if Cell(r.method, r.budget, r.seed) == cell and r.param == param]
            ranks = calibration(np.array([[row.rank] for row in of]))
            z, error, width = (
                np.array([getattr(row, name) for row in of]) for name in ("z", "error", "width")
            )
            numbers = (
                ranks.p[0], ranks.deviation[0], *ranks.held[:, 0], z.mean(), _rms(z), _rms(error),
                width.mean(), np.median(width), sum(row.cpu_seconds for row in of),
            )  # fmt: skip
            found.append(Summary(*vars(cell).values(), len(of), param, *map(float, numbers)))
    return found


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def table(rows: Sequence[Summary]) -> str:
    """A line for each row."""
    names = ["p", "dev", "50%", "80%", "90%", "z", "rms-z", "error", "width"]
    text = [f"{'method':10} {'budget':>6} cases {'':5}" + "".join(f"{n:>7}" for n in names)]
    for r in rows:
        numbers = (r.p, r.deviation, r.coverage50, r.coverage80, r.coverage90)
        numbers += (r.mean_z, r.rms_z, r.rms_error, r.median_width_ratio)
        ends = "".join(f"{number:7.3f}" for number in numbers)
        text.append(f"{r.method:10} {r.budget:6} {r.cases:5} {r.param:5}{ends}")
    return "\n".join(text)


def options(words: Sequence[str] | None) -> argparse.Namespace:
    """What the command line asks for, filled up by the defaults."""
    parser = argparse.ArgumentParser(description="simulation-based calibration of every method")
    parser.add_argument("--methods", nargs="+", choices=list(WAYS))
    parser.add_argument("--budgets", nargs="+", type=int)
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--cases", type=int, help="of methods that learn anew for each")
    return asked_for(parser, words, QUICK, FULL)


def main(words: Sequence[str] | None = None) -> int:
    """Ask what is not answered yet, sum up, print."""
    asked = options(words)
    path, end = asked.target / "inference_sbc_cases.csv", time.monotonic() + 60 * asked.minutes
    warm_up()
    brain = prior_cases(SHORT_BRAIN if asked.quick else LINEAR_BRAIN, ANY, seed=1)

    def wanted(cell: Cell) -> Cases:
        return brain.some(slice(ANY if WAYS[cell.method] is answered_at_once else asked.cases))

    def answered(cell: Cell) -> int:
        of = (Cell(row.method, row.budget, row.seed) for row in read(path, Answer))
        return sum(other == cell for other in of) // len(PARAMS)

    def known(cell: Cell) -> bool:
        return answered(cell) >= len(wanted(cell).x)

    def add(cell: Cell) -> None:
        for rows in answers(cell, wanted(cell), answered(cell)):
            append(path, rows)
            if time.monotonic() > end and not known(cell):
                raise TimeoutError(f"within {cell}")

    every = (Cell(m, b, s) for b in asked.budgets for s in asked.seeds for m in asked.methods)
    failed = each(every, known, add, end)
    found = summed_up(read(path, Answer))
    if found:
        summary = asked.target / "inference_sbc.csv"
        summary.unlink(missing_ok=True)
        append(summary, found)
        print(table(found))
    print(f"written to {asked.target}: inference_sbc.csv, inference_sbc_cases.csv")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
