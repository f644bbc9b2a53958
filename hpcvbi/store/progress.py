"""How far a study is, from ledger and manifest alone: for a reader beside a live driver."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError
from hpcvbi.store.ledger import Record, read_records
from hpcvbi.store.lock import Owner, read_owner
from hpcvbi.store.manifest import read_manifest
from hpcvbi.store.marks import Marks


@dataclass(frozen=True)
class RoundProgress:
    """One round of one chain.

    `diverged` and `failed` are draws; `causes` says why blocks failed, and how many for each cause.
    `seconds` are summed over blocks; `last` is when the last one was marked (ISO 8601, UTC).
    """

    chain: str
    round: str
    blocks_done: int
    blocks: int
    draws_done: int
    draws: int
    diverged: int
    failed: int
    causes: Mapping[str, int]
    seconds: float
    last: str | None


@dataclass(frozen=True)
class Progress:
    """A study's progress. `puts` names the groups written whole; `driver` is who holds the lock."""

    sha256: str
    study: Mapping[str, Any]
    rounds: tuple[RoundProgress, ...]
    puts: tuple[tuple[str, str], ...]
    events: tuple[Record, ...]
    ignored: int
    driver: Owner | None


def progress(folder: Path | str) -> Progress:
    """Read how far the study in `folder` is; takes no lock, opens no array, changes nothing."""
    folder = Path(folder)
    study, sha256 = read_manifest(folder)
    marks = read_marks(folder, sha256)
    rounds = {key: list[Record]() for key in marks.rounds}
    for key, record in marks.done().items():
        rounds[key[:2]].append(record)
    return Progress(
        sha256=sha256,
        study=study,
        rounds=tuple(_round(marks.rounds[key], done) for key, done in sorted(rounds.items())),
        puts=tuple(sorted(marks.puts)),
        events=tuple(marks.events),
        ignored=marks.ignored,
        driver=read_owner(folder),
    )


def read_marks(folder: Path, sha256: str) -> Marks:
    """Replay the ledger."""
    try:
        records, ignored = read_records(folder / "ledger", sha256)
    except OSError as error:
        raise StoreError(f"cannot read the ledger of {folder}: {error}") from error
    marks = Marks(ignored=ignored)
    marks.apply(records)
    return marks


def _round(prepared: Record, done: list[Record]) -> RoundProgress:
    return RoundProgress(
        chain=prepared["chain"],
        round=prepared["group"],
        blocks_done=len(done),
        blocks=prepared["blocks"],
        draws_done=sum(r["stop"] - r["start"] for r in done),
        draws=prepared["draws"],
        diverged=sum(r["diverged"] for r in done),
        failed=sum(r.get("failed", 0) for r in done),
        causes=Counter(str(r["cause"]) for r in done if r.get("failed") and r.get("cause")),
        seconds=sum(float(r["seconds"]) for r in done),
        last=max((r["at"] for r in done), default=None),
    )
