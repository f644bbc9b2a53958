"""What only the one driver may do: prepare rounds, mark blocks, put data sets, append events.

    with Driver.create(folder, study, study_sha256) as store:
        theta = store.prepare(chain, round, theta, params, outputs, block)
        ...
        store.mark(*reports)

Whatever is about to be overwritten loses its mark first, so that no mark ever names other bytes.
"""

import contextlib
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import StoreError
from hpcvbi.core.space import Param
from hpcvbi.store.durable import (
    check_room,
    sha256,
    storage_faults,
    sweep,
    sync_directories,
    write_file,
)
from hpcvbi.store.encode import Files, consolidate, encode_put, encode_round
from hpcvbi.store.layout import (
    Output,
    RoundLayout,
    Variable,
    check_distinct,
    content_digest,
    put_identity,
    sizes,
)
from hpcvbi.store.ledger import Ledger, Record
from hpcvbi.store.lock import STALE_S, DriverLock
from hpcvbi.store.marks import KINDS, BlockKey, GroupKey
from hpcvbi.store.store import Store, root_attrs
from hpcvbi.store.verify import Verify, blocks_that_hold, group_holds

_INDEX_SHARE = 0.02
"""Share of the time that a driver spends on the index of groups between its entry and its exit."""


class Driver(Store):
    """A store with its lock, as a context manager; StoreBusy on entry if another driver lives."""

    def __init__(self, folder: Path | str, stale_s: float = STALE_S) -> None:
        super().__init__(folder)
        self._stale_s = stale_s
        self._held: tuple[DriverLock, Ledger] | None = None
        self._index_after = 0.0

    def __enter__(self) -> Self:
        with storage_faults(self.folder):
            lock = DriverLock(self.folder, self._stale_s)
            try:
                sweep(self.root)
                for leftover in self.folder.glob("*.tmp"):
                    leftover.unlink(missing_ok=True)
                self._index()
            except BaseException:
                lock.release()
                raise
        self._replayed = None
        self._held = lock, Ledger(self.folder / "ledger", self.sha256, lock.check)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        lock, ledger = self._the_lock()
        ledger.close()
        self._held = None
        with contextlib.suppress(OSError):  # an index only: the next driver writes it again
            if lock.held():
                self._index()
        lock.release()

    def append(self, kind: str, **fields: Any) -> Record:
        """Append an event to the ledger, durably: any kind that is no mark, any JSON fields."""
        if kind in KINDS:
            raise StoreError(f"{kind!r} is a mark, which prepare, mark and put make; name it else")
        return self._append({**fields, "kind": kind})[0]

    def prepare(
        self,
        chain: str,
        round: str,
        theta: np.ndarray,
        params: Sequence[Param],
        outputs: Sequence[Output],
        block: int,
    ) -> np.ndarray:
        """Lay out a round and write its draws (draw, param) durably; return the draws that count.

        On resuming these are the stored ones, whatever is given, for the finished blocks belong to
        them; only where they are damaged do the given ones count. Where layout or draws change,
        the round's blocks lose their marks.
        """
        self._the_lock()
        folder = self._group(chain, round)
        if (chain, round) in self._marks.puts:
            raise StoreError(f"{folder} is a data set written whole, not a round")
        theta = np.ascontiguousarray(theta, dtype=np.float64)
        if theta.ndim != 2 or theta.shape[1] != len(params):
            raise StoreError(f"theta must have shape (draw, {len(params)}), got {theta.shape}")
        mark = self._marks.rounds.get((chain, round))
        stored = self._stored_theta(mark) if mark else None
        if stored is not None and stored.shape[1] == len(params):
            theta = stored
        layout = RoundLayout(tuple(params), tuple(outputs), len(theta), block)
        identity = layout.identity(theta)
        same = mark is not None and mark["id"] == identity
        if mark and same and stored is not None and group_holds(self.root, mark, "size"):
            return theta
        record = {
            "kind": "prepared",
            "id": identity,
            "theta": content_digest(theta),
            "draws": layout.draws,
            "block": layout.block,
            "blocks": layout.blocks,
        }
        files = encode_round(chain, round, layout, theta)
        self._replace((chain, round), record, files, keep_shards=same)
        return theta

    def missing(self, blocks: Iterable[Block], verify: Verify = "size") -> list[Block]:
        """Those blocks of prepared rounds that have still to be computed; void marks that fail."""
        listed, marked = list(blocks), self._marks.done()
        keys = [b.key for b in listed if b.key in marked]
        good = blocks_that_hold(self.root, marked, keys, verify)
        self._void(key for key in keys if key not in good)
        return [b for b in listed if b.key not in good]

    def mark(self, *reports: BlockReport) -> None:
        """Record that blocks lie in the store, with one fsync for all of them."""
        records = []
        for report in reports:
            b = report.block
            prepared = self._marks.rounds.get((b.chain, b.round))
            if prepared is None:
                raise StoreError(f"{b.chain}/{b.round} was not prepared: its blocks have no mark")
            records.append(
                {
                    "kind": "block",
                    "chain": b.chain,
                    "group": b.round,
                    "index": b.index,
                    "start": b.start,
                    "stop": b.stop,
                    "diverged": report.diverged,
                    "failed": report.failed,
                    **({"cause": report.cause} if report.cause else {}),
                    "seconds": report.seconds,
                    "host": report.host,
                    "digests": report.digests,
                    "id": prepared["id"],
                }
            )
        if records:
            self._append(*records)

    def put(
        self,
        chain: str,
        group: str,
        variables: Sequence[Variable],
        coords: Sequence[Variable] = (),
        attrs: Mapping[str, Any] | None = None,
    ) -> dict[str, list[int | str]]:
        """Write a small data set whole and durably, mark it, return {file: [bytes, SHA-256]}.

        The same content again leaves everything as it is; other content replaces it.
        """
        self._the_lock()
        folder, attrs = self._group(chain, group), attrs or {}
        if (chain, group) in self._marks.rounds:
            raise StoreError(f"{folder} is a round; a data set needs a name of its own")
        check_distinct(v.name for v in [*variables, *coords])
        sizes([*variables, *coords])
        identity = put_identity(variables, coords, attrs)
        mark = self._marks.puts.get((chain, group))
        if not (mark and mark["id"] == identity and group_holds(self.root, mark, "full")):
            files = encode_put(chain, group, variables, coords, attrs)
            self._replace((chain, group), {"kind": "put", "id": identity}, files)
        return self._marks.puts[chain, group]["files"]

    def forget(self, blocks: Iterable[BlockKey], groups: Iterable[GroupKey]) -> None:
        """Void the marks of blocks, and of groups with all they hold: they are computed anew."""
        self._void(blocks)
        records = [{"kind": "void", "chain": c, "group": g} for c, g in groups]
        if records:
            self._append(*records)

    def check_room(self, size: int, files: int) -> None:
        """Raise StoreError where `size` bytes in so many `files` do not fit."""
        check_room(self.folder, size, files)

    def audit(self, verify: Verify = "full") -> list[BlockKey]:
        """Verify every marked block; void and return those that do not hold."""
        done = self._marks.done()
        lost = sorted(done.keys() - blocks_that_hold(self.root, done, done, verify))
        self._void(lost)
        return lost

    def finish(self) -> None:
        """Remove what killed workers left half written, and publish the final index of all groups:
        xarray then opens everything with one read.
        """
        lock, _ = self._the_lock()
        lock.check()
        with storage_faults(self.folder):
            sweep(self.root)
            self._index()

    def _the_lock(self) -> tuple[DriverLock, Ledger]:
        if self._held is None:
            raise StoreError("only a driver that holds the lock may write: `with Driver(...)`")
        return self._held

    def _append(self, *records: Mapping[str, Any]) -> list[Record]:
        _, ledger = self._the_lock()
        marks = self._marks
        with storage_faults(self.folder):
            stored = ledger.append(*records)
        marks.apply(stored)
        return stored

    def _void(self, keys: Iterable[BlockKey]) -> None:
        records = [{"kind": "void", "chain": c, "group": g, "index": i} for c, g, i in keys]
        if records:
            self._append(*records)

    def _stored_theta(self, mark: Record) -> np.ndarray | None:
        try:
            theta = self.theta(mark["chain"], mark["group"])
        except StoreError:
            return None
        return theta if content_digest(theta) == mark["theta"] else None

    def _replace(
        self, key: GroupKey, record: Record, files: Files, *, keep_shards: bool = False
    ) -> None:
        """Void the group's old mark, write its files, mark them."""
        (chain, group), folder = key, self._group(*key)
        self._the_lock()[0].check()  # a driver that was paused must not remove another's work
        if not keep_shards:
            if key in self._marks.rounds or key in self._marks.puts:
                self._append({"kind": "void", "chain": chain, "group": group})
            with storage_faults(self.folder):
                if folder.exists():
                    shutil.rmtree(folder)
        with storage_faults(self.folder):
            _write_files(self.root, files)
        prefix = f"{chain}/{group}/"
        digests = {
            name.removeprefix(prefix): [len(data), sha256(data)]
            for name, data in files.items()
            if name.startswith(prefix)
        }
        self._append({**record, "chain": chain, "group": group, "files": digests})
        if time.monotonic() >= self._index_after:
            with storage_faults(self.folder):
                self._index()

    def _index(self) -> None:
        begin = time.monotonic()
        consolidate(self.root, root_attrs(self.sha256))
        end = time.monotonic()
        self._index_after = end + (end - begin) / _INDEX_SHARE


def _write_files(root: Path, files: Files) -> None:
    """Write those that differ from what lies on disk, then make every directory durable."""
    paths = [root / name for name in files]
    for path, data in zip(paths, files.values(), strict=True):
        if not (path.is_file() and path.read_bytes() == data):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, data)
    sync_directories(paths, root)
