"""Tables of what a choice between models found, for the terminal and for files: of the models, and
of each model's parameters.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from hpcvbi.campaign import ModelPosterior, Verdict
from hpcvbi.evaluate.bayes_factors import NOT_SUFFICIENT
from hpcvbi.store import storage_faults
from hpcvbi.store.durable import write_durably

Posteriors = Mapping[str, Mapping[str, ModelPosterior]]
"""By person and model."""


def verdicts(console: Console, found: Mapping[str, Verdict], posteriors: Posteriors) -> None:
    """Show everybody's models and their parameters, and what to mind."""
    for each in found.values():
        rows = Table(
            each.person, "P", "+-", "prior", "particles", "told apart", "best against it", box=None
        )
        for model, row in enumerate(each.rows()):
            bound = "> " if row["factor_is_bound"] else ""
            said = f"{bound}{row['factor']:.3g}, {row['evidence']}" if row["evidence"] else "best"
            numbers = *each.shown(model), f"{row['prior']:.3g}"
            known = "" if row["recognised"] is None else f"{row['recognised']:.0%}"
            rows.add_row(row["model"], *numbers, f"{row['effective']:.0f}", known, said)
        console.print(rows)
        console.print(
            f"epsilon {each.epsilon[-1]:.3g} in generation {len(each.epsilon)}, after "
            f"{each.simulated} draws; its particles count as {each.particles:.0f} equal ones",
            soft_wrap=True,
        )
        mine = posteriors[each.person].values()
        _parameters(console, mine)
        for warning in (*each.warnings, *(of.warning for of in mine if of.warning)):
            _warn(console, f"{each.person}: {warning}")
    if found:
        _warn(console, NOT_SUFFICIENT)


def _parameters(console: Console, posteriors: Iterable[ModelPosterior]) -> None:
    shown = Table("parameters of", "", "median", "90 %", "unit", box=None)
    for of in posteriors:
        for number, row in enumerate(of.rows()):
            numbers = "no particle", ""
            if of.particles:
                numbers = f"{row['median']:.3g}", f"{row['low']:.3g} to {row['high']:.3g}"
            unit = "" if row["unit"] == "1" else row["unit"]
            shown.add_row("" if number else of.model, row["parameter"], *numbers, unit)
    console.print(shown)


def check_table(path: Path) -> None:
    """Raise BadParameter unless a table can be written under this name."""
    if path.suffix not in WRITERS:
        raise typer.BadParameter(f"--table ends in {' or '.join(WRITERS)}, got {path}")


def write_tables(
    path: Path, found: Mapping[str, Verdict], posteriors: Posteriors
) -> tuple[Path, Path]:
    """Write a row per person and model, and beside it a row per parameter of these: as the name
    ends, CSV or JSON; return the files.
    """
    models = [row for each in found.values() for row in each.rows()]
    parameters = [row for of in posteriors.values() for each in of.values() for row in each.rows()]
    beside = path.with_suffix(f".parameters{path.suffix}")
    with storage_faults(path.parent):
        for target, rows in ((path, models), (beside, parameters)):
            write_durably(target, WRITERS[path.suffix](rows).encode())
    return path, beside


def _csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json(rows: list[dict[str, object]]) -> str:
    return json.dumps(rows, indent=1, allow_nan=False) + "\n"


WRITERS = {".csv": _csv, ".json": _json}


def _warn(console: Console, words: str) -> None:
    console.print(f"WARNING {words}", style="bold red", markup=False, soft_wrap=True)
