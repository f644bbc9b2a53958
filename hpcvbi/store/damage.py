"""What is wrong with one file: gone, cut, flipped, or whole but not what the ledger names.

missing         the file is gone
truncated       it is shorter than marked
longer          it is longer than marked
flipped bits    it has the marked size, and its codecs or its text refuse it
swapped         it is whole, and the ledger names it for another place
stale           it is whole, and the ledger once named it for this place
other content   it is whole, and the ledger does not know it
unreadable      the file system does not give it
no mark         the ledger does not name it any more, though the person is finished
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hpcvbi.core.errors import HpcvbiError
from hpcvbi.store import arrays
from hpcvbi.store.durable import file_digest
from hpcvbi.store.ledger import Record
from hpcvbi.store.verify import group_path

_MOST_DIMS = 6
"""Dimensions of an array at most."""


@dataclass(frozen=True, order=True)
class Damage:
    """Something that does not hold: whose, where, and how.

    `block` is the number of a block, None for a file of the group as a whole; `array` is empty for
    what belongs to no array; `file` is relative to the store's folder.
    """

    chain: str
    group: str
    block: int | None
    array: str
    kind: str
    file: str
    detail: str = ""


@dataclass(frozen=True)
class Marked:
    """A file that a mark names, with its size in bytes and its SHA-256.

    `name` is its path in the group, or the array of a block.
    """

    chain: str
    group: str
    block: int | None
    name: str
    size: int
    sha256: str

    @property
    def place(self) -> str:
        """Where it is, in words."""
        where = f"{self.chain}/{self.group}"
        return f"{where}/{self.name}" if self.block is None else f"{where} block {self.block}"

    @property
    def array(self) -> str:
        """The array it belongs to; empty for the group's own metadata."""
        return self.name.rpartition("/")[0] if self.block is None else self.name


def marked_files(record: Record) -> Iterator[Marked]:
    """Files that a mark names; malformed entries are left out."""
    block = int(record["index"]) if record["kind"] == "block" else None
    for name, digest in record["digests" if block is not None else "files"].items():
        if isinstance(digest, list) and len(digest) >= 2:
            size, sha256 = digest[:2]
            yield Marked(record["chain"], record["group"], block, name, int(size), str(sha256))


def path_of(root: Path, file: Marked) -> Path:
    """Return where a marked file lies, without reading any metadata."""
    group = group_path(root, file.chain, file.group)
    if file.block is None:
        return group.joinpath(*(part for part in file.name.split("/") if part not in ("", "..")))
    names = [f"c.{file.block}" + ".0" * more for more in range(_MOST_DIMS)]
    paths = [group / file.name / name for name in names]
    return next((path for path in paths if path.exists()), paths[0])


class Known:
    """All files that the ledger has ever named, by their SHA-256."""

    def __init__(self, history: Iterable[Record]) -> None:
        self._places: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for record in history:
            for file in marked_files(record):
                self._places[file.sha256][file.place] = None

    def examine(self, root: Path, file: Marked) -> Damage | None:
        """Read a file in full; return what is wrong with it, if anything is."""
        try:
            path = path_of(root, file)
            if path.exists() and (path.is_symlink() or not path.is_file()):
                return _damage(root, file, "unreadable", "a link, or no regular file")
            size, sha256 = file_digest(path)
        except FileNotFoundError:
            return _damage(root, file, "missing")
        except (OSError, HpcvbiError) as error:
            return _damage(root, file, "unreadable", str(error))
        if (size, sha256) == (file.size, file.sha256):
            return None
        places = self._places.get(str(sha256), {})
        if file.place in places:
            return _damage(root, file, "stale", "an earlier version of it")
        if places:
            return _damage(root, file, "swapped", f"holds {next(iter(places))}")
        if int(size) < file.size and not _is_whole(path, file):
            return _damage(root, file, "truncated", f"{size} of {file.size} bytes")
        if int(size) > file.size and not _is_whole(path, file):
            return _damage(root, file, "longer", f"{size} instead of {file.size} bytes")
        return _damage(root, file, "other content" if _is_whole(path, file) else "flipped bits")


def _damage(root: Path, file: Marked, kind: str, detail: str = "") -> Damage:
    try:
        shown = str(path_of(root, file).relative_to(root.parent))
    except HpcvbiError:
        shown = file.place
    return Damage(file.chain, file.group, file.block, file.array, kind, shown, detail)


def _is_whole(path: Path, file: Marked) -> bool:
    """Whether the file can be decoded: crc32c in the codecs, or JSON."""
    try:
        if path.name == "zarr.json":
            json.loads(path.read_bytes())
            return True
        if file.block is None:
            arrays.read_rows(path.parent)
        else:
            array = arrays.open_array(path.parent)
            rows = (array.shards or array.chunks)[0]
            arrays.read_rows(path.parent, file.block * rows, (file.block + 1) * rows)
    except (OSError, ValueError, RecursionError, HpcvbiError):
        return False
    return path.stat().st_size > 0
