"""Merging: what another store of the same study holds of its people is copied, with its marks.

For each group of a person: the files, each compared with the digest that its mark names; fsync of
files and directories; then the marks, with one fsync. What is there already, as marked, is left
alone, so that a merge that was killed is completed by the next one, and another changes nothing.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError, StoreMismatch
from hpcvbi.store import keys
from hpcvbi.store.damage import Marked, marked_files, path_of
from hpcvbi.store.driver import Driver
from hpcvbi.store.durable import (
    check_room,
    copy_file,
    file_digest,
    patiently,
    storage_faults,
    sync_directories,
)
from hpcvbi.store.ledger import Record
from hpcvbi.store.manifest import knows
from hpcvbi.store.marks import BlockKey, GroupKey
from hpcvbi.store.parts import has_store
from hpcvbi.store.progress import read_marks
from hpcvbi.store.store import Store
from hpcvbi.store.tombstone import bury, check_finished, is_withdrawn, tombstones
from hpcvbi.store.trust import check_tree, is_plain
from hpcvbi.store.verify import blocks_that_hold, group_holds
from hpcvbi.store.withdraw import scrubbed

_THREADS = 8
_STAYS = ("extended", "merged")
"""Events that concern one store only."""


@dataclass(frozen=True)
class Piece:
    """What a store lacks of a person's group: the marks to be copied, that of the group first."""

    chain: str
    group: str
    marks: tuple[Record, ...]

    @property
    def files(self) -> list[Marked]:
        """Files that the marks name."""
        return [file for mark in self.marks for file in marked_files(mark)]


@dataclass(frozen=True)
class Copied:
    """How many files and bytes a merge has copied, of which people."""

    people: tuple[str, ...]
    files: int
    bytes: int


def merge_parts(
    folder: Path,
    study: Mapping[str, Any],
    sha256: str,
    parts: Sequence[tuple[Store, Collection[str]]],
    leave: Collection[str],
) -> Copied:
    """Copy what parts have of the people named with each into the store in `folder`, which is made
    if need be, but for the groups in `leave`.

    Raises
    ------
    StoreBusy, StoreMismatch
        The store in `folder` has a driver, is another study's, or has other results of somebody.
    StoreError
        There is no room, a part is damaged, or somebody has to withdraw from the store first.
    """
    bury_as_in(folder, [part for part, _ in parts])
    with Driver.create(folder, study, sha256) as store:
        found = [(part, list(pieces(store, part, people, leave))) for part, people in parts]
        files = [file for _, listed in found for piece in listed for file in piece.files]
        size = sum(file.size for file in files)
        check_room(folder, size, len(files), "what is merged")
        for part, listed in found:
            take(store, part, listed)
        events = sum(take_events(store, part) for part, _ in parts)
        names = sorted({file.chain for file in files})
        if files or events:
            store.append("merged", people=names, files=len(files), bytes=size)
        store.finish()
    return Copied(tuple(names), len(files), size)


def pieces(
    store: Store, part: Store, people: Iterable[str], leave: Collection[str]
) -> Iterator[Piece]:
    """Yield what `part` has of these people and `store` has not, person by person, but for the
    groups in `leave`.

    Raises
    ------
    StoreMismatch
        Both have a group, and not the same.
    """
    check_tree(part.root)
    ours, theirs = (read_marks(side.folder, side.manifests) for side in (store, part))
    wanted, own = set(people), ours.done()
    blocks = defaultdict[GroupKey, dict[BlockKey, Record]](dict)
    for block, record in sorted(theirs.done().items()):
        blocks[block[:2]][block] = record
    for key, mark in sorted({**theirs.rounds, **theirs.puts}.items()):
        if key[0] not in wanted or key[1] in leave:
            continue
        had, listed = ours.rounds.get(key) or ours.puts.get(key), blocks[key]
        both = [block for block in listed if block in own]
        if had and not _is_same(had, mark, ((own[b], listed[b]) for b in both)):
            raise StoreMismatch(
                f"{store.folder} has another {'/'.join(key)} than {part.folder}: one of them was "
                "computed again, or by other versions. Choose another `output:` for the merged "
                "study"
            )
        good = blocks_that_hold(store.root, own, both, "size")
        whole = had is not None and group_holds(store.root, had, "size")
        lacking = [*([] if whole else [mark]), *(listed[b] for b in listed if b not in good)]
        if lacking:
            yield Piece(*key, tuple(lacking))


def take(store: Driver, part: Store, found: Iterable[Piece]) -> None:
    """Copy pieces of a part, then their marks; StoreError where a file is not as marked."""
    for person, group in groupby(found, attrgetter("chain")):
        if keys.is_sealed(part.folder):
            with storage_faults(store.folder):
                keys.adopt(store.folder, part.folder, person)
        store.restore_people([person])
        for piece in group:
            with storage_faults(store.folder):
                _copy(store.root, part, piece.files)
            store.adopt(piece.marks)


def take_events(store: Driver, part: Store) -> int:
    """Append the events of a part that the store has not, without what names people who have
    withdrawn from the store; return how many.
    """
    gone, known = tombstones(store.folder), {_content(event) for event in store.events()}
    found = []
    for event in part.events():
        record: Record | None = event if event["kind"] not in _STAYS else None
        for person in gone:
            record = record and scrubbed(b"", record, person)
        if record and _content(record) not in known:
            found.append(record)
    if found:
        store.adopt(found)
    return len(found)


def bury_as_in(folder: Path, parts: Sequence[Store]) -> None:
    """Write the tombstones of all parts into the folder of a store, which need not be there yet.

    Raises
    ------
    StoreError
        The store there knows somebody who has withdrawn from a part; then nothing is written.
    """
    stones = {name: stone for part in parts for name, stone in tombstones(part.folder).items()}
    fresh = {name: stones[name] for name in sorted(stones) if not is_withdrawn(folder, name)}
    for part in parts:
        check_finished(part.folder)
    for person in fresh:
        if has_store(folder) and knows(folder, person):
            raise StoreError(
                f"{person} has withdrawn from a part, and {folder} still holds them: run `hpcvbi "
                f"withdraw {folder} {person}` first"
            )
    with storage_faults(folder):
        for stone in fresh.values():
            bury(folder, stone)


def _is_same(mine: Record, theirs: Record, blocks: Iterable[tuple[Record, Record]]) -> bool:
    """Whether two marks of a group, and those of its blocks that both have, name equal files."""
    same = (mine["id"], mine["files"]) == (theirs["id"], theirs["files"])
    return same and all(a["digests"] == b["digests"] for a, b in blocks)


def _copy(root: Path, part: Store, files: Sequence[Marked]) -> None:
    places = [path_of(part.root, file).relative_to(part.root) for file in files]
    for folder in {(root / place).parent for place in places}:
        folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_THREADS) as pool:
        held = list(pool.map(partial(_copied, root, part.root), places, files))
    if bad := [file.place for file, holds in zip(files, held, strict=True) if not holds]:
        more = f" and {len(bad) - 1} more files are" if len(bad) > 1 else " is"
        raise StoreError(
            f"{part.folder} is damaged: {bad[0]}{more} not as its ledger says. Run `hpcvbi verify "
            f"{part.folder} --repair`, then merge again; what was copied stays"
        )
    sync_directories((root / place for place in places), root)


def _copied(root: Path, source: Path, place: Path, file: Marked) -> bool:
    digest = [file.size, file.sha256]
    path = root / place
    if path.is_file() and file_digest(path) == digest:  # by a merge that was killed
        return True
    try:
        return is_plain(source / place) and patiently(
            partial(copy_file, source / place, path, digest)
        )
    except FileNotFoundError:
        return False


def _content(event: Record) -> str:
    return json.dumps({**event, "study": ""}, sort_keys=True)
