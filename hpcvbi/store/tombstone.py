"""Tombstones: who has withdrawn. `withdrawn/<person>.json` is the first thing a withdrawal writes.

From then on nothing is read, computed or written for that person. It names the person's pseudonym,
which a later run has to know; how much was deleted; and one SHA-256 over what the ledger knew of
it, by which a copy that turns up can be recognised as a whole, and no single file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hpcvbi.core.errors import StoreError
from hpcvbi.core.identifier import check_chain
from hpcvbi.store.durable import make_directory, write_durably
from hpcvbi.store.trust import LARGEST_LOCK, read_json


@dataclass(frozen=True)
class Tombstone:
    """A withdrawal: when it was begun and finished (ISO 8601, UTC; None while it is not), and the
    files, bytes and joint SHA-256 of what was marked until then.
    """

    person: str
    begun: str
    finished: str | None
    files: int
    bytes: int
    sha256: str


def tombstones(folder: Path) -> Mapping[str, Tombstone]:
    """Everybody who has withdrawn, also those whose withdrawal is not finished."""
    paths = sorted((folder / "withdrawn").glob("*.json"))
    return {path.stem: read_stone(folder, path.stem) for path in paths}


def read_stone(folder: Path, person: str) -> Tombstone:
    """Return one person's tombstone; StoreError where it is damaged."""
    path = stone_path(folder, person)
    try:
        return Tombstone(**read_json(path, LARGEST_LOCK))
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(
            f"{path} is damaged ({error}): run `hpcvbi withdraw {folder} {person}` again"
        ) from None


def check_finished(folder: Path) -> None:
    """Raise StoreError if a withdrawal was begun, but is not finished."""
    for person, stone in tombstones(folder).items():
        if stone.finished is None:
            raise StoreError(
                f"the withdrawal of {person} from {folder} was begun and is not finished: run "
                f"`hpcvbi withdraw {folder} {person}` first"
            )


def is_withdrawn(folder: Path, person: str) -> bool:
    """Whether a person has withdrawn."""
    return stone_path(folder, person).exists()


def check_takes_part(folder: Path, person: str) -> None:
    """Raise StoreError if the person has withdrawn."""
    if is_withdrawn(folder, person):
        raise StoreError(
            f"{person} has withdrawn: nothing of theirs is kept in {folder}, and nothing more is "
            "computed for them"
        )


def bury(folder: Path, stone: Tombstone) -> None:
    """Write a tombstone durably."""
    make_directory(folder / "withdrawn")
    text = json.dumps(asdict(stone), sort_keys=True).encode() + b"\n"
    write_durably(stone_path(folder, stone.person), text)


def stone_path(folder: Path, person: str) -> Path:
    """Where a person's tombstone lies."""
    return folder / "withdrawn" / f"{check_chain(person)}.json"
