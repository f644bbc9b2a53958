"""Who is told how a run goes, and how it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import HpcvbiError


class Progress(Protocol):
    """Somebody who is told how it goes."""

    def planned(self, chain: str, round: str, blocks: list[Block], missing: int) -> None:
        """A round of `blocks` was prepared; `missing` of them have to be computed."""

    def computed(self, report: BlockReport) -> None:
        """A block lies in the store."""

    def learned(self, chain: str, label: str, seconds: float) -> None:
        """A learning step is done."""

    def judged(self, chain: str) -> None:
        """A person is done."""

    def failed(self, chain: str, error: HpcvbiError) -> None:
        """A person cannot be inferred; the others go on."""

    def notice(self, text: str) -> None:
        """Something happened to the cluster."""

    def stopping(self, signal: str, seconds: float) -> None:
        """The run was asked to stop; it waits for blocks at work, at most `seconds`."""


@dataclass(frozen=True)
class Outcome:
    """How many blocks a run computed, and who could not be inferred, why."""

    blocks: int
    failed: Mapping[str, HpcvbiError]
