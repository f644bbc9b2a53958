"""Outputs of a round: in memory, or as a matrix whose rows are read where they are asked for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcvbi.core.block import Block, runs_of
from hpcvbi.store import arrays


@dataclass(frozen=True)
class StoredRows:
    """An array of a round whose finished blocks were found to be what the ledger marks.

    Draws of other blocks read as pending: NaN (integers 0).
    """

    folder: Path
    runs: tuple[tuple[int, int], ...]
    """First and last draw of each run of finished blocks, the last excluded."""
    shape: tuple[int, ...]

    @classmethod
    def of(cls, folder: Path, done: Sequence[Block]) -> "StoredRows":
        """Return the array of which these blocks are `done`."""
        return cls(folder, tuple(runs_of(done)), tuple(arrays.open_array(folder).shape))

    @property
    def nbytes(self) -> int:
        """What all rows take in memory [B]."""
        return math.prod(self.shape) * arrays.open_array(self.folder).dtype.itemsize

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Return some draws, in steps of one; StoreError where the file is damaged."""
        first, last, _ = rows.indices(self.shape[0])
        array = arrays.open_array(self.folder)
        size = (max(last - first, 0), *self.shape[1:])
        found = np.full(size, array.fill_value, dtype=array.dtype)
        for start, stop in self.runs:
            start, stop = max(start, first), min(stop, last)
            if start < stop:
                found[start - first : stop - first] = arrays.read_rows(self.folder, start, stop)
        return found
