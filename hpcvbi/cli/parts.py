"""A study beyond what one scheduler feeds: `hpcvbi run STUDY --part K/N`, `hpcvbi merge STUDY`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hpcvbi.cli.console import make_console

Part = Annotated[
    str | None,
    typer.Option(
        "--part",
        metavar="K/N",
        help="Only every N-th of the sorted people, from the K-th on; see hpcvbi merge.",
    ),
]
"""The option of `hpcvbi run`."""


def merge(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The study file (YAML).")],
    stores: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[STORE]...", help="The parts' output folders; by default all."),
    ] = None,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Although somebody is missing or not finished."),
    ] = False,
) -> None:
    """Make one study of its parts, which hpcvbi run STUDY --part K/N has run.

    hpcvbi run STUDY then judges everybody and writes the report; it simulates
    nothing again. Every file is compared with its digest while it is copied;
    the parts stay as they are. Merging again changes nothing.
    """
    from hpcvbi import campaign
    from hpcvbi.config import load

    console = make_console()
    merged = campaign.merge(load(study, None), stores or (), partial)
    copied = merged.copied
    for folder in merged.parts:
        console.print(f"part {folder}", soft_wrap=True)
    console.print(
        f"{copied.files} files with {copied.bytes / 1e6:.1f} MB of {len(copied.people)} people "
        "copied; what was there already was left alone",
        soft_wrap=True,
    )
    for line in merged.lacking:
        console.print(f"LACKING {line}", style="bold red", soft_wrap=True)
    for folder, people in merged.left.items():
        for person in people:
            words = f"LOOK {folder}: holds {person}, who has withdrawn; run `hpcvbi withdraw "
            console.print(f"{words}{folder} {person}`", style="bold red", soft_wrap=True)
    console.print(f"to judge everybody and to build the report: hpcvbi run {study}", soft_wrap=True)


def show_status(console: Console, folder: Path) -> None:
    """Show how far a study is; where it has parts and no store yet, how far they are."""
    from hpcvbi.cli import show
    from hpcvbi.store import parts_in, progress
    from hpcvbi.store.parts import has_store

    found = parts_in(folder)
    if has_store(folder) or not found:
        show.status(console, progress(folder))
        return
    console.print(f"not merged yet; the parts in {found[0].parent}:", soft_wrap=True)
    for part in found:
        so_far = progress(part)
        judged = sum(group == "evaluation" for _, group in so_far.puts)
        done, blocks = (
            sum(getattr(r, name) for r in so_far.rounds) for name in ("blocks_done", "blocks")
        )
        driver = so_far.driver
        at_work = f"driver {driver.pid} on {driver.host}" if driver else "no driver is running"
        console.print(
            f"{part.name}: {judged} of {len(so_far.study.get('people', {}))} people judged, "
            f"{done} of {blocks} prepared blocks done, {at_work}",
            soft_wrap=True,
        )
    console.print("when all are done: hpcvbi merge STUDY")
