"""Reading beside a live driver, from another process or host: all that it had marked when it
asked. A host that sees an older ledger would take finished blocks for pending ones.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hpcvbi.core.errors import StoreError
from hpcvbi.store.ledger import lengths
from hpcvbi.store.store import Store

Reads = Mapping[str, tuple[str, tuple[str, ...] | None]]
"""By a name of the reader's own: a round and its arrays, or a data set and None for all of it."""
PATIENCE_S = 60.0
"""How long a network file system may take to show what another host has written [s]."""
_TICK_S = 0.2


def read_current(
    folder: Path, chain: str, reads: Reads, ledger: Mapping[str, int]
) -> dict[str, dict[str, np.ndarray]]:
    """Read what `reads` names of a chain, when the ledger is at least as long as the driver's.

    Raises
    ------
    StoreError : it does not become so, or what is read is damaged.
    """
    end = time.monotonic() + PATIENCE_S
    while any(lengths(folder).get(name, 0) < size for name, size in ledger.items()):
        if time.monotonic() > end:
            raise StoreError(
                f"what the driver has written to {folder} cannot be seen here: is the folder on a "
                "file system that all hosts share? If it is, the same command resumes"
            )
        time.sleep(_TICK_S)
    store = Store.open(folder)
    return {
        name: store.get(chain, group)[0] if arrays is None else store.read(chain, group, arrays)
        for name, (group, arrays) in reads.items()
    }
