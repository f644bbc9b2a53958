"""What a run would cost, from study and people alone. Nothing is computed, nothing written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hpcvbi.campaign.chain import Subject, algorithm_of
from hpcvbi.campaign.whole import rounds_of
from hpcvbi.config import Study
from hpcvbi.core.block import blocks_of

NODE_STEPS_PER_CORE_SECOND = 100e6
"""A cautious rate of the engine in float32; `make bench` measures the machine's own."""
LEARN_SECONDS_PER_MEMBER = 8.0
"""CPU seconds to train one network of a few hundred draws."""


@dataclass(frozen=True)
class RoundPlan:
    """One kind of round, over all people."""

    round: str
    draws: int
    blocks: int
    bytes: int
    core_hours: float


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    people: tuple[str, ...]
    rounds: tuple[RoundPlan, ...]
    learning_core_hours: float

    @property
    def core_hours(self) -> float:
        """Estimate for everything."""
        return self.learning_core_hours + sum(r.core_hours for r in self.rounds)


def plan(study: Study, subjects: Sequence[Subject]) -> Plan:
    """Count draws, blocks, bytes and core-hours of a study."""
    rounds = []
    for name, (draws, keep) in rounds_of(study).items():
        work = sum(draws * s.brain.n_steps * s.brain.connectome.n_regions for s in subjects)
        size = sum(draws * bytes_per_draw(study, s, keep) for s in subjects)
        blocks = len(subjects) * len(blocks_of("", name, draws, study.block))
        hours = work / NODE_STEPS_PER_CORE_SECOND / 3600.0
        rounds.append(RoundPlan(name, draws * len(subjects), blocks, size, hours))
    members = algorithm_of(study).members
    learning = len(subjects) * study.inference.rounds * members * LEARN_SECONDS_PER_MEMBER / 3600.0
    return Plan(tuple(s.name for s in subjects), tuple(rounds), learning)


def bytes_per_draw(study: Study, subject: Subject, keep: Collection[str]) -> int:
    """Size of what is stored of one draw, before compression."""
    n = subject.brain.connectome.n_regions
    pairs, volumes = n * (n - 1) // 2, round(subject.brain.duration / 1000.0 / subject.person.tr_s)
    sizes = {"fc": 4 * pairs, "fc_model": 4 * pairs, "bold": 4 * n * volumes}
    always = 8 * (len(subject.brain.space) + len(study.features.names)) + 1
    return always + sum(sizes[name] for name in keep)
