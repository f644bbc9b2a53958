"""Accuracy of inference against the budget of simulations, where the posterior is known.

    python tests/benchmarks/inference.py [--quick] [--tasks NAME ...] [--methods NAME ...]
        [--budgets N ...] [--observations N ...] [--seeds N ...] [--minutes M] [--samples N]
        [--target FOLDER]

A row is added to inference.csv as soon as it is measured, and never measured again: the same
command resumes. Several may run at once on different tasks. The linear brain's means and widths
against the exact ones go to inference_ou.csv. CPU seconds hold simulating, learning
and sampling, not the C2ST.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import measure  # sets one thread, before NumPy is loaded
import numpy as np
from engine import TARGET, machine
from inference_figure import draw, line
from inference_methods import BUDGETS, METHODS, run
from inference_rows import Cell, Moments, Row, append, read
from resumable import asked_for, each
from tasks import TASKS, Task
from tasks.linear_posterior import LINEAR_BRAIN, MadeUp, given_features, given_recording

from hpcvbi.evaluate import c2st

QUICK = {
    "tasks": ["linear_brain"],
    "budgets": [1000],
    "observations": [1],
    "seeds": [1],
    "samples": 1000,
    "minutes": 4.0,
    "target": TARGET / "quick",
}
FULL = {
    "tasks": list(TASKS),
    "budgets": list(BUDGETS),
    "observations": [1, 2, 3],
    "seeds": [1],
    "samples": 10_000,
    "minutes": np.inf,
    "target": TARGET,
}
assert measure.THREADS


@cache
def reference_of(task: str, number: int) -> np.ndarray:
    """Reference samples, kept."""
    return TASKS[task].known.samples(number)


@cache
def exact_of(number: int) -> tuple[np.ndarray, ...]:
    """Mean and sd of the linear brain given features, and given the recording; unit cube."""
    known = MadeUp(LINEAR_BRAIN)
    grids = (
        given_features(LINEAR_BRAIN, known.observation(number)),
        given_recording(LINEAR_BRAIN, known.recording(number)),
    )
    return tuple(part for grid in grids for part in (grid.mean, grid.sd))


def moments(cell: Cell, samples: np.ndarray) -> list[Moments]:
    """Return a row for each parameter of the linear brain."""
    u = LINEAR_BRAIN.prior.unit(samples)
    mean, sd, mean_recording, sd_recording = exact_of(cell.observation)
    found, width = u.mean(axis=0), u.std(axis=0)
    columns = zip(
        (found - mean) / sd,
        width / sd,
        (found - mean_recording) / sd_recording,
        width / sd_recording,
        strict=True,
    )
    params = ("g", "sigma", "tau")[: LINEAR_BRAIN.n_params]
    names = vars(cell).values()
    return [Moments(*names, p, *map(float, c)) for p, c in zip(params, columns, strict=True)]


def cells(asked: argparse.Namespace) -> Iterator[Cell]:
    """Cheap ones first, so that what is done when time is up compares all methods."""
    for budget in sorted(asked.budgets):
        for seed in asked.seeds:
            for observation in asked.observations:
                for task in asked.tasks:
                    for method in asked.methods:
                        yield Cell(task, observation, method, budget, seed)


def measured(cell: Cell, samples: int) -> tuple[Row, list[Moments]]:
    """Infer and compare."""
    task: Task = TASKS[cell.task]
    reference = reference_of(cell.task, cell.observation)[:samples]
    found, took = run(cell.method, task, cell.observation, cell.budget, cell.seed, samples)
    row = Row(*vars(cell).values(), c2st(reference, found, seed=1).accuracy, took)
    return row, moments(cell, found) if cell.task == "linear_brain" else []


def table(rows: Sequence[Row]) -> str:
    """Median C2ST in Markdown: a table for each budget, a row for each method."""
    names = [name for name in TASKS if any(row.task == name for row in rows)]
    text = []
    for budget in sorted({row.budget for row in rows}):
        here = [row for row in rows if row.budget == budget]
        text += [f"\nC2ST after {budget} simulations\n"]
        text += ["| | " + " | ".join(name.replace("_", " ") for name in names) + " |"]
        text += ["|---" * (len(names) + 1) + "|"]
        for method in (name for name in METHODS if any(row.method == name for row in here)):
            ends = (line(here, name, method)[1] for name in names)
            cells = (f"{found[0]:.2f}".removeprefix("0") if found else "" for found in ends)
            text += [f"| {method} | " + " | ".join(cells) + " |"]
    return "\n".join(text)


def warm_up() -> None:
    """Import what methods import lazily, so that no cell is charged for it."""
    import pyabc
    import sbi.inference
    import sbi.neural_nets.net_builders

    assert pyabc and sbi


def options(words: Sequence[str] | None) -> argparse.Namespace:
    """What the command line asks for, filled up by the defaults."""
    parser = argparse.ArgumentParser(description="C2ST against the budget of simulations")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--budgets", nargs="+", type=int)
    parser.add_argument("--observations", nargs="+", type=int, help="from 1 to 10")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--samples", type=int, help="of each posterior, at most 10000")
    return asked_for(parser, words, QUICK, FULL)


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is not measured yet, print, draw."""
    asked = options(words)
    path, end = asked.target / "inference.csv", time.monotonic() + 60 * asked.minutes
    warm_up()

    def known(cell: Cell) -> bool:
        return cell in {row.cell for row in read(path)}

    def add(cell: Cell) -> None:
        row, parts = measured(cell, asked.samples)
        if parts:
            append(asked.target / "inference_ou.csv", parts)
        append(path, [row])
        print(f"{cell}\n  C2ST {row.c2st:.3f}, {row.cpu_seconds:.1f} CPU s", flush=True)

    failed = each(cells(asked), known, add, end)
    rows = read(path)
    print(table(rows))
    draw(rows, machine(), asked.target / "inference.png")
    print(f"written to {asked.target}: inference.csv, inference_ou.csv, inference.png")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
