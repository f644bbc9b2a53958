"""What of a round stays when it gets more draws: its full blocks, where their bytes hold.

A draw's number decides its noise and its block, so that the first draws of a longer round are those
of the shorter one, bit for bit, and so are the shards of its full blocks. They are marked again for
the longer round, once their files have been found to be as marked, in full.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from hpcvbi.store.layout import RoundLayout
from hpcvbi.store.ledger import Record
from hpcvbi.store.marks import GroupKey, Marks
from hpcvbi.store.verify import blocks_that_hold


def kept_blocks(
    root: Path,
    marks: Marks,
    key: GroupKey,
    layout: RoundLayout,
    theta: np.ndarray,
    blind: Callable[[str], str] = str,
) -> list[Record]:
    """Return the marks of blocks that hold for the longer round too, theirs made void or not.

    `theta` (draw, param) are all draws of the round that `layout` describes; `blind` turns a digest
    of draws into what the ledger has of it.
    """
    before = marks.rounds.get(key) or marks.void_rounds.get(key)
    if before is None or not 0 < before["draws"] < layout.draws or before["block"] != layout.block:
        return []
    shorter = replace(layout, draws=before["draws"])
    if blind(shorter.identity(theta[: before["draws"]])) != before["id"]:
        return []
    full = {
        block: mark
        for block, mark in {**marks.void_blocks, **marks.blocks}.items()
        if block[:2] == key
        and mark["id"] == before["id"]
        and mark["stop"] - mark["start"] == layout.block
    }
    good = blocks_that_hold(root, full, full, "full")
    identity = blind(layout.identity(theta))
    return [{**full[block], "id": identity} for block in sorted(good)]
