"""What the ledger's records amount to: rounds prepared, blocks done, groups put, other events.

Five kinds of records are marks:

    prepared  a round's theta and layout lie in the store; `id` names exactly these
    block     a block's arrays lie in the store, for the preparation whose `id` it carries
    put       a small group lies in the store, whole
    void      what was said about a round, a block or a group no longer holds
    stale     a group was built on data of somebody who has withdrawn; until it is written again

What a void mark said is remembered until there is a new one, so that whoever writes the same again
can be held to it; unless an extension of the study superseded it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from hpcvbi.core.block import BlockReport
from hpcvbi.core.errors import HpcvbiError, StoreMismatch
from hpcvbi.core.identifier import check_chain
from hpcvbi.store.layout import check_name
from hpcvbi.store.ledger import Record, Refused
from hpcvbi.store.trust import check_record

BlockKey = tuple[str, str, int]
GroupKey = tuple[str, str]
KINDS = ("prepared", "block", "put", "void", "stale")


@dataclass
class Marks:
    """The state of the ledger after some records; `apply` moves it on.

    `void_rounds`, `void_blocks` and `void_puts` are the last marks that were made void; `history`
    is every mark of files that ever was, in the order of writing. `pending` are records that the
    next driver has to append, to carry an extension out.
    """

    rounds: dict[GroupKey, Record] = field(default_factory=dict)
    blocks: dict[BlockKey, Record] = field(default_factory=dict)
    puts: dict[GroupKey, Record] = field(default_factory=dict)
    stale: set[GroupKey] = field(default_factory=set)
    void_rounds: dict[GroupKey, Record] = field(default_factory=dict)
    void_blocks: dict[BlockKey, Record] = field(default_factory=dict)
    void_puts: dict[GroupKey, Record] = field(default_factory=dict)
    events: list[Record] = field(default_factory=list)
    history: list[Record] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    pending: list[Record] = field(default_factory=list)

    @property
    def ignored(self) -> int:
        """Number of lines that are not believed."""
        return len(self.refused)

    def apply(self, records: Iterable[Record]) -> None:
        """Take records into account, in the order of writing; malformed ones are refused."""
        for record in records:
            try:
                self._apply(record)
            except (KeyError, TypeError, ValueError, HpcvbiError) as error:
                why = f"a {record['kind']} without a readable {str(error)[:80]}"
                self.refused.append(Refused("", 0, why))

    def _apply(self, record: Record) -> None:
        kind = record["kind"]
        if kind not in KINDS:
            self.events.append(record)
            return
        check_record(record)
        group = (check_chain(record["chain"]), check_name(record["group"]))
        if kind == "prepared":
            _ = (
                record["id"],
                dict(record["files"]),
                [int(record[k]) for k in ("draws", "block", "blocks")],
            )
            self.rounds[group] = record
            self.stale.discard(group)
            self.void_rounds.pop(group, None)
            for key, was in list(self.void_blocks.items()):
                if key[:2] == group and was["id"] != record["id"]:
                    del self.void_blocks[key]
        elif kind == "put":
            _ = record["id"], dict(record["files"])
            self.puts[group] = record
            self.stale.discard(group)
            self.void_puts.pop(group, None)
        elif kind == "stale":
            self.stale.add(group)
        elif kind == "block":
            _ = (
                record["id"],
                dict(record["digests"]),
                [int(record[k]) for k in ("start", "stop", "diverged")],
                int(record.get("failed", 0)),
            )
            key = (*group, int(record["index"]))
            self.blocks[key] = record
            self.void_blocks.pop(key, None)
        elif "index" in record:
            key = (*group, int(record["index"]))
            self._void_block(key)
            if record.get("superseded"):
                self.void_blocks.pop(key, None)
        else:
            outdated = record.get("superseded") or group in self.stale
            self.stale.discard(group)
            for marks, void in ((self.rounds, self.void_rounds), (self.puts, self.void_puts)):
                if group in marks:
                    void[group] = marks.pop(group)
            for key in [key for key in self.blocks if key[:2] == group]:
                self._void_block(key)
            if outdated:
                self._forget(group)
        if kind not in ("void", "stale"):
            self.history.append(record)

    def supersede(self, groups: Collection[str]) -> None:
        """Take groups for void in everybody, and keep the records that say so in `pending`."""
        keys = sorted(key for key in {**self.rounds, **self.puts} if key[1] in groups)
        self.pending = [
            {"kind": "void", "chain": c, "group": g, "superseded": True} for c, g in keys
        ]
        self.apply(self.pending)

    def _forget(self, group: GroupKey) -> None:
        self.void_rounds.pop(group, None)
        self.void_puts.pop(group, None)
        for key in [key for key in self.void_blocks if key[:2] == group]:
            del self.void_blocks[key]

    def _void_block(self, key: BlockKey) -> None:
        if key in self.blocks:
            self.void_blocks[key] = self.blocks.pop(key)

    def done(self) -> dict[BlockKey, Record]:
        """Blocks marked for the preparation of their round that counts."""
        return {
            key: record
            for key, record in self.blocks.items()
            if key[:2] in self.rounds and self.rounds[key[:2]]["id"] == record["id"]
        }


def block_mark(report: BlockReport, prepared: Record) -> Record:
    """Return the mark of a block for the preparation of its round that counts."""
    b = report.block
    return {
        "kind": "block",
        "chain": b.chain,
        "group": b.round,
        "index": b.index,
        "start": b.start,
        "stop": b.stop,
        "diverged": report.diverged,
        "failed": report.failed,
        "halved": report.halved,
        "quartered": report.quartered,
        **({"cause": report.cause} if report.cause else {}),
        "seconds": report.seconds,
        "host": report.host,
        "memory": report.memory,
        "digests": report.digests,
        "id": prepared["id"],
    }


def void_marks(
    blocks: Iterable[BlockKey], groups: Iterable[GroupKey], superseded: bool
) -> list[Record]:
    """Return the records that take the marks of blocks and of whole groups back."""
    about = {"kind": "void", **({"superseded": True} if superseded else {})}
    records = [{**about, "chain": c, "group": g, "index": i} for c, g, i in blocks]
    return records + [{**about, "chain": c, "group": g} for c, g in groups]


def same_content(mark: Record, report: BlockReport) -> bool:
    """Whether a block has the content that a mark names, by the digests of its arrays."""
    was = {name: digest[2] for name, digest in mark["digests"].items()}
    return was == {name: digest[2] for name, digest in report.digests.items()}


def differs(group: str, what: str) -> StoreMismatch:
    """Return the error of what was written again and is not what its mark named."""
    return StoreMismatch(
        f"{group}: {what} does not come back as the ledger has it, so nothing was overwritten. "
        "Were code, versions or the processor changed since? `hpcvbi run` accepts the change"
    )
