"""Accuracy of inference against the budget of simulations, on the cases of Virtual Brain Inference.

    python tests/benchmarks/vbi_accuracy.py [--quick] [--cases NAME ...] [--methods NAME ...]
        [--budgets N ...] [--seeds N ...] [--few N] [--minutes M] [--target FOLDER]

Test cases are drawn from the prior. A row is added to vbi.csv as soon as it is measured, and never
measured again: the same command resumes; simulations are kept in vbi/*.npz and shared by methods
and budgets. vbi_c2st.csv says how far posteriors are from those that NPE learns with the largest
budget, vbi_zones.csv how well the Epileptor's zones are found, vbi.png is the picture.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import measure  # sets one thread, before NumPy is loaded
import numpy as np
from engine import TARGET, machine
from inference_rows import append, read
from resumable import asked_for, each
from vbi_cases import CASES, Case
from vbi_figure import draw
from vbi_methods import METHODS, Answers, answer, tests_of
from vbi_pool import TESTS, simulations, warm
from vbi_rows import Apart, Cell, Row, Zones, cell_of
from vbi_zones import judged

from hpcvbi.core.seeds import derive_seed
from hpcvbi.evaluate import c2st, coverage, recovery_z, shrinkage

BUDGETS = (100, 316, 1000, 3162, 10_000)
SAMPLES = 500
"""Posterior draws of each test case."""
COMPARED = 5
"""Test cases of which posteriors are compared with others."""
QUICK = {"budgets": [100], "methods": ["npe"], "minutes": 5.0, "target": TARGET / "quick"}
FULL = {"budgets": list(BUDGETS), "methods": list(METHODS), "minutes": np.inf, "target": TARGET}
assert measure.THREADS


def cells(asked: argparse.Namespace) -> Iterator[Cell]:
    """Cheap ones first, so that what is done when time is up compares all methods."""
    for budget in sorted(asked.budgets):
        for seed in asked.seeds:
            for case in asked.cases:
                for method in asked.methods:
                    # Rounds would have to propose 84 excitabilities, not a region's.
                    if not (CASES[case].regional and METHODS[method].rounds > 1):
                        yield Cell(case, method, budget, seed)


def measured(cell: Cell, folder: Path, until: float, few: int) -> tuple[Answers, float]:
    """Posteriors of the test cases, `few` where the method works anew for each, and the CPU seconds
    of the simulations.
    """
    case, method = CASES[cell.case], METHODS[cell.method]
    pool = simulations(case, "pool", cell.budget // method.rounds, folder, until)
    test = simulations(case, "test", TESTS, folder, until)
    u, x = tests_of(case, test.u, test.x)
    keep = slice(few if method.few else None)
    own = derive_seed("vbi cell", *vars(cell).values())
    found = answer(method, case, (pool.u, pool.x), (u[keep], x[keep]), SAMPLES, own)
    return found, pool.cpu_seconds + found.simulated_for_tests


def scored(cell: Cell, case: Case, found: Answers, simulated: float) -> list[Row]:
    """A row for each parameter."""
    z = np.abs(recovery_z(found.samples, found.truth)).mean(axis=0)
    narrower = shrinkage(found.samples).mean(axis=0)
    error = np.sqrt(np.square(found.samples.mean(axis=1) - found.truth).mean(axis=0))
    inside = coverage(found.samples, found.truth, np.array([0.5, 0.8, 0.9]))
    return [
        Row(*vars(cell).values(), param, len(found.truth), *map(float, numbers),
            found.cpu_seconds, simulated)
        for param, *numbers in zip(case.params, z, narrower, error, *inside, strict=True)
    ]  # fmt: skip


def samples_path(folder: Path, cell: Cell) -> Path:
    """Where posteriors of the first few test cases are kept."""
    return folder / f"posterior_{cell.case}_{cell.method}_{cell.budget}_{cell.seed}.npy"


def compare(target: Path) -> list[Apart]:
    """C2ST of all kept posteriors from NPE's at the largest budget of their case, first seed."""
    path, folder = target / "vbi_c2st.csv", target / "vbi"
    kept = {
        cell: samples_path(folder, cell)
        for cell in dict.fromkeys(cell_of(row) for row in read(target / "vbi.csv", Row))
        if samples_path(folder, cell).exists()
    }
    best: dict[str, Cell] = {}
    for cell in sorted(kept, key=lambda c: (c.budget, -c.seed)):
        if cell.method == "npe":
            best[cell.case] = cell
    known = {(cell_of(row), row.reference) for row in read(path, Apart)}
    for cell in kept:
        reference = best.get(cell.case, cell)
        if cell == reference or (cell, reference.budget) in known:
            continue
        pairs = list(zip(np.load(kept[reference]), np.load(kept[cell]), strict=True))
        found = [c2st(one, two, seed=1).accuracy for one, two in pairs]
        numbers = (reference.budget, len(found), float(np.mean(found)))
        append(path, [Apart(*vars(cell).values(), *numbers)])
    wanted = {(case, cell.budget) for case, cell in best.items()}
    return [row for row in read(path, Apart) if (row.case, row.reference) in wanted]


def table(rows: Sequence[Row], apart: Sequence[Apart], zones: Sequence[Zones]) -> str:
    """What was measured, as text, mean over seeds."""
    far = {cell_of(row): row.c2st for row in apart}
    text = [f"{'case, parameter':24}{'method':12}{'budget':>7}{'tests':>7}{'|z|':>7}{'shrink':>8}"
            f"{'50 %':>7}{'80 %':>7}{'90 %':>7}{'C2ST':>7}{'CPU s':>8}"]  # fmt: skip
    for row in sorted(rows, key=lambda r: (r.case, r.param, r.method, r.budget, r.seed)):
        end = f"{far[cell_of(row)]:7.2f}" if cell_of(row) in far else " " * 7
        text.append(
            f"{row.case + ' ' + row.param:24}{row.method:12}{row.budget:7}{row.tests:7}"
            f"{row.mean_abs_z:7.2f}{row.shrinkage:8.3f}{row.coverage50:7.2f}{row.coverage80:7.2f}"
            f"{row.coverage90:7.2f}{end}{row.cpu_seconds:8.1f}"
        )
    for zone in sorted(zones, key=lambda r: (r.case, r.method, r.budget)):
        text.append(
            f"zones, {zone.case} {zone.method} {zone.budget}: precision and recall "
            f"EZ {zone.ez_precision:.2f} {zone.ez_recall:.2f}, "
            f"PZ {zone.pz_precision:.2f} {zone.pz_recall:.2f}; "
            f"{zone.whole:.0%} of {zone.maps} maps without a mistake"
        )
    return "\n".join(text)


def options(words: Sequence[str] | None) -> argparse.Namespace:
    """What the command line asks for, filled up by the defaults."""
    parser = argparse.ArgumentParser(description="accuracy against the budget of simulations")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS))
    parser.add_argument("--budgets", nargs="+", type=int)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument(
        "--few", type=int, default=5, help="test cases of methods that work anew for each"
    )
    return asked_for(parser, words, QUICK, FULL)


def measure_cell(cell: Cell, target: Path, until: float, few: int) -> None:
    """Measure a cell and write what was found."""
    folder = target / "vbi"
    found, simulated = measured(cell, folder, until, few)
    case = CASES[cell.case]
    np.save(samples_path(folder, cell), found.samples[:COMPARED].astype(np.float32))
    if case.regional and found.ask and not METHODS[cell.method].few:
        append(target / "vbi_zones.csv", [judged(cell, found.ask, folder)])
    rows = scored(cell, case, found, simulated)
    append(target / "vbi.csv", rows)
    for row in rows:
        print(
            f"{cell.case} {row.param}, {cell.method}, {cell.budget} simulations: |z| "
            f"{row.mean_abs_z:.2f}, shrinkage {row.shrinkage:.3f}, {row.cpu_seconds:.1f} CPU s",
            flush=True,
        )


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is not measured yet, print, draw."""
    asked = options(words)
    path, end = asked.target / "vbi.csv", time.monotonic() + 60 * asked.minutes
    warmed: set[str] = set()

    def known(cell: Cell) -> bool:
        return cell in {cell_of(row) for row in read(path, Row)}

    def add(cell: Cell) -> None:
        if cell.case not in warmed:
            warm(CASES[cell.case])
            warmed.add(cell.case)
        measure_cell(cell, asked.target, end, asked.few)

    failed = each(cells(asked), known, add, end)
    rows, apart = read(path, Row), compare(asked.target)
    zones = read(asked.target / "vbi_zones.csv", Zones)
    print(table(rows, apart, zones))
    draw(rows, apart, zones, machine(), asked.target / "vbi.png")
    print(f"written to {asked.target}: vbi.csv, vbi_c2st.csv, vbi_zones.csv, vbi.png")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
