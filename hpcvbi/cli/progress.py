"""How a run goes, for people: bars on a terminal, one line per round elsewhere, and always a log
file.
"""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import HpcvbiError
from hpcvbi.store import storage_faults
from hpcvbi.store.durable import make_directory, private

Key = tuple[str, str]


class Tally:
    """Counts blocks per round and writes a line when a round or a learning step is done."""

    def __init__(self, log: TextIO, console: Console | None) -> None:
        self._log, self._console = log, console
        self._left: dict[Key, int] = {}
        self._draws: dict[Key, int] = {}
        self._lost: dict[Key, dict[str, int]] = {}
        self._begin: dict[Key, float] = {}

    def planned(self, chain: str, round: str, blocks: list[Block], missing: int) -> None:
        """Remember what a round lacks."""
        key = chain, round
        self._left[key], self._begin[key] = missing, time.monotonic()
        self._draws[key] = sum(block.size for block in blocks)
        self._lost[key] = {"diverged": 0, "failed": 0}
        if not missing:
            self.line(f"{chain}  {round}  {self._draws[key]} draws  already in the store")

    def computed(self, report: BlockReport) -> None:
        """Count a block; the last one of its round writes the line."""
        key = report.block.chain, report.block.round
        self._left[key] -= 1
        self._lost[key]["diverged"] += report.diverged
        self._lost[key]["failed"] += report.failed
        if report.failed:
            self.line(
                f"{key[0]}  {key[1]}  block {report.block.index}: {report.failed} draws failed "
                f"({report.cause})"
            )
        if not self._left[key]:
            seconds = time.monotonic() - self._begin[key]
            share = 100.0 * self._lost[key]["diverged"] / self._draws[key]
            failed = f"{self._lost[key]['failed']} failed  " if self._lost[key]["failed"] else ""
            self.line(
                f"{key[0]}  {key[1]}  {self._draws[key]} draws  {share:.1f} % diverged  {failed}"
                f"{seconds:.0f} s"
            )

    def learned(self, chain: str, label: str, seconds: float) -> None:
        """Write how long a learning step took."""
        self.line(f"{chain}  {label}  {seconds:.1f} CPU s")

    def judged(self, chain: str) -> None:
        """Write that a person is done."""
        self.line(f"{chain}  done")

    def failed(self, chain: str, error: HpcvbiError) -> None:
        """Write that a person cannot be inferred."""
        self.line(f"{chain}  failed: {error}")

    def notice(self, text: str) -> None:
        """Write what happened to the cluster."""
        self.line(text)

    def stopping(self, signal: str, seconds: float) -> None:
        """Write that the run was asked to stop."""
        self.line(f"{signal}: no more blocks are begun; those at work have {seconds:.0f} s to end")

    def line(self, text: str) -> None:
        """Write one line to the log, and to the console where it shows no bars."""
        with contextlib.suppress(OSError):  # of a full disk the store tells, in more words
            self._log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')}  {text}\n")
            self._log.flush()
        if self._console:
            self._console.print(text, highlight=False, soft_wrap=True)


class Bars(Tally):
    """A bar per person: round, draws, draws per second, time left."""

    def __init__(self, log: TextIO, bars: Progress, draws: int) -> None:
        super().__init__(log, None)
        self._bars, self._all = bars, draws
        self._tasks: dict[str, TaskID] = {}
        self._computed: dict[str, int] = {}

    def planned(self, chain: str, round: str, blocks: list[Block], missing: int) -> None:
        """Show the round, and what the store has of it already."""
        super().planned(chain, round, blocks, missing)
        if chain not in self._tasks:
            self._tasks[chain] = self._bars.add_task(chain, total=self._all, round=round, rate="")
        have = self._draws[chain, round] * (1.0 - missing / len(blocks))
        self._bars.update(self._tasks[chain], round=round, advance=have)

    def computed(self, report: BlockReport) -> None:
        """Advance the person's bar."""
        super().computed(report)
        block = report.block
        task = self._tasks[block.chain]
        self._computed[block.chain] = self._computed.get(block.chain, 0) + block.size
        rate = self._computed[block.chain] / (self._bars.tasks[task].elapsed or 1.0)
        self._bars.update(task, advance=block.size, round=block.round, rate=f"{rate:.1f} draws/s")

    def learned(self, chain: str, label: str, seconds: float) -> None:
        """Show what was learned last."""
        super().learned(chain, label, seconds)
        if chain in self._tasks:  # what is learned from all people has no draws of its own
            self._bars.update(self._tasks[chain], round=label)


@contextlib.contextmanager
def progress_on(console: Console, folder: Path, draws: int) -> Iterator[Tally]:
    """Follow a run of `draws` per person into its log file and on the console: there with bars on
    a terminal, with lines elsewhere.
    """
    with storage_faults(folder):
        make_directory(folder)
        log = open(folder / "run.log", "a", opener=private)  # noqa: SIM115 (closed by _closing)
    with _closing(log):
        if not console.is_terminal:
            yield Tally(log, console)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} draws"),
            TextColumn("{task.fields[round]}"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bars:
            yield Bars(log, bars, draws)


@contextlib.contextmanager
def _closing(log: TextIO) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            log.close()
