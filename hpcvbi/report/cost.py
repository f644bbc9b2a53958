"""Where the time went, and with what the study was run: all from the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hpcvbi.report.style import COLOURS, blank, styled
from hpcvbi.store import Store
from hpcvbi.store.ledger import read_records
from hpcvbi.store.marks import Marks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNING = "learning"


@dataclass(frozen=True)
class Share:
    """Seconds of one kind of work for one person; `draws` is 0 where nothing was simulated."""

    person: str
    label: str
    seconds: float
    draws: int = 0


@dataclass(frozen=True)
class Run:
    """One incarnation of the driver: from its first mark to its last, times as in the ledger."""

    begin: str
    end: str
    finished: bool
    stamp: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Wall time [s]."""
        begin, end = (datetime.fromisoformat(at) for at in (self.begin, self.end))
        return (end - begin).total_seconds()


@dataclass(frozen=True)
class Cost:
    """`shares` of simulating and learning, seconds per host, and all `runs` in their order."""

    shares: tuple[Share, ...]
    hosts: Mapping[str, float]
    runs: tuple[Run, ...]

    def labels(self) -> dict[str, tuple[float, int]]:
        """Seconds and draws of each kind of work, over all people."""
        found: dict[str, tuple[float, int]] = {}
        for share in self.shares:
            seconds, draws = found.get(share.label, (0.0, 0))
            found[share.label] = seconds + share.seconds, draws + share.draws
        return found


def cost_of(store: Store) -> Cost:
    """Read the cost of a study: worker seconds of its blocks, CPU seconds of its learning."""
    records, _ = read_records(store.folder / "ledger", store.ledger_sha256)
    marks = Marks()
    marks.apply(records)
    simulated: dict[tuple[str, str], tuple[float, int]] = {}
    hosts: dict[str, float] = {}
    for (person, round, _), mark in marks.done().items():
        seconds, draws = simulated.get((person, round), (0.0, 0))
        took = float(mark["seconds"])
        simulated[person, round] = seconds + took, draws + mark["stop"] - mark["start"]
        hosts[str(mark["host"])] = hosts.get(str(mark["host"]), 0.0) + took
    shares = [Share(*key, *value) for key, value in sorted(simulated.items(), key=_round_order)]
    shares += [
        Share(str(event["chain"]), f"{LEARNING}: {event['label']}", float(event["seconds"]))
        for event in marks.events
        if event["kind"] == "learned"
    ]
    return Cost(tuple(shares), dict(sorted(hosts.items())), tuple(_runs(records)))


def _round_order(item: tuple[tuple[str, str], object]) -> tuple[bool, str, str]:
    person, round = item[0]
    return not round.startswith("round_"), round, person


def _runs(records: Sequence[Mapping[str, Any]]) -> list[Run]:
    """Split the ledger where drivers started; what follows a driver's end is not its own."""
    starts = [i for i, record in enumerate(records) if record["kind"] == "run started"]
    parts = [_own(records[a:b]) for a, b in zip(starts, [*starts[1:], len(records)], strict=False)]
    return [
        Run(
            begin=part[0]["at"],
            end=part[-1]["at"],
            finished=any(record["kind"] == "run finished" for record in part),
            stamp={k: v for k, v in part[0].items() if k not in ("kind", "study", "at", "time")},
        )
        for part in parts
    ]


def _own(records: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    kinds = [record["kind"] for record in records]
    ends = [kinds.index(kind) + 1 for kind in ("run finished", "run stopped") if kind in kinds]
    ends += [kinds.index("merged")] if "merged" in kinds else []
    return records[: min(ends, default=len(records))]


@styled
def cost_figure(cost: Cost, people: Sequence[str]) -> "Figure":
    """Draw the seconds of each kind of work, a bar per person; learning is one kind."""
    kinds = list(dict.fromkeys(_kind(share.label) for share in cost.shares))
    figure = blank(7.2, 1.3 + 0.34 * len(people))
    axes = figure.subplots()
    left = dict.fromkeys(people, 0.0)
    for number, kind in enumerate(kinds):
        parts = {
            p: sum(s.seconds for s in cost.shares if s.person == p and _kind(s.label) == kind)
            for p in people
        }
        axes.barh(
            list(range(len(people))),
            list(parts.values()),
            left=list(left.values()),
            height=0.62,
            color=COLOURS[number % len(COLOURS)],
            edgecolor="white",
            linewidth=0.8,
            hatch="///" if kind == LEARNING else None,
            label=kind,
        )
        left = {p: left[p] + parts[p] for p in people}
    axes.set(yticks=range(len(people)), ylim=(len(people) - 0.4, -0.6))
    axes.set_yticklabels(people)
    axes.set_xlabel("seconds of one core [s]")
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    figure.legend(loc="outside upper center", ncols=min(6, len(kinds)), columnspacing=1.2)
    return figure


def _kind(label: str) -> str:
    return LEARNING if label.startswith(LEARNING) else label
