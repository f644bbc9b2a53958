"""What only the one driver may do: prepare rounds, mark blocks, put data sets, append events.

Whatever is about to be overwritten loses its mark first, so that no mark ever names other bytes.
An `exact` driver repairs: it writes again what the ledger names, and refuses all that differs.
"""

import contextlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import StoreError
from hpcvbi.core.identifier import check_chain
from hpcvbi.core.space import Param
from hpcvbi.store import keys, marks
from hpcvbi.store.durable import storage_faults, sweep, write_files
from hpcvbi.store.encode import Files, digests, encode_put, encode_round, person_files
from hpcvbi.store.growth import kept_blocks
from hpcvbi.store.index import Indexer
from hpcvbi.store.layout import Output, RoundLayout, Variable, check_distinct, put_identity, sizes
from hpcvbi.store.ledger import Ledger, Record
from hpcvbi.store.lock import STALE_S, DriverLock
from hpcvbi.store.manifest import check_same_study, write_extension
from hpcvbi.store.marks import KINDS, BlockKey, GroupKey, block_mark, differs, same_content
from hpcvbi.store.store import Store
from hpcvbi.store.tombstone import check_finished, tombstones
from hpcvbi.store.trust import check_tree
from hpcvbi.store.verify import Verify, blocks_that_hold, group_holds


class Driver(Store):
    """A store with its lock, as a context manager; StoreBusy on entry if another driver lives.

    `written` are the records that this driver has appended to the ledger.
    """

    def __init__(
        self, folder: Path | str, stale_s: float = STALE_S, *, exact: bool = False
    ) -> None:
        super().__init__(folder)
        self._stale_s, self._exact = stale_s, exact
        self._held: tuple[DriverLock, Ledger] | None = None
        self._indexer = Indexer(self.root)
        self._about: dict[str, dict[str, Any]] = {}
        self.written: list[Record] = []

    def __enter__(self) -> Self:
        check_tree(self.root)
        with storage_faults(self.folder):
            lock = DriverLock(self.folder, self._stale_s)
            try:
                check_finished(self.folder)
                was = self.study, self.sha256
                self._read_manifests()
                gone = tombstones(self.folder)
                check_same_study(self.folder, self.study, self.sha256, *was, gone)
                sweep(self.root)
                for leftover in self.folder.glob("*.tmp"):
                    leftover.unlink(missing_ok=True)
                self._indexer.write(self.sha256)
            except BaseException:
                lock.release()
                raise
        self._replayed = None
        self._held = lock, Ledger(self.folder / "ledger", self.ledger_sha256, lock.check)
        try:
            self._carry_out()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        lock, ledger = self._the_lock()
        ledger.close()
        self._held = None
        with contextlib.suppress(OSError):  # an index only: the next driver writes it again
            if lock.held():
                self._indexer.write(self.sha256)
        lock.release()

    def append(self, kind: str, **fields: Any) -> Record:
        """Append an event to the ledger, durably: any kind that is no mark, any JSON fields."""
        if kind in KINDS:
            raise StoreError(f"{kind!r} is a mark, which prepare, mark and put make; name it else")
        return self._append({**fields, "kind": kind})[0]

    def adopt(self, records: Iterable[Record]) -> None:
        """Append records of another ledger, with the times they have there, with one fsync."""
        self._append(*records)

    def describe(self, chain: str, attrs: Mapping[str, Any]) -> None:
        """Give all groups of a person that are written from now on these attributes."""
        self._about[chain] = dict(attrs)

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
        them; only where they are damaged or stale do the given ones count. Where more are given,
        they follow the stored ones, and full blocks keep their marks; where layout or draws change
        otherwise, the round's blocks lose them.
        """
        self._the_lock()
        folder = self._group(chain, round)
        if (chain, round) in self._marks.puts:
            raise StoreError(f"{folder} is a data set written whole, not a round")
        theta = np.ascontiguousarray(theta, dtype=np.float64)
        if theta.ndim != 2 or theta.shape[1] != len(params):
            raise StoreError(f"theta must have shape (draw, {len(params)}), got {theta.shape}")
        place, stale = (chain, round), self.is_stale(chain, round)
        mark = self._marks.rounds.get(place)
        stored = self._stored_theta(mark) if mark and not stale else None
        if stored is not None and stored.shape[1] == len(params):
            theta = np.concatenate([stored, theta[len(stored) :]])
        layout = RoundLayout(tuple(params), tuple(outputs), len(theta), block)
        key = self._name_of_key(chain)
        identity = keys.blind(self.folder, chain, layout.identity(theta))
        same = mark is not None and mark["id"] == identity
        if mark and same and stored is not None and group_holds(self.root, mark, "full"):
            return theta
        if mark and not same and self._exact and not stale:
            raise differs(f"{chain}/{round}", "its draws or its layout")
        files = encode_round(chain, round, layout, theta, self._about.get(chain, {}), key)
        blind = partial(keys.blind, self.folder, chain)
        kept = [] if same else kept_blocks(self.root, self._marks, place, layout, theta, blind)
        self._replace(place, layout.mark(theta, blind), files, same=same, kept=kept)
        return theta

    def missing(self, blocks: Iterable[Block], verify: Verify = "size") -> list[Block]:
        """Those blocks of prepared rounds that have still to be computed; void marks that fail."""
        listed, marked = list(blocks), self._marks.done()
        keys = [b.key for b in listed if b.key in marked]
        good = blocks_that_hold(self.root, marked, keys, verify)
        self.void(key for key in keys if key not in good)
        return [b for b in listed if b.key not in good]

    def mark(self, *reports: BlockReport) -> None:
        """Record that blocks lie in the store, with one fsync for all of them."""
        records = []
        for report in reports:
            b = report.block
            prepared = self._marks.rounds.get((b.chain, b.round))
            if prepared is None:
                raise StoreError(f"{b.chain}/{b.round} was not prepared: its blocks have no mark")
            records.append(block_mark(report, prepared))
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
        folder, attrs = self._group(chain, group), {**self._about.get(chain, {}), **(attrs or {})}
        if (chain, group) in self._marks.rounds:
            raise StoreError(f"{folder} is a round; a data set needs a name of its own")
        check_distinct(v.name for v in [*variables, *coords])
        sizes([*variables, *coords])
        key = self._name_of_key(chain)
        identity = keys.blind(self.folder, chain, put_identity(variables, coords, attrs))
        mark = self._marks.puts.get((chain, group))
        stale = self.is_stale(chain, group)
        same = mark is not None and mark["id"] == identity and not stale
        if not (mark and same and group_holds(self.root, mark, "full")):
            was = mark or self._marks.void_puts.get((chain, group))
            if self._exact and was and was["id"] != identity and not stale:
                raise differs(f"{chain}/{group}", "it")
            files = encode_put(chain, group, variables, coords, attrs, key)
            self._replace((chain, group), {"kind": "put", "id": identity}, files)
        return self._marks.puts[chain, group]["files"]

    def void(
        self, blocks: Iterable[BlockKey], puts: Iterable[GroupKey] = (), superseded: bool = False
    ) -> None:
        """Take the marks of blocks and groups back, durably; groups go for good if `superseded`."""
        puts = list(puts)
        if records := marks.void_marks(blocks, puts, superseded):
            self._append(*records)
        self._remove(puts if superseded else ())

    def as_before(self, report: BlockReport) -> bool:
        """Whether an exact driver may mark a block: its content is what its void mark named."""
        was = self._marks.void_blocks.get(report.block.key) if self._exact else None
        return was is None or same_content(was, report)

    def failed_before(self, block: Block) -> str | None:
        """Why an exact driver has to store a block as failed, as its void mark says; or None."""
        was = self._marks.void_blocks.get(block.key, {}) if self._exact else {}
        return was.get("cause", "") if was.get("failed") else None

    def restore_people(self, people: Iterable[str]) -> None:
        """Write the metadata of people's folders again, which no mark names."""
        self._the_lock()
        with storage_faults(self.folder):
            for person in people:
                write_files(self.root, person_files(check_chain(person)))

    def extend(self, study: Mapping[str, Any], sha256: str, groups: Sequence[str]) -> None:
        """Let a larger study take over, durably; `groups` are superseded in everybody there is.

        A crash leaves the old study or the larger one; what is superseded goes with the latter.
        """
        lock, _ = self._the_lock()
        lock.check()
        with storage_faults(self.folder):
            write_extension(self.folder, study, sha256, groups)
        self._read_manifests()
        self._carry_out()

    def finish(self) -> None:
        """Remove what killed workers left half written, and publish the final index of all groups:
        xarray then opens everything with one read.
        """
        lock, _ = self._the_lock()
        lock.check()
        with storage_faults(self.folder):
            sweep(self.root)
            self._indexer.write(self.sha256)

    def _name_of_key(self, chain: str) -> str | None:
        # a key that sealed what is marked is never replaced: it has to be restored
        return keys.name_of_key(self.folder, chain, self.study, make=not self.groups(chain))

    def _the_lock(self) -> tuple[DriverLock, Ledger]:
        if self._held is None:
            raise StoreError("only a driver that holds the lock may write: `with Driver(...)`")
        return self._held

    def _append(self, *records: Mapping[str, Any]) -> list[Record]:
        _, ledger = self._the_lock()
        current = self._marks
        with storage_faults(self.folder):
            stored = ledger.append(*records)
        current.apply(stored)
        self.written += stored
        return stored

    def _carry_out(self) -> None:
        """Void and remove what an extension supersedes, unless the ledger says it was done."""
        self._replayed = None
        pending = list(self._marks.pending)
        if not pending:
            return
        self._append(*pending)
        self._marks.pending.clear()
        self._remove((r["chain"], r["group"]) for r in pending if r["kind"] == "void")
        with storage_faults(self.folder):
            self._indexer.write(self.sha256)

    def _remove(self, groups: Iterable[GroupKey]) -> None:
        for group in groups:
            shutil.rmtree(self._group(*group), ignore_errors=True)

    def _replace(
        self,
        key: GroupKey,
        record: Record,
        files: Files,
        *,
        same: bool = False,
        kept: Sequence[Record] = (),
    ) -> None:
        """Void the group's old mark unless it is the `same`, write its files, mark them and the
        blocks that are `kept`.
        """
        (chain, group), folder = key, self._group(*key)
        self._the_lock()[0].check()  # a driver that was paused must not remove another's work
        if not same and (key in self._marks.rounds or key in self._marks.puts):
            self.void((), [key])
        with storage_faults(self.folder):
            write_files(self.root, files, None if same or kept else folder)
        about = {"chain": chain, "group": group, "files": digests(files, chain, group)}
        self._append({**record, **about}, *kept)
        with storage_faults(self.folder):
            self._indexer.write_if_due(self.sha256)
