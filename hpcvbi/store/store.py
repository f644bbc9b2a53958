"""The store of a study, as workers and readers see it; `Driver` adds what only the driver may do.

Order of a block, which nothing may change: data, fsync of files and directories, digest, then the
mark in the ledger. A file without a mark is never trusted, a mark without its file never counted.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from hpcvbi.core.block import Block, Status
from hpcvbi.core.errors import KeyRefused, StoreError
from hpcvbi.store import arrays, keys
from hpcvbi.store.creation import create
from hpcvbi.store.durable import patiently, storage_faults, sync_directories
from hpcvbi.store.encode import ATTRIBUTES
from hpcvbi.store.layout import content_digest
from hpcvbi.store.ledger import Record
from hpcvbi.store.manifest import check_same_study, read_manifests
from hpcvbi.store.marks import BlockKey, GroupKey, Marks
from hpcvbi.store.progress import read_marks
from hpcvbi.store.rows import StoredRows
from hpcvbi.store.tombstone import check_takes_part, is_withdrawn, tombstones
from hpcvbi.store.trust import check_links
from hpcvbi.store.verify import (
    Verify,
    blocks_that_hold,
    check_claims,
    group_holds,
    group_path,
    shards_that_hold,
)


class Store:
    """One study's folder. `study` is what its manifest holds, `sha256` the study's identity.

    Where the study was extended, these are of the last of `manifests`, and `ledger_sha256`, which
    the ledger's lines carry, is of the first.

    Opening reads the manifest only; the ledger is read at the first question about it.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.root = self.folder / "store.zarr"
        check_links(self.folder)
        self._read_manifests()
        self._replayed: Marks | None = None

    def _read_manifests(self) -> None:
        self.manifests = read_manifests(self.folder)
        self.study, self.sha256 = self.manifests[-1].study, self.manifests[-1].sha256
        self.ledger_sha256 = self.manifests[0].sha256

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
                create(folder, study, study_sha256)
        store = cls(folder)
        gone = tombstones(folder)
        check_same_study(folder, store.study, store.sha256, study, study_sha256, gone)
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

        def write() -> dict[str, list[int | str]]:
            shards = [arrays.write_shard(group, n, block, np.asarray(values[n])) for n in wanted]
            sync_directories((group / name / "c" for name in wanted), self.root)
            return dict(zip(wanted, shards, strict=True))

        try:
            with storage_faults(self.folder):
                digests = patiently(write)
        finally:
            if is_withdrawn(self.folder, block.chain):  # while this block was written
                shutil.rmtree(self.root / block.chain, ignore_errors=True)
                check_takes_part(self.folder, block.chain)
        for digest in digests.values():
            digest[2] = keys.blind(self.folder, block.chain, str(digest[2]))
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
        StoreError where marked data are gone or not what the ledger says, by SHA-256.
        """
        return {name: rows[:] for name, rows in self.rows(chain, round, names).items()}

    def rows(
        self, chain: str, round: str, names: Iterable[str] | None = None
    ) -> dict[str, np.ndarray | StoredRows]:
        """Like `read`; but outputs are checked here, and read where rows are asked for."""
        group = self._group(chain, round)
        prepared = self._marks.rounds.get((chain, round))
        if prepared is None:
            raise StoreError(f"{chain}/{round} has not been prepared in {self.folder}")
        if not group_holds(self.root, prepared, "full"):
            raise StoreError(f"draws or metadata of {group} are damaged; {self._mend} mends them")
        names = ("theta", *arrays.outputs_of(group)) if names is None else tuple(names)
        check_claims(group, prepared, names)
        marked = self._marks.done()
        draws, size = prepared["draws"], prepared["block"]
        mine = sorted(k for k in marked if k[:2] == (chain, round) and k[2] < prepared["blocks"])
        done = [Block(*k, k[2] * size, min((k[2] + 1) * size, draws)) for k in mine]
        good = blocks_that_hold(self.root, marked, (b.key for b in done), "size")
        lost = [b.index for b in done if b.key not in good]
        if lost:
            raise StoreError(
                f"{group}: the data of blocks {lost} are gone; {self._mend} computes them again"
            )
        found: dict[str, np.ndarray | StoredRows] = {}
        for name in names:
            if name == "theta":
                found[name] = self.theta(chain, round)
                continue
            hold = shards_that_hold(group, name, [marked[b.key] for b in done])
            if bad := [b.index for b in done if b.index not in hold]:
                raise StoreError(
                    f"{group / name} is damaged in blocks {bad}: {self._mend} computes them again"
                )
            found[name] = StoredRows.of(group / name, done)
        return found

    def get(self, chain: str, group: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays, coordinates among them, and attributes of a data set written whole."""
        mark = self._marks.puts.get((chain, group))
        if mark is None:
            raise StoreError(f"{chain}/{group} is not in {self.folder}")
        folder = self._group(chain, group)
        if not group_holds(self.root, mark, "full"):
            raise StoreError(f"{folder} is damaged; {self._mend} writes it again")
        attrs = arrays.attributes(folder)
        attrs.pop("coordinates", None)
        names = sorted({name.split("/")[0] for name in mark["files"] if "/" in name})
        found = {n: arrays.read_rows(folder / n) for n in names}
        if (sealed := found.pop(ATTRIBUTES, None)) is not None:
            attrs |= json.loads(str(sealed))
        return found, attrs

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

    def whole_rounds(self, verify: Verify = "size") -> dict[GroupKey, int]:
        """Number of draws of every round whose blocks are all marked, and whose marks hold."""
        done = Counter((chain, round) for chain, round, _ in self.done_blocks(verify))
        return {
            key: mark["draws"]
            for key, mark in self._marks.rounds.items()
            if done[key] == mark["blocks"]
        }

    def draws(self, chain: str, round: str) -> tuple[int, int]:
        """Draws of a round that is marked as prepared, and draws per block; zeros if it is not."""
        mark = self._marks.rounds.get((chain, round))
        return (mark["draws"], mark["block"]) if mark else (0, 0)

    def has(self, chain: str, group: str) -> bool:
        """Whether a data set was written whole and its files are there."""
        mark = self._marks.puts.get((chain, group))
        return mark is not None and group_holds(self.root, mark, "size")

    def is_stale(self, chain: str, group: str) -> bool:
        """Whether a data set was built on data of somebody who has withdrawn."""
        return (chain, group) in self._marks.stale

    def is_marked(self, chain: str, group: str, block: int | None = None) -> bool:
        """Whether the ledger names a group, or a block of it; no file is looked at."""
        if block is not None:
            return (chain, group, block) in self._marks.done()
        return (chain, group) in self._marks.rounds or (chain, group) in self._marks.puts

    def was_marked(self, chain: str, group: str) -> bool:
        """Whether the ledger named a group until its mark was made void."""
        return (chain, group) in self._marks.void_rounds or (chain, group) in self._marks.void_puts

    def digests(self, chain: str, round: str, block: int) -> Mapping[str, list[int | str]]:
        """Digests that the mark of a block names, or named until it was made void."""
        key = chain, round, block
        mark = self._marks.done().get(key) or self._marks.void_blocks.get(key)
        return mark["digests"] if mark else {}

    def has_theta(self, chain: str, round: str) -> bool:
        """Whether the draws of a round can be read and are those that its mark names."""
        mark = self._marks.rounds.get((chain, round))
        return mark is not None and self._stored_theta(mark) is not None

    def done_puts(self, verify: Verify = "size") -> set[GroupKey]:
        """Data sets written whole whose marks hold: (chain, group)."""
        puts = self._marks.puts
        return {key for key, mark in puts.items() if group_holds(self.root, mark, verify)}

    def _stored_theta(self, mark: Record) -> np.ndarray | None:
        try:
            theta = self.theta(mark["chain"], mark["group"])
        except KeyRefused:
            raise
        except StoreError:
            return None
        digest = keys.blind(self.folder, mark["chain"], content_digest(theta))
        return theta if digest == mark["theta"] else None

    @property
    def ignored(self) -> int:
        """Number of ledger lines that are torn, forged or of another study."""
        return self._marks.ignored

    @property
    def _marks(self) -> Marks:
        if self._replayed is None:
            self._replayed = read_marks(self.folder, self.manifests)
        return self._replayed

    @property
    def _mend(self) -> str:
        return f"`hpcvbi verify {self.folder} --repair`"

    def _group(self, chain: str, group: str) -> Path:
        path = group_path(self.root, chain, group)
        check_takes_part(self.folder, chain)
        return path
