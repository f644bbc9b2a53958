"""How much work one scheduler can hand out: a model in a few constants, and where each comes from.

The scheduler spends the same time on every block, however long the block lasts, on one core. So
slots times blocks per second is what counts: 1000 slots with blocks of 1 s load it as 10,000 slots
with blocks of 10 s do.
"""

from dataclasses import dataclass

from hpcvbi.cluster.settings import TASKS_PER_SLOT

SCHEDULER_S_PER_BLOCK = 0.5e-3
"""CPU seconds of the scheduler per block, TLS included: .3 to .6 ms measured with Dask 2026.8."""
MOST_BLOCKS_PER_S = 1000.0
"""Blocks per second that one scheduler was seen to hand out (580 to 1250)."""
BUSIEST = 0.5
"""Share of its core above which a scheduler begins to answer late."""
BYTES_PER_LIVE_BLOCK = 3 * 1024
"""Memory of the scheduler per block in flight: 2.3 to 3.0 KiB measured with Dask 2026.8."""
MOST_WORKERS = 1000
"""Worker processes that connect to one scheduler without trouble (dask/distributed issue 3691)."""
MOST_BLOCKS = 20_000
"""Blocks per hour of a run, beyond which the scheduler's memory and messages begin to tell."""


@dataclass(frozen=True)
class Capacity:
    """What slots that are all busy ask of one scheduler.

    `scheduler_share` is of one core; `scheduler_bytes` is for blocks in flight; `slots_fed` are
    those that one scheduler keeps busy with such blocks.
    """

    blocks_per_second: float
    scheduler_share: float
    scheduler_bytes: int
    slots_fed: int

    @property
    def suffices(self) -> bool:
        """Whether one scheduler keeps them busy, and has half of its core left."""
        return self.scheduler_share <= BUSIEST and self.blocks_per_second <= MOST_BLOCKS_PER_S


def capacity(slots: int, seconds_per_block: float) -> Capacity:
    """Return what `slots` blocks at once, of `seconds_per_block` each, ask of one scheduler."""
    rate = slots / seconds_per_block
    fed = min(MOST_BLOCKS_PER_S, BUSIEST / SCHEDULER_S_PER_BLOCK) * seconds_per_block
    return Capacity(
        blocks_per_second=rate,
        scheduler_share=rate * SCHEDULER_S_PER_BLOCK,
        scheduler_bytes=slots * TASKS_PER_SLOT * BYTES_PER_LIVE_BLOCK,
        slots_fed=int(fed),
    )
