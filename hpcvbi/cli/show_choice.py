"""Tables of what a choice between models found, for the terminal and for files."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from hpcvbi.campaign import Verdict
from hpcvbi.evaluate.bayes_factors import NOT_SUFFICIENT, UNSEEN
from hpcvbi.store import storage_faults
from hpcvbi.store.durable import write_durably


def verdicts(console: Console, found: Mapping[str, Verdict]) -> None:
    """Show everybody's models, and what to mind."""
    for each in found.values():
        rows = Table(
            each.person, "P", "+-", "prior", "particles", "told apart", "best against it", box=None
        )
        for row in each.rows():
            bound = "> " if row["factor_is_bound"] else ""
            said = f"{bound}{row['factor']:.3g}, {row['evidence']}" if row["evidence"] else "best"
            numbers = *_probability(each, row), f"{row['prior']:.3g}"
            known = "" if row["recognised"] is None else f"{row['recognised']:.0%}"
            rows.add_row(row["model"], *numbers, f"{row['effective']:.0f}", known, said)
        console.print(rows)
        console.print(
            f"epsilon {each.epsilon[-1]:.3g} in generation {len(each.epsilon)}, after "
            f"{each.simulated} draws; its particles count as {each.particles:.0f} equal ones",
            soft_wrap=True,
        )
        for warning in each.warnings:
            _warn(console, f"{each.person}: {warning}")
    if found:
        _warn(console, NOT_SUFFICIENT)


def _probability(found: Verdict, row: Mapping[str, Any]) -> tuple[str, str]:
    """Probability and error; where no particle says otherwise, the bound of either."""
    bound = UNSEEN / found.particles
    if not 0 < row["probability"] < 1:
        return (f"< {bound:.2g}" if row["probability"] <= 0 else f"> {1 - bound:.2g}"), ""
    return f"{row['probability']:.3f}", f"{row['error']:.3f}"


def check_table(path: Path) -> None:
    """Raise BadParameter unless a table can be written under this name."""
    if path.suffix not in WRITERS:
        raise typer.BadParameter(f"--table ends in {' or '.join(WRITERS)}, got {path}")


def write_table(path: Path, found: Mapping[str, Verdict]) -> None:
    """Write a row per person and model: as its name ends, CSV or JSON."""
    rows = [row for each in found.values() for row in each.rows()]
    with storage_faults(path.parent):
        write_durably(path, WRITERS[path.suffix](rows).encode())


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
