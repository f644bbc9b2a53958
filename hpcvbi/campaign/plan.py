"""What a run would cost, from study and people alone. Nothing is computed, nothing written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.campaign.blocks import draws_per_block
from hpcvbi.campaign.chain import Subject, algorithm_of
from hpcvbi.campaign.whole import rounds_of
from hpcvbi.config import Study
from hpcvbi.core.errors import ConfigError
from hpcvbi.store import LARGEST_CHUNK

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
        work = sum(draws * updates_per_draw(s) for s in subjects)
        size = sum(draws * bytes_per_draw(study, s, keep) for s in subjects)
        blocks = sum(-(-draws // block_size(study, s, draws, keep)) for s in subjects)
        hours = work / NODE_STEPS_PER_CORE_SECOND / 3600.0
        rounds.append(RoundPlan(name, draws * len(subjects), blocks, size, hours))
    members = algorithm_of(study).members
    learning = len(subjects) * study.inference.rounds * members * LEARN_SECONDS_PER_MEMBER / 3600.0
    return Plan(tuple(s.name for s in subjects), tuple(rounds), learning)


def bytes_per_draw(study: Study, subject: Subject, keep: Collection[str]) -> int:
    """Size of what is stored of one draw, before compression."""
    sizes = _sizes(subject)
    always = 8 * (len(subject.brain.space) + len(study.features.names)) + 1
    return always + sum(sizes[name] for name in keep)


def updates_per_draw(subject: Subject) -> int:
    """Region updates of one draw: regions times steps."""
    return subject.brain.n_steps * subject.brain.connectome.n_regions


def block_size(study: Study, subject: Subject, draws: int, keep: Collection[str]) -> int:
    """Return the draws per block of a round of `draws` that keeps `keep`, as study and data say.

    Raises
    ------
    ConfigError : the study's `block` makes shards that no reader takes.
    """
    sizes = _sizes(subject)
    kept = max((sizes[name] for name in keep), default=0)
    if study.block is not None:
        if min(draws, study.block) * kept > LARGEST_CHUNK:
            raise ConfigError(
                f"block: {study.block} draws of {kept} bytes do not fit into one shard; write at "
                f"most {LARGEST_CHUNK // kept}, or null"
            )
        return study.block
    number = np.dtype(study.simulation.dtype).itemsize
    simulated = len(subject.brain.monitors) * sizes["bold"] // 4 * number
    return draws_per_block(draws, kept, simulated, updates_per_draw(subject))


def check_blocks(study: Study, subjects: Sequence[Subject]) -> None:
    """Raise ConfigError if the blocks of any round would be too large to be read."""
    for draws, keep in rounds_of(study).values():
        for subject in subjects:
            block_size(study, subject, draws, keep)


def bits_of(study: Study, round: str) -> int | None:
    """Return the bits of mantissa of what a round keeps: what the judgement reads is exact."""
    return study.bits if round.startswith("round_") else None


def _sizes(subject: Subject) -> dict[str, int]:
    """Bytes per draw of what may be kept."""
    n = subject.brain.connectome.n_regions
    pairs, volumes = n * (n - 1) // 2, round(subject.brain.duration / 1000.0 / subject.person.tr_s)
    return {"fc": 4 * pairs, "fc_model": 4 * pairs, "bold": 4 * n * volumes}
