"""The block: contiguous draws; one task, one Zarr shard, one retry and one row of progress."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class Status(IntEnum):
    """What became of a draw; HALVED and QUARTERED ones are whole, with dt/2 and dt/4."""

    PENDING = 0
    OK = 1
    DIVERGED = 2
    FAILED = 3
    HALVED = 4
    QUARTERED = 5


WHOLE = (Status.OK, Status.HALVED, Status.QUARTERED)
"""Statuses of draws whose results can be used."""


@dataclass(frozen=True, order=True)
class Block:
    """Draws `start` to `stop` (exclusive) of one round of one chain."""

    chain: str
    round: str
    index: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of draws."""
        return self.stop - self.start

    @property
    def key(self) -> tuple[str, str, int]:
        """What identifies the block in the ledger."""
        return self.chain, self.round, self.index


@dataclass(frozen=True)
class BlockReport:
    """What a worker tells the driver about a block that lies in the store: no array, about 300
    bytes.

    `memory` is the most that its worker has held so far [bytes]. `diverged`, `failed`, `halved` and
    `quartered` count draws by their status; the others are OK. `digests` maps each written array to
    [size in bytes, SHA-256 of the stored file, SHA-256 of the content]. `failed` draws have no
    result, because of `cause`, and are stored as NaN.
    """

    block: Block
    diverged: int
    seconds: float
    host: str
    digests: dict[str, list[int | str]] = field(default_factory=dict)
    failed: int = 0
    halved: int = 0
    quartered: int = 0
    cause: str = ""
    memory: int = 0


def blocks_of(chain: str, round: str, draws: int, size: int) -> list[Block]:
    """Cut `draws` draws into blocks of `size`; the last one may be shorter."""
    return [
        Block(chain, round, index, start, min(start + size, draws))
        for index, start in enumerate(range(0, draws, size))
    ]


def runs_of(blocks: Sequence[Block]) -> Iterator[tuple[int, int]]:
    """Join neighbouring blocks, so that they are read at once."""
    start = stop = 0
    for block in blocks:
        if block.start != stop:
            if stop > start:
                yield start, stop
            start = block.start
        stop = block.stop
    if stop > start:
        yield start, stop
