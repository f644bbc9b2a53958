"""What a run would do and cost, for the terminal."""

from rich.console import Console
from rich.table import Table

from hpcvbi.campaign import Forecast, Plan
from hpcvbi.config import Study


def plan(console: Console, study: Study, planned: Plan) -> None:
    """Show what a run would do."""
    people = ", ".join(planned.people)
    console.print(f"{study.name}: {len(planned.people)} people ({people})", soft_wrap=True)
    rows = Table("round", "draws", "blocks", "s/block", "MB", "core-hours", box=None)
    for r in planned.rounds:
        numbers = f"{r.block_seconds:.3g}", f"{r.bytes / 1e6:.1f}", f"{r.core_hours:.3f}"
        rows.add_row(r.round, str(r.draws), str(r.blocks), *numbers)
    rows.add_row("learning", "", "", "", "", f"{planned.learning_core_hours:.3f}")
    draws = str(sum(r.draws for r in planned.rounds))
    size, hours = f"{sum(r.bytes for r in planned.rounds) / 1e6:.1f}", f"{planned.core_hours:.3f}"
    rows.add_row("all", draws, str(planned.blocks), "", size, hours, style="bold")
    console.print(rows)
    rate = f"{planned.pace.rate / 1e6:.0f} million region updates per second and core"
    console.print(f"rate: {rate} ({planned.pace.source})", soft_wrap=True)
    console.print(f"files and folders in the store: about {planned.inodes}", soft_wrap=True)


def forecast(console: Console, found: Forecast) -> None:
    """Show how it would run on the cluster, what does not fit, and the jobs' scripts."""
    if found.load is not None:
        what = "jobs" if found.scripts else "workers"
        console.print(
            f"cluster: {found.kind}, {found.workers} {what} for {found.slots} blocks at once; "
            f"there are {found.at_once} at most, so {found.used_workers} of them can be used",
            soft_wrap=True,
        )
        console.print(
            f"wall time: about {_hours(found.wall_hours)} once all {what} run", soft_wrap=True
        )
        console.print(
            f"scheduler: {found.load.blocks_per_second:.3g} blocks per second, "
            f"{found.load.scheduler_share:.2%} of one core; with such blocks one scheduler feeds "
            f"{found.load.slots_fed} at once",
            soft_wrap=True,
        )
    elif found.slots is None and not found.warnings:
        console.print(
            f"cluster: {found.kind}; wall time and load are known inside the allocation only",
            soft_wrap=True,
        )
    for words in found.warnings:
        console.print(f"WARNING {words}", style="bold red", soft_wrap=True)
    for name, script in found.scripts.items():
        console.print(f"--- job script: {name}", soft_wrap=True)
        console.print(script, soft_wrap=True, highlight=False)
    console.print("these are estimates; nothing was written, nothing of the study computed")


def _hours(hours: float | None) -> str:
    assert hours is not None
    return f"{hours:.1f} h" if hours >= 1.0 else f"{max(1.0, 60 * hours):.0f} min"
