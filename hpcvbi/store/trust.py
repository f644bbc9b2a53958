"""What is believed of a store that somebody else may have written; all limits in one place.

A checksum in the manifest or the ledger tells accidents, not forgers: whoever writes a whole store
writes them too. So sizes, names and types are held against the limits below before memory is taken
or a path is followed, and no file is opened but a regular one that no link leads to.
"""

import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError
from hpcvbi.core.files import open_regular, read_regular

LARGEST_MANIFEST = 2**26
"""Bytes of a manifest: a study with the texts that it names."""
LARGEST_METADATA = 2**23
"""Bytes of a zarr.json."""
LARGEST_INDEX = 2**30
"""Bytes of the root's zarr.json, which holds all others."""
LARGEST_LOCK = 2**12
LARGEST_LEDGER = 2**32
"""Bytes of all segments of a ledger: a million blocks."""
LONGEST_RECORD = 2**20
"""Bytes of a line of the ledger."""
LARGEST_CHUNK = 2**31
"""Bytes of a chunk or a shard."""
LARGEST_TEXT = 2**28
"""Bytes of the text in one array, such as the names of all pairs of regions."""
LARGEST_READ = 2**34
"""Bytes that are read into memory at once; half of the machine's memory if that is less."""
MOST_DRAWS = 2**40
MOST_BLOCKS = 2**21
"""Blocks of a round: whoever checks or opens a store lists them all."""
CODECS = ("bytes", "vlen-utf8", "zstd", "blosc", "crc32c", "sharding_indexed", "hpcvbi.sealed")
"""Codecs that a store of hpcvbi uses; none of them runs code or makes objects."""
DTYPES = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4,
    "uint32": 4, "float32": 4, "int64": 8, "uint64": 8, "float64": 8, "string": 8,
}  # fmt: skip
"""Types of arrays and their bytes; of text, those of a reference to it."""

_FILE = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,63}/)?(zarr\.json|c(\.[0-9]{1,18}){0,8})", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DEEPEST = 32


def read_json(path: Path, largest: int) -> Any:
    """Return what a JSON file holds; OSError or ValueError, also where it is no regular file."""
    try:
        return json.loads(read_regular(path, largest))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def ledger_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a segment with their numbers, without those that are blank; of a line that
    is too long, its beginning, which no checksum fits.
    """
    number = 0
    with open_regular(path) as file:
        while line := file.readline(LONGEST_RECORD + 1):
            number += 1
            if len(line) > LONGEST_RECORD:
                rest = line
                while rest and not rest.endswith(b"\n"):
                    rest = file.readline(LONGEST_RECORD)
            if text := line.rstrip(b"\n"):
                yield number, text


def check_ledger_size(segments: list[Path]) -> None:
    """Raise StoreError where a ledger is larger than any study's."""
    size = sum(os.lstat(path).st_size for path in segments)
    if size > LARGEST_LEDGER:
        raise StoreError(
            f"{segments[0].parent} holds {size} bytes, at most {LARGEST_LEDGER} are read: it is no "
            "ledger of a study. Restore it from a copy, or choose another `output:`."
        )


def check_record(record: Mapping[str, Any]) -> None:
    """Raise ValueError unless the fields of a mark have the types and bounds that they must have.

    Names become paths, and counts become loops and arrays, further on.
    """
    kind = record["kind"]
    if kind == "prepared":
        draws, block, blocks = (_whole(record, key, 1) for key in ("draws", "block", "blocks"))
        if (
            blocks > MOST_BLOCKS
            or blocks != -(-draws // block)
            or not isinstance(record["theta"], str)
        ):
            raise ValueError("draws, block and blocks disagree")
    if kind in ("prepared", "put"):
        for name, (size, sha256) in dict(record["files"]).items():
            if not (_FILE.fullmatch(name) and _is_whole(size) and _SHA256.fullmatch(sha256)):
                raise ValueError("files")
    if kind == "block":
        start, stop = _whole(record, "start", 0), _whole(record, "stop", 1)
        _whole(record, "index", 0)
        for key in ("diverged", "failed", "halved", "quartered"):
            if not _is_whole(record.get(key, 0)):
                raise ValueError(key)
        if type(record["seconds"]) not in (int, float) or record["seconds"] > 1e12:
            raise ValueError("seconds")
        if not (start < stop and 0 <= float(record["seconds"]) < math.inf):
            raise ValueError("start, stop or seconds")
        if not (isinstance(record["at"], str) and len(record["at"]) < 64):
            raise ValueError("at")
        for name, (size, *_) in dict(record["digests"]).items():
            if not (_FILE.fullmatch(f"{name}/c") and _is_whole(size)):
                raise ValueError("digests")
    if kind == "void" and "index" in record:
        _whole(record, "index", 0)


def check_array(folder: Path) -> None:
    """Raise ValueError unless the metadata of an array describe one that a study may have.

    Zarr allocates a chunk, and imports a codec, because the metadata say so.
    """
    about: Any = read_json(folder / "zarr.json", LARGEST_METADATA)
    _require(isinstance(about, dict), "no metadata of an array")
    _require((about.get("zarr_format"), about.get("node_type")) == (3, "array"), "no Zarr 3 array")
    shape, dtype = about.get("shape"), about.get("data_type")
    _require(_is_shape(shape, 0), f"shape {_short(shape)}")
    _require(isinstance(dtype, str) and dtype in DTYPES, f"data type {_short(dtype)}")
    grid: Any = about.get("chunk_grid")
    _require(isinstance(grid, dict) and grid.get("name") == "regular", "no regular chunks")
    chunk = grid.get("configuration", {}).get("chunk_shape")
    _require(_is_shape(chunk, 1) and len(chunk) == len(shape), f"chunks {_short(chunk)}")
    size = math.prod(chunk) * DTYPES[dtype]
    _require(size <= LARGEST_CHUNK, f"chunks of {size} bytes, at most {LARGEST_CHUNK} are read")
    key = about.get("chunk_key_encoding")
    _require(
        key == {"name": "default", "configuration": {"separator": "."}}, "other keys of chunks"
    )
    _require(not about.get("storage_transformers"), "transformers")
    _check_codecs(about.get("codecs"), chunk, 0)


def check_read(what: Path, size: int) -> None:
    """Raise StoreError where so many bytes are not to be read into memory at once."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    largest = min(LARGEST_READ, memory // 2)
    if size > largest:
        raise StoreError(
            f"{what} claims {size} bytes, at most {largest} are read at once: if they are no "
            "forgery, open the store lazily, with xarray"
        )


def check_links(store: Path) -> None:
    """Raise StoreError where a part of the store is a link: writing would lead elsewhere."""
    for name in ("store.zarr", "ledger", "MANIFEST.json", "keys", "withdrawn"):
        _refuse_link(store / name)


def check_tree(root: Path) -> None:
    """Raise StoreError where a directory below `root` is a link."""
    for directory, folders, _ in os.walk(root):
        for name in folders:
            _refuse_link(Path(directory, name))


def is_plain(path: Path) -> bool:
    """Whether `path` is a regular file in a directory that is no link."""
    return stat.S_ISREG(os.lstat(path).st_mode) and not path.parent.is_symlink()


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise StoreError(
            f"{path} is a symbolic link (to {_short(os.readlink(path))}), and a store holds none: "
            "put there what it leads to. The folder of the whole store may be a link."
        )


def _check_codecs(codecs: Any, chunk: Any, depth: int) -> None:
    _require(isinstance(codecs, list) and 0 < len(codecs) < 8 and depth < 4, "no codecs")
    for codec in codecs:
        name = codec.get("name") if isinstance(codec, dict) else codec
        _require(isinstance(name, str) and name in CODECS, f"codec {_short(name)}")
        inner = codec.get("configuration", {}) if isinstance(codec, dict) else {}
        _require(isinstance(inner, dict), "codecs")
        if name == "sharding_indexed":
            part: Any = inner.get("chunk_shape")
            fits = _is_shape(part, 1) and len(part) == len(chunk)
            _require(
                fits and all(a % b == 0 for a, b in zip(chunk, part, strict=True)),
                f"inner chunks {_short(part)}",
            )
            _check_codecs(inner.get("index_codecs"), part, depth + 1)
            _check_codecs(inner.get("codecs"), part, depth + 1)
        elif "codecs" in inner:
            _check_codecs(inner["codecs"], chunk, depth + 1)


def _is_shape(value: Any, least: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _DEEPEST
        and all(_is_whole(n) and n >= least for n in value)
    )


def _whole(record: Mapping[str, Any], key: str, least: int) -> int:
    value = record[key]
    if not _is_whole(value) or value < least:
        raise ValueError(key)
    return value


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_DRAWS


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _short(value: Any) -> str:
    return repr(value)[:80]
