"""How much work one scheduler can hand out: a model in a few constants, and where each comes from.

The driver spends the same time on every block, however long the block lasts, on one core: more with
more workers, but not with more slots in each. So 1000 slots with blocks of 1 s load it as 10,000
slots with blocks of 10 s do, on as many workers.
"""

from dataclasses import dataclass
from math import sqrt

from hpcvbi.cluster.settings import TASKS_PER_SLOT

DRIVER_S_PER_BLOCK = 0.5e-3
"""CPU seconds that a block costs the driver: scheduler, client, ledger; `make bench-scaling`."""
DRIVER_S_PER_BLOCK_AND_WORKER = 6e-6
"""What each worker process adds, for the scheduler looks at all of them: 200 make it 1.7 ms."""
MOST_BLOCKS_PER_S = 1000.0
"""Blocks per second that one scheduler was seen to hand out (580 to 1250)."""
BUSIEST = 0.5
"""Share of its core above which a scheduler begins to answer late."""
BYTES_PER_LIVE_BLOCK = 11 * 1024
"""Memory of the driver per block in flight, measured with 2000."""
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


def capacity(slots: int, seconds_per_block: float, workers: int = 1) -> Capacity:
    """Return what `slots` blocks at once, of `seconds_per_block` each, on so many `workers` ask of
    one scheduler; the slots that it feeds are of workers that are alike.
    """
    rate, per_worker = slots / seconds_per_block, slots / workers
    # rate (a + b workers) = BUSIEST, with workers = slots / per_worker
    a, b = DRIVER_S_PER_BLOCK, DRIVER_S_PER_BLOCK_AND_WORKER / per_worker
    fed = (sqrt(a**2 + 4 * b * BUSIEST * seconds_per_block) - a) / (2 * b)
    return Capacity(
        blocks_per_second=rate,
        scheduler_share=rate * (a + b * slots),
        scheduler_bytes=slots * TASKS_PER_SLOT * BYTES_PER_LIVE_BLOCK,
        slots_fed=int(min(MOST_BLOCKS_PER_S * seconds_per_block, fed)),
    )
