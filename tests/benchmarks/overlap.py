"""How busy a study's workers were, from its ledger: while one person's networks are fitted, the
others' blocks should run.

    python tests/benchmarks/overlap.py results/hcp_cohort --slots 2

A block occupies a slot for the seconds that its mark holds, a learning step for those that its
event says it occupied, by the clock, without the start of its process. The first block of each slot
compiles and imports: that is warm-up. The tail begins when no block of a round that is learned from
is left.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hpcvbi.store import Store
from hpcvbi.store.ledger import read_records


@dataclass(frozen=True)
class Overlap:
    """Shares of the slots' time that were occupied, and the wall time they are of [s]."""

    people: int
    blocks: int
    whole: float
    whole_seconds: float
    before_tail: float
    before_tail_seconds: float


def overlap(folder: Path, slots: int) -> Overlap:
    """Read how busy `slots` slots were in the last run of a study."""
    records, _ = read_records(folder / "ledger", Store.open(folder).ledger_sha256)
    start = max(i for i, r in enumerate(records) if r["kind"] == "run started")
    work = [
        (datetime.fromisoformat(r["at"]).timestamp(), _occupied(r), r.get("group", ""))
        for r in records[start:]
        if r["kind"] in ("block", "learned")
    ]
    blocks = [item for item in work if item[2]]
    warm = sorted(end for end, _, _ in blocks)[slots - 1]
    last = max(end for end, _, _ in work)
    tail = max(end for end, _, round in blocks if round.startswith("round_"))
    return Overlap(
        people=len({r["chain"] for r in records[start:] if r["kind"] == "block"}),
        blocks=len(blocks),
        whole=_busy(work, warm, last) / slots,
        whole_seconds=last - warm,
        before_tail=_busy(work, warm, tail) / slots,
        before_tail_seconds=tail - warm,
    )


def _occupied(record: dict[str, Any]) -> float:
    return float(record["seconds" if record["kind"] == "block" else "occupied"])


def _busy(work: list[tuple[float, float, str]], begin: float, end: float) -> float:
    """Mean number of slots that are occupied between two moments."""
    inside = sum(max(0.0, min(at, end) - max(at - seconds, begin)) for at, seconds, _ in work)
    return inside / (end - begin)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slots", type=int, required=True)
    given = parser.parse_args()
    print(json.dumps(asdict(overlap(given.folder, given.slots)), indent=2))
