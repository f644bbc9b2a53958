"""The ledger: what may be believed. One durable line per event, `crc32 {json}`, by the driver only.

Each driver incarnation writes a segment of its own, `000003-<uuid>.log`, so that nobody ever
appends behind a torn tail; segments are replayed in the order of their numbers, which are given
under the driver lock (no clock is trusted).
A line that is torn, forged or of another study is ignored and counted. Lines are only ever added,
with one exception: a withdrawal takes a person's lines out.
"""

import json
import os
import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError
from hpcvbi.store.durable import sync, write_durably
from hpcvbi.store.trust import check_ledger_size, ledger_lines

Record = dict[str, Any]
_LAST_SEGMENT = 999_999
"""Segments are replayed in the order of their names, six digits first."""


@dataclass(frozen=True)
class Refused:
    """A line of the ledger that is not believed: in which segment, its number, and why."""

    segment: str
    line: int
    why: str


class Ledger:
    """The driver's pen. `guard` is called before each append and raises if the lock is lost."""

    def __init__(self, folder: Path, study_sha256: str, guard: Callable[[], None]) -> None:
        self._folder, self._study, self._guard = folder, study_sha256[:16], guard
        self._segment: int | None = None

    def append(self, *records: Mapping[str, Any]) -> list[Record]:
        """Write records with one fsync; they are durable when this returns them as stored. One
        that was in a ledger before keeps its time.
        """
        self._guard()
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        stored = [
            {**record, "study": self._study, "at": record.get("at", at)} for record in records
        ]
        data = memoryview(b"".join(_line(record) for record in stored))
        try:
            if self._segment is None:
                self._segment = self._new_segment()
            while data:
                data = data[os.write(self._segment, data) :]
            os.fsync(self._segment)
        except OSError:
            self.close()  # its tail may be torn: the next append begins another segment
            raise
        return stored

    def _new_segment(self) -> int:
        number = 1 + max((int(p.name[:6]) for p in _segments(self._folder)), default=0)
        if number > _LAST_SEGMENT:
            raise StoreError(f"{self._folder} has no number left for another segment")
        path = self._folder / f"{number:06d}-{uuid.uuid4().hex}.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        sync(self._folder)
        return descriptor

    def close(self) -> None:
        """Close the segment; a later append begins another one."""
        if self._segment is not None:
            os.close(self._segment)
            self._segment = None


def read_records(folder: Path, study_sha256: str) -> tuple[list[Record], list[Refused]]:
    """All believable records in the order of writing, and the lines that are not believed."""
    records: list[Record] = []
    refused: list[Refused] = []
    segments = _segments(folder)
    check_ledger_size(segments)
    for path in segments:
        for number, line in ledger_lines(path):
            record = _parse(line)
            if record is None:
                refused.append(Refused(path.name, number, "torn or edited: its checksum is wrong"))
            elif record.get("study") != study_sha256[:16]:
                refused.append(Refused(path.name, number, "of another study"))
            else:
                records.append(record)
    return records, refused


def rewrite(
    folder: Path, judge: Callable[[bytes, Record | None], Mapping[str, Any] | None]
) -> None:
    """Take lines out of all segments: `judge` gets a line and its record (None where it is not
    believable) and returns the record that stays, None where the line goes; a line that is not
    believable stays as it is if anything is returned. Every segment is replaced at once and whole.
    """
    for path in _segments(folder):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = []
        for line in lines:
            record = _parse(line.removesuffix(b"\n"))
            judged = judge(line, record)
            if judged is not None:
                kept.append(line if record is None or judged == record else _line(dict(judged)))
        if kept != lines:
            write_durably(path, b"".join(kept))


def _segments(folder: Path) -> list[Path]:
    found = (p for p in folder.iterdir() if p.suffix == ".log" and p.name[:6].isdecimal())
    return sorted(found, key=lambda p: p.name)


def _line(record: Record) -> bytes:
    body = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _parse(line: bytes) -> Record | None:
    try:
        record = json.loads(line[9:]) if int(line[:8], 16) == zlib.crc32(line[9:]) else None
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("kind"), str) else None
