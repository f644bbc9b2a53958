"""Reading beside a live driver, from another process or host: all that it had marked when it
asked. A host that sees an older ledger would take finished blocks for pending ones.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hpcvbi.core.errors import StoreError
from hpcvbi.store.ledger import lengths
from hpcvbi.store.rows import StoredRows
from hpcvbi.store.store import Store

Arrays = tuple[str, ...] | None
Reads = Mapping[str, tuple[str, Arrays] | tuple[str, Arrays, str]]
"""By a name of the reader's own: a round and its arrays, or a data set and None for all of it; and
whose, where it is not the reader's.
"""
PATIENCE_S = 60.0
"""How long a network file system may take to show what another host has written [s]."""
_TICK_S = 0.2
IN_MEMORY = 2**28
"""Most bytes of outputs that are read at once [B]. It decides how learning goes through the draws,
so that it depends on nothing but the study.
"""


def read_current(
    folder: Path, chain: str, reads: Reads, ledger: Mapping[str, int]
) -> dict[str, dict[str, np.ndarray | StoredRows]]:
    """Read what `reads` names of a chain, when the ledger is at least as long as the driver's.

    Rounds that have more than `IN_MEMORY` bytes in all come as rows that are read when needed,
    except for theta and what has a single number per draw.

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
    found: dict[str, dict[str, np.ndarray | StoredRows]] = {}
    for name, (group, names, *others) in reads.items():
        whose = others[0] if others else chain
        if names is None:
            found[name] = dict(store.get(whose, group)[0])
        else:
            found[name] = store.rows(whose, group, names)
    stored = [rows for of in found.values() for rows in of.values() if isinstance(rows, StoredRows)]
    small = sum(rows.nbytes for rows in stored) <= IN_MEMORY
    for of in found.values():
        for key, rows in of.items():
            if small or len(rows.shape) < 2:
                of[key] = rows[...] if isinstance(rows, np.ndarray) else rows[:]
    return found
