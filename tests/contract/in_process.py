"""Runs a study in this process: blocks are computed and handed over all at once, by nobody else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpcvbi.cluster import Learned
from hpcvbi.cluster.learning import Step, perform
from hpcvbi.cluster.task import simulate_block
from hpcvbi.core.block import Block, BlockReport
from hpcvbi.store import Reads


class Enough(Exception):
    """The test has seen what it wants to see."""


class Together:
    """An executor without a cluster; with `learns` false, the first learning step is Enough."""

    free, workers = 100, 1

    def __init__(self, folder: Path, learns: bool = True) -> None:
        self.folder, self.learns, self.waited = str(folder), learns, 0
        self.submitted: list[Block] = []
        self.learned: list[Learned] = []

    def submit(self, block: Block, priority: int = 0) -> None:
        self.submitted.append(block)

    def learn(
        self, chain: str, label: str, function: Callable[..., Any], reads: Reads, attempts: int
    ) -> None:
        if not self.learns:
            raise Enough
        self.learned.append(perform(self.folder, Step(chain, label, function, reads), {}, None))

    def wait(self, timeout: float | None = None) -> list[BlockReport | Learned]:
        self.waited += 1
        blocks, self.submitted = self.submitted, []
        learned, self.learned = self.learned, []
        return [*learned, *(simulate_block(self.folder, block) for block in blocks)]

    def close(self, patience: float | None = None) -> None:
        pass


class Silent:
    """Follows nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *told: None
