"""A block on its way: its copies on workers, when they began, and whom to blame for a death."""

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

from hpcvbi.core.block import Block, BlockReport

LATE = 3.0
"""A block that takes so many times the median of its round gets a second copy."""
LATE_S = 10.0
"""But not before this time [s]."""
_REMEMBERED = 64


@dataclass(eq=False)
class Flight:
    """A block that was handed out; `begun` says when each worker began it, by our clock. `copies`
    are Dask's futures.
    """

    block: Block
    copies: list[Any]
    alone: bool = False
    begun: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it has been worked on, by the worker that began first [s]."""
        return time.monotonic() - min(self.begun.values()) if self.begun else 0.0


class Paces:
    """How long the draws of a kind of round take, from the blocks that are done."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def note(self, report: BlockReport) -> None:
        """Remember a finished block."""
        known = self._seconds.setdefault(report.block.round, [])
        known.append(report.seconds / report.block.size)
        del known[:-_REMEMBERED]

    def is_late(self, flight: Flight) -> bool:
        """Whether a block takes far longer than others of its round, whosever they are."""
        known = self._seconds.get(flight.block.round)
        if not known or not flight.begun:
            return False
        usual = statistics.median(known) * flight.block.size
        return flight.seconds > max(LATE * usual, LATE_S)
