"""Every marked block of a store, verified."""

from hpcvbi.store import Driver
from hpcvbi.store.marks import BlockKey
from hpcvbi.store.verify import Verify, blocks_that_hold


def lost_blocks(store: Driver, verify: Verify = "full") -> list[BlockKey]:
    """Make the marks of blocks void that do not hold, and return these blocks."""
    done = store._marks.done()
    lost = sorted(done.keys() - blocks_that_hold(store.root, done, done, verify))
    store.void(lost)
    return lost
