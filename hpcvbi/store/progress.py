"""How far a study is, from ledger and manifest alone: for a reader beside a live driver."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError
from hpcvbi.store.ledger import Record, read_records
from hpcvbi.store.lock import Owner, read_owner
from hpcvbi.store.manifest import Manifest, read_manifests
from hpcvbi.store.marks import Marks
from hpcvbi.store.tombstone import Tombstone, tombstones
from hpcvbi.store.trust import check_links


@dataclass(frozen=True)
class RoundProgress:
    """One round of one chain.

    `diverged`, `failed`, `halved` and `quartered` count the draws done by their status; `ok` are
    the others. `causes` says why blocks failed, and how many for each cause. `seconds` are summed
    over blocks; `last` is when the last one was marked (ISO 8601, UTC).
    """

    chain: str
    round: str
    blocks_done: int
    blocks: int
    draws_done: int
    draws: int
    diverged: int
    failed: int
    halved: int
    quartered: int
    causes: Mapping[str, int]
    seconds: float
    last: str | None

    @property
    def ok(self) -> int:
        """Draws that are whole, with dt as written."""
        return self.draws_done - self.diverged - self.failed - self.halved - self.quartered


@dataclass(frozen=True)
class Progress:
    """A study's progress.

    `puts` names the groups written whole, `stale` those of them that were built on data of somebody
    in `withdrawn`; `driver` is who holds the lock.
    """

    sha256: str
    study: Mapping[str, Any]
    rounds: tuple[RoundProgress, ...]
    puts: tuple[tuple[str, str], ...]
    events: tuple[Record, ...]
    ignored: int
    driver: Owner | None
    withdrawn: tuple[Tombstone, ...] = ()
    stale: tuple[tuple[str, str], ...] = ()


def progress(folder: Path | str) -> Progress:
    """Read how far the study in `folder` is; takes no lock, opens no array, changes nothing."""
    folder = Path(folder)
    check_links(folder)
    manifests = read_manifests(folder)
    marks = read_marks(folder, manifests)
    rounds = {key: list[Record]() for key in marks.rounds}
    for key, record in marks.done().items():
        rounds[key[:2]].append(record)
    return Progress(
        sha256=manifests[-1].sha256,
        study=manifests[-1].study,
        rounds=tuple(_round(marks.rounds[key], done) for key, done in sorted(rounds.items())),
        puts=tuple(sorted(marks.puts)),
        events=tuple(marks.events),
        ignored=marks.ignored,
        driver=driver_of(folder),
        withdrawn=tuple(tombstones(folder).values()),
        stale=tuple(sorted(marks.stale & marks.puts.keys())),
    )


def read_marks(folder: Path, manifests: Sequence[Manifest]) -> Marks:
    """Replay the ledger; what an extension supersedes is void from its manifest on."""
    try:
        records, refused = read_records(folder / "ledger", manifests[0].sha256)
    except OSError as error:
        raise StoreError(f"cannot read the ledger of {folder}: {error}") from error
    marks = Marks(refused=refused)
    marks.apply(records)
    last = manifests[-1]
    extended = {event.get("sha256") for event in marks.events if event["kind"] == "extended"}
    lost = extended - {manifest.sha256 for manifest in manifests}
    if lost and (lost := lost - {manifest.sha256 for manifest in read_manifests(folder)}):
        raise StoreError(
            f"{folder} was extended to the study {min(map(str, lost))[:12]}, whose MANIFEST.*.json "
            "is missing: restore it from a copy"
        )
    if last.before is not None and last.sha256 not in extended:
        marks.supersede(last.superseded)
        about = {"sha256": last.sha256, "before": last.before, "changes": list(last.changes)}
        marks.pending.append({"kind": "extended", **about})
    return marks


def driver_of(folder: Path) -> Owner | None:
    """Who holds the lock; StoreError where that cannot be read."""
    try:
        return read_owner(folder)
    except OSError as error:
        raise StoreError(f"cannot read the lock of {folder}: {error.strerror}") from error


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
        halved=sum(r.get("halved", 0) for r in done),
        quartered=sum(r.get("quartered", 0) for r in done),
        causes=Counter(str(r["cause"]) for r in done if r.get("failed") and r.get("cause")),
        seconds=sum(float(r["seconds"]) for r in done),
        last=max((r["at"] for r in done), default=None),
    )
