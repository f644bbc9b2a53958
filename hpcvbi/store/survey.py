"""A store checked in full: every file that the ledger names, by SHA-256, and what else is there.

It takes no lock and may run beside a live driver: what fails is looked at again with the ledger as
it is by then, for a driver voids a mark before it touches what the mark names.

A checksum of a line is no signature: whoever can write the ledger can forge it.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from time import monotonic

from hpcvbi.core.errors import StoreError
from hpcvbi.store import keys
from hpcvbi.store.damage import Damage, Known, Marked, marked_files, path_of
from hpcvbi.store.durable import TEMPORARY
from hpcvbi.store.encode import person_files
from hpcvbi.store.index import index
from hpcvbi.store.ledger import Refused
from hpcvbi.store.lock import LOCK_NAME, Owner
from hpcvbi.store.manifest import read_manifests
from hpcvbi.store.marks import GroupKey, Marks
from hpcvbi.store.parts import parts_in
from hpcvbi.store.progress import driver_of, read_marks
from hpcvbi.store.tombstone import tombstones
from hpcvbi.store.trust import LARGEST_INDEX, LARGEST_METADATA, read_json

BESIDE = (LOCK_NAME, "run.log", "report.html")
"""Files beside store.zarr that belong there, besides manifests and ledger."""
OF_THE_CLUSTER = ("jobs", "performance", ".cluster-*")
"""Folders of what runs print and keep about themselves, and of their keys."""
_LOOKS = 3
"""How often what fails is looked at again, with the ledger as it is by then."""
_THREADS = max(2, min(16, os.cpu_count() or 2))


@dataclass(frozen=True)
class Survey:
    """What was found.

    `files` and `bytes` were read in `seconds`; `blocks` and `groups` are marked. `unmarked` are the
    blocks of prepared rounds that have no mark (yet). `refused` are lines of the ledger that are
    not believed. `leftovers` are files under construction that nobody finished, `unmarked_files`
    files of groups that the ledger does not vouch for any more, `strangers` all other files that do
    not belong there. `index_behind`: the root's metadata lack groups that the store has.
    """

    sha256: str
    damage: tuple[Damage, ...]
    files: int
    bytes: int
    seconds: float
    blocks: int
    groups: int
    unmarked: dict[GroupKey, tuple[int, ...]]
    refused: tuple[Refused, ...]
    leftovers: tuple[str, ...]
    unmarked_files: tuple[str, ...]
    strangers: tuple[str, ...]
    index_behind: bool
    driver: Owner | None

    @property
    def holds(self) -> bool:
        """Whether everything that is marked is there, as marked."""
        return not self.damage


def survey(folder: Path | str) -> Survey:
    """Check a store in full; StoreError where it cannot be checked at all."""
    folder = Path(folder)
    root, begin = folder / "store.zarr", monotonic()
    sha256 = read_manifests(folder)[-1].sha256
    marks = _marks(folder)
    listed = _files_of(folder, marks)
    damage, seen = _examine(root, marks, listed), set(listed)
    for _ in range(_LOOKS):
        if not damage:
            break
        marks = _marks(folder)
        listed = _files_of(folder, marks)
        doubtful = [file for file in listed if file in damage or file not in seen]
        damage = _examine(root, marks, doubtful)
        seen.update(doubtful)
    found = list(damage.values())
    driver = driver_of(folder)
    alive = driver is not None and driver.alive is not False
    people = sorted({file.chain for file in listed})
    found += _people(root, people)
    found += _keys(folder, people)
    wrong, behind = _index(root, sha256, {file.file for file in found})
    found += [] if driver else wrong  # whoever was killed left it behind, the next one mends it
    leftovers, unvouched, strangers = _others(folder, marks, listed, people, alive)
    return Survey(
        sha256=sha256,
        damage=tuple(sorted(found, key=_order)),
        files=len(listed),
        bytes=sum(file.size for file in listed),
        seconds=monotonic() - begin,
        blocks=len(marks.done()),
        groups=len(marks.rounds) + len(marks.puts),
        unmarked=_unmarked(marks),
        refused=_without_growing_tail(folder, marks.refused, alive),
        leftovers=leftovers,
        unmarked_files=unvouched,
        strangers=strangers,
        index_behind=behind or bool(driver and wrong),
        driver=driver,
    )


def _marks(folder: Path) -> Marks:
    return read_marks(folder, read_manifests(folder))


def _files_of(folder: Path, marks: Marks) -> list[Marked]:
    """Marked files, but for those of people whose withdrawal is under way."""
    gone = tombstones(folder)
    records = [*marks.rounds.values(), *marks.puts.values(), *marks.done().values()]
    return [f for record in records if record["chain"] not in gone for f in marked_files(record)]


def _examine(root: Path, marks: Marks, listed: Iterable[Marked]) -> dict[Marked, Damage]:
    files, known = list(listed), Known(marks.history)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda file: known.examine(root, file), files)
        return {file: bad for file, bad in zip(files, found, strict=True) if bad is not None}


def _order(damage: Damage) -> tuple[str, str, int, str, str]:
    block = -1 if damage.block is None else damage.block
    return damage.chain, damage.group, block, damage.array, damage.file


def _people(root: Path, people: Iterable[str]) -> Iterator[Damage]:
    """The metadata of people's folders, which no mark names: they are the same in every store."""
    for person in people:
        for name, wanted in person_files(person).items():
            path = root / name
            file = f"{root.name}/{name}"
            try:
                if read_json(path, LARGEST_METADATA) != json.loads(wanted):
                    yield Damage(person, "", None, "", "other content", file)
            except FileNotFoundError:
                yield Damage(person, "", None, "", "missing", file)
            except (OSError, ValueError, RecursionError):
                yield Damage(person, "", None, "", "flipped bits", file)


def _keys(folder: Path, people: Iterable[str]) -> Iterator[Damage]:
    """The wrapped keys that are gone: without them nothing of the person can be read any more."""
    if keys.is_sealed(folder):
        for person in people:
            if not (folder / (name := f"keys/people/{person}.key")).is_file():
                yield Damage(person, "", None, "", "missing", name)


def _index(root: Path, sha256: str, damaged: set[str]) -> tuple[list[Damage], bool]:
    """Damage to the index of all groups, and whether it is behind the store."""
    path, name = root / "zarr.json", f"{root.name}/zarr.json"
    try:
        wanted = json.loads(index(root, sha256))
        found = read_json(path, LARGEST_INDEX)
        nodes = found["consolidated_metadata"]["metadata"]
        theirs = wanted["consolidated_metadata"]["metadata"]
        wrong = [
            node
            for node in nodes.keys() & theirs.keys()
            if nodes[node] != theirs[node] and f"{root.name}/{node}/zarr.json" not in damaged
        ]
    except FileNotFoundError:
        return [Damage("", "", None, "", "missing", name)], False
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [Damage("", "", None, "", "flipped bits", name)], False
    if wrong:
        detail = f"differs from the metadata of {min(wrong)}"
        return [Damage("", "", None, "", "other content", name, detail)], False
    return [], nodes.keys() != theirs.keys() or found["attributes"] != wanted["attributes"]


def _unmarked(marks: Marks) -> dict[GroupKey, tuple[int, ...]]:
    done = defaultdict[GroupKey, set[int]](set)
    for chain, group, block in marks.done():
        done[chain, group].add(block)
    lacking = {
        key: tuple(sorted(set(range(mark["blocks"])) - done[key]))
        for key, mark in sorted(marks.rounds.items())
    }
    return {key: blocks for key, blocks in lacking.items() if blocks}


def _others(
    folder: Path, marks: Marks, listed: Iterable[Marked], people: Iterable[str], alive: bool
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Files that no mark names: leftovers, those of groups the ledger has known, strangers."""
    root = folder / "store.zarr"
    expected = {str(path_of(root, file)) for file in listed}
    expected |= {str(root / name) for person in people for name in person_files(person)}
    expected |= {str(root / "zarr.json"), *(str(folder / name) for name in BESIDE)}
    known = {(record["chain"], record["group"]) for record in marks.history}
    leftovers, unvouched, strangers = [], [], []
    parts = set(parts_in(folder))  # stores of their own
    for directory, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(directory, name) not in parts]
        for name in names:
            path = Path(directory, name)
            shown = path.relative_to(folder)
            if str(path) in expected or _is_record(shown) or _is_of_privacy(shown):
                continue
            if any(fnmatch(shown.parts[0], pattern) for pattern in OF_THE_CLUSTER):
                continue
            if name.endswith(TEMPORARY):
                leftovers.append(str(shown))
            elif shown.parts[1:3] in known or (alive and shown.parts[0] == root.name):
                unvouched.append(str(shown))
            else:
                strangers.append(str(shown))
    return tuple(sorted(leftovers)), tuple(sorted(unvouched)), tuple(sorted(strangers))


def _is_record(path: Path) -> bool:
    """Whether a file is a manifest or a segment of the ledger."""
    if len(path.parts) == 1:
        return path.name.startswith("MANIFEST.") and path.suffix == ".json"
    return path.parts[:-1] == ("ledger",) and path.suffix == ".log"


def _is_of_privacy(path: Path) -> bool:
    """Whether a file is a wrapped key or a tombstone."""
    if path.parts[0] == "withdrawn":
        return len(path.parts) == 2 and path.suffix == ".json"
    return path.parts[0] == "keys" and path.suffix == ".key"


def _without_growing_tail(
    folder: Path, refused: Iterable[Refused], alive: bool
) -> tuple[Refused, ...]:
    """Leave out the last line of the last segment while its driver is still writing it."""
    listed = list(refused)
    segments = sorted((folder / "ledger").glob("*.log"))
    if not segments or not alive:
        return tuple(listed)
    try:
        data = segments[-1].read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {segments[-1]}: {error.strerror}") from error
    last = data.count(b"\n") + (not data.endswith(b"\n"))
    return tuple(r for r in listed if (r.segment, r.line) != (segments[-1].name, last))
