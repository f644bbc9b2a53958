"""`hpcvbi group STUDY`: what the people of a finished study have in common."""

from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer

from hpcvbi.cli.console import make_console


def group(
    study: Annotated[
        Path,
        typer.Argument(metavar="STUDY", help="A study file (YAML), or a study's output folder."),
    ],
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Tab-separated table; its column participant_id names people as results do.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of the table that says everybody's group."),
    ] = None,
) -> None:
    """Pool the people: the group's mean and spread, and each person in its light.

    From stored posterior draws alone; nothing is simulated or written. With
    --table and --by, each group is pooled by itself, and groups are compared.
    Brackets hold 90 % intervals.
    """
    from hpcvbi import campaign
    from hpcvbi.cli import show_group
    from hpcvbi.cohort import read_column
    from hpcvbi.config import load
    from hpcvbi.store import storage_faults

    if (table is None) != (by is None):
        raise typer.BadParameter("--table and --by go together")
    folder = study if study.is_dir() else Path(load(study, None).output)
    groups = None if table is None or by is None else read_column(table, by)
    with storage_faults(folder):
        found = campaign.pool_people(folder, groups)
        absent = campaign.left_out(folder, found, groups)
    console = make_console()
    for each in found.values():
        show_group.group(console, each)
    for first, second in combinations(found.values(), 2):
        show_group.difference(console, campaign.difference(first, second), first.space)
    show_group.left_out(console, absent)
