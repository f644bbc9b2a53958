"""What the ledger's records amount to: rounds prepared, blocks done, groups put, other events.

Four kinds of records are marks:

    prepared  a round's theta and layout lie in the store; `id` names exactly these
    block     a block's arrays lie in the store, for the preparation whose `id` it carries
    put       a small group lies in the store, whole
    void      what was said about a round, a block or a group no longer holds
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hpcvbi.store.ledger import Record

BlockKey = tuple[str, str, int]
GroupKey = tuple[str, str]
KINDS = ("prepared", "block", "put", "void")


@dataclass
class Marks:
    """The state of the ledger after some records; `apply` moves it on."""

    rounds: dict[GroupKey, Record] = field(default_factory=dict)
    blocks: dict[BlockKey, Record] = field(default_factory=dict)
    puts: dict[GroupKey, Record] = field(default_factory=dict)
    events: list[Record] = field(default_factory=list)
    ignored: int = 0

    def apply(self, records: Iterable[Record]) -> None:
        """Take records into account, in the order of writing; malformed ones are only counted."""
        for record in records:
            try:
                self._apply(record)
            except (KeyError, TypeError, ValueError):
                self.ignored += 1

    def _apply(self, record: Record) -> None:
        kind = record["kind"]
        if kind not in KINDS:
            self.events.append(record)
            return
        group = (str(record["chain"]), str(record["group"]))
        if kind == "prepared":
            _ = (
                record["id"],
                dict(record["files"]),
                [int(record[k]) for k in ("draws", "block", "blocks")],
            )
            self.rounds[group] = record
        elif kind == "put":
            _ = record["id"], dict(record["files"])
            self.puts[group] = record
        elif kind == "block":
            _ = (
                record["id"],
                dict(record["digests"]),
                [int(record[k]) for k in ("start", "stop", "diverged")],
                int(record.get("failed", 0)),
            )
            self.blocks[(*group, int(record["index"]))] = record
        elif "index" in record:
            self.blocks.pop((*group, int(record["index"])), None)
        else:
            self.rounds.pop(group, None)
            self.puts.pop(group, None)
            for key in [key for key in self.blocks if key[:2] == group]:
                del self.blocks[key]

    def done(self) -> dict[BlockKey, Record]:
        """Blocks marked for the preparation of their round that counts."""
        return {
            key: record
            for key, record in self.blocks.items()
            if key[:2] in self.rounds and self.rounds[key[:2]]["id"] == record["id"]
        }
