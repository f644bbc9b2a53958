"""Withdrawal: a person's data leave the store, in an order that can be interrupted anywhere.

    1. the tombstone, durably: from here on all work for the person is refused
    2. the person's key is deleted: copies and backups of an encrypted store become unreadable
    3. groups, files under construction, entries of the index
    4. results of others that were built on the person are marked stale
    5. the person's lines in ledger and log, their entry in the manifest; the report
    6. a search for what remains; only then is the tombstone marked as finished

What was learned from all people at once, the person among them, goes in the same steps, its key
included: it would outlive the withdrawal.

Each step may be repeated: a withdrawal that was killed is completed by the same command, and until
then no driver opens the store.

Not provable from here: what a file system, a snapshot or a tape keeps of deleted files (of an
encrypted store they keep nothing that can be read), and what was copied elsewhere.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError
from hpcvbi.core.identifier import COHORT, check_id
from hpcvbi.store import keys
from hpcvbi.store.durable import (
    sha256,
    storage_faults,
    sweep,
    sync,
    write_durably,
)
from hpcvbi.store.index import write_index
from hpcvbi.store.ledger import Ledger, Record, rewrite
from hpcvbi.store.lock import STALE_S, DriverLock
from hpcvbi.store.manifest import forget, knows, read_manifests
from hpcvbi.store.marks import KINDS, Marks
from hpcvbi.store.parts import parts_in
from hpcvbi.store.progress import read_marks
from hpcvbi.store.tombstone import Tombstone, bury, read_stone, stone_path

_LARGEST_SEARCHED = 2**26
_ON_PEOPLE = ("evaluation",)
"""What of others rests on a person's data."""
_ON_NETWORK = ("inference_000", "posterior", "predictive", "posterior_predictive", "evaluation")
"""What of others rests on what was learned from all people."""
_FIXED = ("kind", "study", "at")
"""What every record has, whoever it is about."""


@dataclass(frozen=True)
class Withdrawal:
    """What became of it: the tombstone, the people whose results are stale, and files in the folder
    that are not the store's and mention the person; also parts of the study that hold the person.
    """

    stone: Tombstone
    stale: tuple[str, ...]
    elsewhere: tuple[Path, ...]


def withdraw(folder: Path | str, person: str, stale_s: float = STALE_S) -> Withdrawal:
    """Delete all that a store holds of a person; the same again verifies it.

    Raises
    ------
    StoreBusy
        A driver is at work there.
    StoreError
        There is no such person, or something of theirs could not be removed: it says what.
    """
    folder = Path(folder)
    check_id(person)
    read_manifests(folder)
    with storage_faults(folder), DriverLock(folder, stale_s) as lock:
        manifests = read_manifests(folder)
        study, marks = manifests[-1].study, read_marks(folder, manifests)
        stone = _begin(folder, person, study, marks)
        gone = (person, COHORT) if _learned_from(folder, marks, person) else (person,)
        for chain in gone:
            keys.forget(folder, chain)
        _remove_groups(folder, gone, manifests[-1].sha256)
        ledger = Ledger(folder / "ledger", manifests[0].sha256, lock.check)
        try:
            _mark_stale(ledger, marks, gone, study)
        finally:
            ledger.close()
        _rewrite(folder, person)
        forget(folder, person)
        _clean_log(folder / "run.log", person)
        (folder / "report.html").unlink(missing_ok=True)
        sync(folder)
        if traces := _traces(folder, person, gone):
            raise StoreError(
                f"of {person} there remain {', '.join(traces)}: remove the cause, then run "
                f"`hpcvbi withdraw {folder} {person}` again. Until then no driver opens the store."
            )
        if stone.finished is None:
            stone = replace(stone, finished=_now())
            bury(folder, stone)
    stale = sorted({chain for chain, _ in read_marks(folder, read_manifests(folder)).stale})
    return Withdrawal(stone, tuple(stale), tuple(_elsewhere(folder, person)))


def _begin(folder: Path, person: str, study: Mapping[str, Any], marks: Marks) -> Tombstone:
    path = stone_path(folder, person)
    if path.exists():
        with contextlib.suppress(StoreError):  # damaged: whoever has one has withdrawn
            return read_stone(folder, person)
    files = _marked_files(marks, person)
    known = {*study.get("people", {}), *(chain for chain, _ in (*marks.rounds, *marks.puts))}
    if not path.exists() and person not in known:
        shown = ", ".join(sorted(known)[:20]) or "nobody"
        raise StoreError(f"{folder} has no person {person!r}; it has {shown}")
    text = "\n".join(f"{name} {size} {digest}" for name, size, digest in sorted(files))
    total = sum(size for _, size, _ in files)
    stone = Tombstone(person, _now(), None, len(files), total, sha256(text.encode()))
    bury(folder, stone)
    return stone


def _marked_files(marks: Marks, person: str) -> list[tuple[str, int, str]]:
    """Name, size and SHA-256 of every file of the person that has a mark."""
    files = []
    for (chain, group), mark in (*marks.rounds.items(), *marks.puts.items()):
        if chain == person:
            files += [
                (f"{group}/{name}", int(d[0]), str(d[1])) for name, d in mark["files"].items()
            ]
    for (chain, group, index), mark in marks.done().items():
        if chain == person:
            files += [
                (f"{group}/{name} {index}", int(d[0]), str(d[1]))
                for name, d in mark["digests"].items()
            ]
    return files


def _learned_from(folder: Path, marks: Marks, person: str) -> bool:
    """Whether there is what was learned from all people at once, this one perhaps among them: no
    key is needed to know who had a first round.
    """
    known = {(mark["chain"], mark["group"]) for mark in marks.history}
    learned = (folder / "store.zarr" / COHORT).exists() or any(c == COHORT for c, _ in known)
    return learned and (person, "round_000") in known


def _remove_groups(folder: Path, chains: Iterable[str], study_sha256: str) -> None:
    root = folder / "store.zarr"
    for place in (root, folder / "ledger", folder / "withdrawn"):
        sweep(place)
    for leftover in folder.glob("*.tmp"):
        leftover.unlink(missing_ok=True)
    for chain in chains:
        if (root / chain).exists():
            shutil.rmtree(root / chain)
    sync(root)
    write_index(root, study_sha256)


def _mark_stale(
    ledger: Ledger, marks: Marks, gone: Sequence[str], study: Mapping[str, Any]
) -> None:
    """The others' evaluations compare with the mean FC of the whole cohort, and what is learned
    from all people answers for all; once the person is out of the ledger and the manifest, all that
    was built on them has been marked.
    """
    person, rests = gone[0], _ON_NETWORK if COHORT in gone else _ON_PEOPLE
    built_on = [
        {"kind": "stale", "chain": chain, "group": group}
        for chain, group in sorted((*marks.puts, *marks.rounds))
        if group in rests and chain not in gone and (chain, group) not in marks.stale
    ]
    built_on += [
        {"kind": "void", "chain": chain, "group": group, "superseded": True}
        for chain, group in sorted(marks.puts)
        if chain in gone[1:]
    ]
    known = {*study.get("people", {}), *(chain for chain, _ in (*marks.rounds, *marks.puts))}
    if built_on and person in known:
        ledger.append(*built_on)


def _rewrite(folder: Path, person: str) -> None:
    """Take the person out of the ledger, and what was learned from all people where it is gone."""
    marks = read_marks(folder, read_manifests(folder))
    void = all(chain != COHORT for chain, _ in marks.puts)

    def judge(line: bytes, record: Record | None) -> Record | None:
        if void and record is not None and record.get("chain") == COHORT:
            return None
        return scrubbed(line, record, person)

    rewrite(folder / "ledger", judge)


def scrubbed(line: bytes, record: Record | None, person: str) -> Record | None:
    """Return what stays of a line of the ledger and its record when a person goes: a record, or
    None if it goes.
    """
    if record is None:
        return None if _word(person).search(line.decode(errors="replace")) else {}
    if record.get("chain") == person:
        return None
    if record["kind"] in KINDS:
        return record
    return {k: v if k in _FIXED else _forgotten(v, person) for k, v in record.items()}


def _forgotten(value: Any, person: str) -> Any:
    if isinstance(value, dict):
        return {k: _forgotten(v, person) for k, v in value.items() if k != person}
    if isinstance(value, list):
        return [_forgotten(v, person) for v in value if v != person]
    return _word(person).sub("(withdrawn)", value) if isinstance(value, str) else value


def _clean_log(path: Path, person: str) -> None:
    if path.is_file():
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [x for x in lines if not _word(person).search(x.decode(errors="replace"))]
        if kept != lines:
            write_durably(path, b"".join(kept))


def _traces(folder: Path, person: str, gone: Sequence[str]) -> list[str]:
    """What the store still holds of a person, and of what went with them."""
    found = [str(p) for p in (folder / "store.zarr").glob("*") if p.name in gone]
    for chain in gone:
        found += [str(p) for p in (folder / "keys/people").glob(f"{chain}.key*")]
    index = json.loads((folder / "store.zarr/zarr.json").read_bytes())
    if any(n.split("/")[0] in gone for n in index["consolidated_metadata"]["metadata"]):
        found.append("entries of the index of groups")
    if any(chain in gone for chain, _ in _marked(folder)):
        found.append("lines of the ledger")
    if knows(folder, person):
        found.append("an entry of a manifest")
    found += [p for p in ("report.html",) if (folder / p).exists()]
    return found


def _marked(folder: Path) -> list[tuple[str, str]]:
    marks = read_marks(folder, read_manifests(folder))
    events = [(str(e.get("chain")), "") for e in marks.events]
    return [*marks.rounds, *marks.puts, *((c, g) for c, g, _ in marks.blocks), *events]


def _elsewhere(folder: Path, person: str) -> list[Path]:
    """Files in the folder that are none of the store's and mention the person, and parts of the
    study that know them.
    """
    parts = parts_in(folder)
    ours = {folder / name for name in ("store.zarr", "ledger", "keys", "withdrawn")}
    ours |= {*folder.glob("MANIFEST*.json"), *parts}
    found = [part for part in parts if knows(part, person)]
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or ours & {path, *path.parents}:
            continue
        named = _word(person).search(str(path.relative_to(folder)))
        small = path.stat().st_size <= _LARGEST_SEARCHED
        if named or (small and _word(person).search(path.read_bytes().decode("latin-1"))):
            found.append(path)
    return found


def _word(person: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(person)}(?![A-Za-z0-9_-])")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
