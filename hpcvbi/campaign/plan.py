"""What a run would cost at most, from study and people. Nothing is computed, or written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.campaign.blocks import draws_per_block
from hpcvbi.campaign.method import algorithm_of, calibration_draws
from hpcvbi.campaign.pace import ASSUMED, Pace
from hpcvbi.campaign.subjects import Subject
from hpcvbi.campaign.together import ROUND, joining
from hpcvbi.campaign.whole import rounds_of
from hpcvbi.config import Study
from hpcvbi.core.errors import ConfigError
from hpcvbi.features import CURVES
from hpcvbi.store import LARGEST_CHUNK

LEARN_SECONDS_PER_FIT = 8.0
"""CPU seconds to train one network of a few hundred draws."""
CALIBRATE_SECONDS = 15.0
"""CPU seconds to judge the calibration of a person's posterior, on a hundred cases."""
INODES_PER_ROUND, INODES_PER_STEP, INODES_PER_PERSON = 26, 44, 352
"""Files and folders of a round besides its blocks, of a learning step, and of a person's other
results and judgement.
"""


@dataclass(frozen=True)
class RoundPlan:
    """One kind of round, over all people.

    Of its largest block: `block` draws, `block_seconds` [s] and `block_bytes` of simulated signals.
    """

    round: str
    draws: int
    blocks: int
    bytes: int
    core_hours: float
    block: int
    block_seconds: float
    block_bytes: int
    inodes: int


@dataclass(frozen=True)
class Plan:
    """What a run would do, at a pace."""

    people: tuple[str, ...]
    rounds: tuple[RoundPlan, ...]
    learning_core_hours: float
    inodes: int
    pace: Pace

    @property
    def core_hours(self) -> float:
        """Estimate for everything."""
        return self.learning_core_hours + sum(r.core_hours for r in self.rounds)

    @property
    def blocks(self) -> int:
        """Blocks of all rounds."""
        return sum(r.blocks for r in self.rounds)


def plan(study: Study, subjects: Sequence[Subject], pace: Pace = ASSUMED) -> Plan:
    """Count draws, blocks, inodes, bytes and core-hours of a study; an algorithm that is done early
    costs less. Of a store it matters only whose draws a cohort's network is learned from.
    """
    joins = joining(study, [s.name for s in subjects])
    learn = [s for s in subjects if s.name not in joins]
    rounds = tuple(
        _round(study, name, draws, keep, learn if name == ROUND else subjects, pace)
        for name, (draws, keep) in rounds_of(study).items()
    )
    fits = algorithm_of(study).fits
    steps = len(learn) * study.inference.rounds
    judging = len(subjects) * CALIBRATE_SECONDS * bool(calibration_draws(study))
    inodes = len(subjects) * INODES_PER_PERSON + steps * INODES_PER_STEP
    return Plan(
        people=tuple(s.name for s in subjects),
        rounds=rounds,
        learning_core_hours=(steps * fits * LEARN_SECONDS_PER_FIT + judging) / 3600.0,
        inodes=inodes + sum(r.inodes for r in rounds),
        pace=pace,
    )


def _round(
    study: Study,
    name: str,
    draws: int,
    keep: Collection[str],
    subjects: Sequence[Subject],
    pace: Pace,
) -> RoundPlan:
    """Count a round of `draws` of each of these people."""
    updates = [updates_per_draw(s) for s in subjects]
    cuts = [min(draws, block_size(study, s, draws, keep)) for s in subjects]
    blocks = sum(-(-draws // cut) for cut in cuts)
    seconds = [cut * its / pace.rate for cut, its in zip(cuts, updates, strict=True)]
    signals = [cut * simulated_per_draw(study, s) for cut, s in zip(cuts, subjects, strict=True)]
    return RoundPlan(
        round=name,
        draws=draws * len(subjects),
        blocks=blocks,
        bytes=sum(draws * bytes_per_draw(study, s, keep) for s in subjects),
        core_hours=draws * sum(updates) / pace.rate / 3600.0,
        block=max(cuts),
        block_seconds=max(seconds),
        block_bytes=max(signals),
        # besides what is kept, features and status
        inodes=blocks * (len(keep) + 2) + INODES_PER_ROUND * len(subjects),
    )


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
    simulated = simulated_per_draw(study, subject)
    return draws_per_block(draws, kept, simulated, updates_per_draw(subject))


def simulated_per_draw(study: Study, subject: Subject) -> int:
    """Bytes of what is simulated of one draw, whether it is kept or not."""
    number = np.dtype(study.simulation.dtype).itemsize
    return len(subject.brain.monitors) * _sizes(subject)["bold"] // 4 * number


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
    tr_s = subject.person.tr_s
    curves = {name: 4 * len(curve.points(volumes, tr_s)) for name, curve in CURVES.items()}
    return {"fc": 4 * pairs, "fc_model": 4 * pairs, "bold": 4 * n * volumes, **curves}
