"""The store of a study, as workers and readers see it; `Driver` adds what only the driver may do.

Order of a block, which nothing may change: data, fsync of files and directories, digest, then the
mark in the ledger. A file without a mark is never trusted, a mark without its file never counted.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from hpcvbi.core.block import Block, Status, blocks_of
from hpcvbi.core.errors import StoreError
from hpcvbi.store import arrays
from hpcvbi.store.durable import make_directory, storage_faults, sync, sync_directories
from hpcvbi.store.encode import consolidate
from hpcvbi.store.ledger import Record
from hpcvbi.store.manifest import check_same_study, read_manifest, write_manifest
from hpcvbi.store.marks import BlockKey, GroupKey, Marks
from hpcvbi.store.progress import read_marks
from hpcvbi.store.verify import Verify, blocks_that_hold, group_holds, group_path


class Store:
    """One study's folder. `study` is what its manifest holds, `sha256` the study's identity.

    Opening reads the manifest only; the ledger is read at the first question about it.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.root = self.folder / "store.zarr"
        self.study, self.sha256 = read_manifest(self.folder)
        self._replayed: Marks | None = None

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Open an existing store; StoreError where there is none."""
        return cls(folder)

    @classmethod
    def create(cls, folder: Path | str, study: Mapping[str, Any], study_sha256: str) -> Self:
        """Create the store, or open it if it is this study's; StoreMismatch if it is another's."""
        folder = Path(folder)
        with storage_faults(folder):
            if not (folder / "MANIFEST.json").exists():
                _create(folder, study, study_sha256)
        store = cls(folder)
        check_same_study(folder, store.study, store.sha256, study, study_sha256)
        return store

    # ---- workers

    def theta(
        self, chain: str, round: str, start: int | None = None, stop: int | None = None
    ) -> np.ndarray:
        """Draws `start` to `stop` of a round, shape (draw, param), in natural units."""
        return arrays.read_rows(self._group(chain, round) / "theta", start, stop)

    def write_block(
        self, block: Block, values: Mapping[str, np.ndarray]
    ) -> dict[str, list[int | str]]:
        """Write a block's `status` and outputs (draw, ...) durably; return the digests to report.

        Needs no lock: a block has one owner at a time, and always the same bytes.
        """
        group = self._group(block.chain, block.round)
        wanted = sorted(arrays.outputs_of(group))
        if sorted(values) != wanted:
            raise StoreError(f"a block of {group} writes {wanted}, got {sorted(values)}")
        with storage_faults(self.folder):
            digests = {
                name: arrays.write_shard(group, name, block, np.asarray(values[name]))
                for name in wanted
            }
            sync_directories((group / name / "c" for name in wanted), self.root)
        return digests

    def fail_block(self, block: Block) -> dict[str, list[int | str]]:
        """Write a block that has no results, status FAILED and else NaN (integers 0), durably."""
        group = self._group(block.chain, block.round)
        values = {}
        for name in arrays.outputs_of(group):
            array = arrays.open_array(group / name)
            shape = (block.size, *array.shape[1:])
            values[name] = np.full(shape, array.fill_value, dtype=array.dtype)
        values["status"][:] = Status.FAILED
        return self.write_block(block, values)

    # ---- readers

    def read(
        self, chain: str, round: str, names: Iterable[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Arrays of a round by name, draws first: theta, status and every output by default.

        Draws of blocks without a mark read as pending: status 0, outputs NaN (integers 0).
        StoreError where marked data are gone or damaged.
        """
        group = self._group(chain, round)
        prepared = self._marks.rounds.get((chain, round))
        if prepared is None:
            raise StoreError(f"{chain}/{round} has not been prepared in {self.folder}")
        marked = self._marks.done()
        done = [
            block
            for block in blocks_of(chain, round, prepared["draws"], prepared["block"])
            if block.key in marked
        ]
        good = blocks_that_hold(self.root, marked, (b.key for b in done), "size")
        lost = [b.index for b in done if b.key not in good]
        if lost:
            raise StoreError(f"{group}: the data of blocks {lost} are gone; run the study again")
        found = {}
        for name in ("theta", *arrays.outputs_of(group)) if names is None else names:
            if name == "theta":
                found[name] = self.theta(chain, round)
                continue
            array = arrays.open_array(group / name)
            found[name] = np.full(array.shape, array.fill_value, dtype=array.dtype)
            for start, stop in _runs(done):
                found[name][start:stop] = arrays.read_rows(group / name, start, stop)
        return found

    def get(self, chain: str, group: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays, coordinates among them, and attributes of a data set written whole."""
        mark = self._marks.puts.get((chain, group))
        if mark is None:
            raise StoreError(f"{chain}/{group} is not in {self.folder}")
        folder = self._group(chain, group)
        if not group_holds(self.root, mark, "size"):
            raise StoreError(f"{folder} is damaged; run the study again")
        attrs = arrays.attributes(folder)
        attrs.pop("coordinates", None)
        return {n: arrays.read_rows(folder / n) for n in arrays.array_names(folder)}, attrs

    def events(self, kind: str | None = None) -> list[Record]:
        """Events of one kind (all by default) in the order they were appended."""
        return [r for r in self._marks.events if kind in (None, r["kind"])]

    def outputs(self, chain: str, round: str) -> tuple[str, ...]:
        """Names of the arrays that every block of a prepared round writes, `status` among them."""
        return arrays.outputs_of(self._group(chain, round))

    def rounds(self, chain: str) -> list[str]:
        """Names of the prepared rounds of a chain."""
        return sorted(round for name, round in self._marks.rounds if name == chain)

    def lost_draws(self, chain: str, round: str) -> int:
        """How many draws of a round's marked blocks diverged or failed."""
        done = self._marks.done().items()
        mine = (record for key, record in done if key[:2] == (chain, round))
        return sum(record["diverged"] + record.get("failed", 0) for record in mine)

    def failed_blocks(self) -> list[BlockKey]:
        """Marked blocks that hold failed draws: (chain, round, index)."""
        return sorted(k for k, record in self._marks.done().items() if record.get("failed"))

    def groups(self, chain: str) -> list[str]:
        """Names of all that is marked of a chain: prepared rounds and data sets written whole."""
        marks = self._marks
        return sorted(group for name, group in [*marks.rounds, *marks.puts] if name == chain)

    def done_blocks(self, verify: Verify = "size") -> set[BlockKey]:
        """Blocks whose marks hold, and their rounds' marks too: (chain, round, index)."""
        marks = self._marks
        rounds = {k for k, mark in marks.rounds.items() if group_holds(self.root, mark, verify)}
        done = marks.done()
        keys = (key for key in done if key[:2] in rounds)
        return blocks_that_hold(self.root, done, keys, verify)

    def has(self, chain: str, group: str) -> bool:
        """Whether a data set was written whole and its files are there."""
        mark = self._marks.puts.get((chain, group))
        return mark is not None and group_holds(self.root, mark, "size")

    def done_puts(self, verify: Verify = "size") -> set[GroupKey]:
        """Data sets written whole whose marks hold: (chain, group)."""
        puts = self._marks.puts
        return {key for key, mark in puts.items() if group_holds(self.root, mark, verify)}

    @property
    def ignored(self) -> int:
        """Number of ledger lines that are torn, forged or of another study."""
        return self._marks.ignored

    @property
    def _marks(self) -> Marks:
        if self._replayed is None:
            self._replayed = read_marks(self.folder, self.sha256)
        return self._replayed

    def _group(self, chain: str, group: str) -> Path:
        return group_path(self.root, chain, group)


def root_attrs(study_sha256: str) -> dict[str, Any]:
    """Attributes of the root group."""
    return {"study_sha256": study_sha256}


def _create(folder: Path, study: Mapping[str, Any], study_sha256: str) -> None:
    """Lay out an empty store; the manifest comes last and makes it one."""
    if any(folder.glob("ledger/*.log")) or any(folder.glob("store.zarr/*/zarr.json")):
        raise StoreError(
            f"{folder} holds results, but MANIFEST.json is missing, so it cannot be known whose "
            "they are. Restore it from a copy, or choose another `output:`."
        )
    ledger, root = folder / "ledger", folder / "store.zarr"
    for directory in (folder, ledger, root):
        make_directory(directory)
    consolidate(root, root_attrs(study_sha256))
    for directory in (root, ledger):
        sync(directory)
    with contextlib.suppress(FileExistsError):  # another process was faster; it is compared next
        write_manifest(folder, study, study_sha256)


def _runs(blocks: Sequence[Block]) -> Iterator[tuple[int, int]]:
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
