"""Tables for the terminal."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from hpcvbi.core.block import Status

if TYPE_CHECKING:  # so that a look at the ledger does not load what infers and reports
    from hpcvbi.campaign import Outcome, TrialOutcome
    from hpcvbi.report.table import Row
    from hpcvbi.sim import doctor
    from hpcvbi.store import Progress, Tombstone, Withdrawal


def status(console: Console, progress: "Progress") -> None:
    """Show how far a study is."""
    what = ("ok", "dt/2", "dt/4", "diverged", "failed")
    rows = Table("person", "round", "blocks", "draws", *what, "CPU s", box=None)
    for r in progress.rounds:
        rows.add_row(
            r.chain,
            r.round,
            f"{r.blocks_done}/{r.blocks}",
            f"{r.draws_done}/{r.draws}",
            *map(str, (r.ok, r.halved, r.quartered, r.diverged, r.failed)),
            f"{r.seconds:.0f}",
        )
    console.print(rows)
    if last := max((r.last for r in progress.rounds if r.last), default=None):
        console.print(f"last block: {last}", soft_wrap=True)
    judged = sorted(chain for chain, group in progress.puts if group == "evaluation")
    console.print(f"judged: {', '.join(judged) or 'nobody yet'}", soft_wrap=True)
    for stone in progress.withdrawn:
        console.print(_withdrawn(stone), soft_wrap=True)
    for chain, group in progress.stale:
        words = f"STALE {chain}/{group}: built on somebody who has withdrawn; run the study again"
        console.print(words, style="bold red", soft_wrap=True)
    driver = progress.driver
    console.print(f"driver: {driver}" if driver else "no driver is running", soft_wrap=True)


def withdrawal(console: Console, done: "Withdrawal") -> None:
    """Show what a withdrawal did."""
    stone = done.stone
    console.print(_withdrawn(stone), soft_wrap=True)
    console.print(f"{stone.files} files with {stone.bytes} bytes were theirs", soft_wrap=True)
    if done.stale:
        words = f"STALE: results of {', '.join(done.stale)}; `hpcvbi run` makes them anew"
        console.print(words, style="bold red", soft_wrap=True)
    for path in done.elsewhere:
        words = f"LOOK {path}: mentions {stone.person}, and the store did not write it"
        if path.is_dir():
            words = (
                f"LOOK {path}: holds {stone.person}; run `hpcvbi withdraw {path} {stone.person}`"
            )
        console.print(words, style="bold red", markup=False, soft_wrap=True)


def _withdrawn(stone: "Tombstone") -> str:
    if stone.finished is None:
        return (
            f"WITHDRAWAL NOT FINISHED {stone.person}: begun {stone.begun}; run `hpcvbi withdraw` "
            "again"
        )
    return f"withdrawn: {stone.person}, {stone.finished}"


def failed_draws(console: Console, progress: "Progress", again: Sequence[str]) -> None:
    """Show which rounds hold failed draws, why, and how to try them again, given the words of the
    command that runs `again`.
    """
    held = [r for r in progress.rounds if r.failed]
    for r in held:
        causes = "; ".join(f"{n} blocks: {cause}" for cause, n in sorted(r.causes.items()))
        words = f"FAILED {r.chain}: {r.failed} of {r.draws} draws of {r.round} ({causes})"
        console.print(words, style="bold red", markup=False, soft_wrap=True)
    if held:
        command = shlex.join([*again[:2], "--retry-failed", *again[2:]])
        words = f"failed draws are left out; {command} tries them again"
        console.print(words, markup=False, soft_wrap=True)


def failures(console: Console, outcome: "Outcome") -> None:
    """Show who could not be inferred, and why."""
    for person, error in outcome.failed.items():
        words = f"NOT INFERRED {person}: {error}"
        console.print(words, style="bold red", markup=False, soft_wrap=True)


def results(console: Console, folder: Path) -> None:
    """Show what was found, a column per person, as many as fit side by side, and every warning."""
    from hpcvbi.report import findings, judged, table

    rows = table(folder)
    if not rows:
        console.print("nobody has been judged yet")
        return
    while rows:
        fit = next((n for n in range(len(rows), 1, -1) if _fits(console, rows[:n])), 1)
        console.print(_side_by_side(rows[:fit]))
        rows = rows[fit:]
    for result in judged(folder):
        for finding in findings(result):
            if finding.loud:
                words = f"WARNING {finding.person}: {finding.text}"
                console.print(words, style="bold red", markup=False, soft_wrap=True)


def _side_by_side(rows: "Sequence[Row]") -> Table:
    shown = Table("", *(row["person"] for row in rows), box=None)
    for label in rows[0]:
        if label != "person":
            shown.add_row(label, *(row[label] for row in rows))
    return shown


def _fits(console: Console, rows: "Sequence[Row]") -> bool:
    """Whether the console is wide enough for all words of so many people."""
    unlimited = console.options.update(max_width=sys.maxsize)
    return Measurement.get(console, unlimited, _side_by_side(rows)).minimum <= console.width


def trial(console: Console, outcome: "TrialOutcome") -> None:
    """Show what was simulated, and where it lies."""
    draws = sum(outcome.statuses.values())
    console.print(
        f"{draws} draws of {outcome.regions} regions in {outcome.seconds:.1f} s: "
        f"{outcome.node_steps / 1e6:.1f} million region updates, "
        f"{outcome.node_steps / outcome.seconds / 1e6:.1f} million per second "
        f"(compiling included, where the kernel was not there yet)",
        soft_wrap=True,
    )
    for status, count in outcome.statuses.items():
        if status != Status.OK:
            words = f"{count} of {draws} draws: {_BECAME[status]}"
            console.print(words, style="bold red" if status == Status.DIVERGED else "")
    written = "replaced" if outcome.replaced else "wrote"
    console.print(f"{written} {outcome.output}", soft_wrap=True)
    if outcome.picture is not None:
        console.print(f"picture: {outcome.picture}", soft_wrap=True)


def health(console: Console, found: "list[doctor.Finding]") -> None:
    """Show what the doctor found."""
    rows = Table("", "", "", box=None, show_header=False)
    styles = {"ok": "green", "note": "yellow", "problem": "bold red"}
    for finding in found:
        verdict = Text(finding.verdict.upper(), style=styles[finding.verdict])
        rows.add_row(verdict, finding.subject, Text(finding.text))
    console.print(rows)


_BECAME = {
    Status.DIVERGED: "diverged; their values hold NaN or infinity (a smaller dt, or refine: 2?)",
    Status.HALVED: "simulated with dt/2, because they diverged with dt",
    Status.QUARTERED: "simulated with dt/4, because they diverged with dt",
}
