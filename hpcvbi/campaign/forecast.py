"""What a planned study means for the cluster at hand: wall time, the scheduler's load, and what to
change where the two do not fit. An estimate: a core's rate decides, and the queue is not known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from hpcvbi.campaign.blocks import LONG_S, SHORT_S
from hpcvbi.campaign.pace import stored_pace
from hpcvbi.campaign.plan import Plan, plan
from hpcvbi.campaign.subjects import subjects_of
from hpcvbi.cluster import job_scripts
from hpcvbi.cluster.capacity import BUSIEST, MOST_BLOCKS, MOST_WORKERS, Capacity, capacity
from hpcvbi.cluster.pools import Pool, pools_of
from hpcvbi.cohort import Person
from hpcvbi.config import Study
from hpcvbi.config.clusters import Slurm
from hpcvbi.core.errors import ConfigError

FEW_PER_SLOT = 3
"""Blocks per slot, below which long blocks leave slots idle while the last ones end."""
BLOCKS_PER_WALLTIME = 2
"""Blocks that must fit into a wall time: near its end a worker takes no block any more."""
WORKER_BYTES, COPIES = 300 * 10**6, 3
"""Memory of a worker that has loaded what it needs (260 MB measured), and copies of a block's
signals at the most while its features are computed (2.7 measured).
"""
LEARNER_BYTES = 550 * 10**6
"""Memory of a process that learns: torch and sbi (543 MB measured)."""


@dataclass(frozen=True)
class Forecast:
    """How a planned study would run here.

    `slots` are the blocks at once that all `workers` compute, of which `used_workers` can ever be
    busy, for there are `at_once` blocks at a time at the most. They are None, as are `wall_hours`
    and `load`, where only the allocation knows. `warnings` say what does not fit, each with its
    remedy; `scripts` are the jobs that would be submitted.
    """

    kind: str
    at_once: int
    workers: int | None
    slots: int | None
    used_workers: int | None
    wall_hours: float | None
    load: Capacity | None
    warnings: tuple[str, ...]
    scripts: Mapping[str, str]


def forecast(study: Study, planned: Plan, folder: str) -> Forecast:
    """Say how a planned study, with its store in `folder`, would run on its cluster."""
    cluster = study.cluster
    pools = pools_of(cluster, study.simulation.backend)
    at_once = _at_once(planned)
    slots = workers = used = hours = load = None
    if pools:
        slots, workers = sum(p.workers * p.slots for p in pools), sum(p.workers for p in pools)
        used = min(workers, ceil(at_once * workers / slots))
        hours = _wall_hours(planned, slots)
        load = capacity(min(slots, at_once), _typical_seconds(planned), used)
    return Forecast(
        kind=cluster.kind,
        at_once=at_once,
        workers=workers,
        slots=slots,
        used_workers=used,
        wall_hours=hours,
        load=load,
        warnings=tuple(_warnings(study, planned, pools, hours, load)),
        scripts=job_scripts(cluster, folder) if isinstance(cluster, Slurm) else {},
    )


def check_walltime(study: Study, people: tuple[Person, ...]) -> None:
    """Raise ConfigError where a job of the study would end before its blocks do, as the blocks in
    the study's store tell; without any, nobody knows.
    """
    pools = pools_of(study.cluster, study.simulation.backend) or ()
    if not any(pool.walltime for pool in pools):
        return
    subjects = subjects_of(study, people)
    pace = stored_pace(study, subjects)
    if pace is not None and (why := _too_short(plan(study, subjects, pace), pools)):
        with study.at("cluster", "walltime"):
            raise ConfigError(f"{why} and another `output`: a store keeps its blocks")


def _at_once(planned: Plan) -> int:
    """Blocks that there are to compute at the same time, at most: of one round, and the grid's."""
    blocks = {r.round: r.blocks for r in planned.rounds}
    return blocks.pop("grid", 0) + max(blocks.values())


def _typical_seconds(planned: Plan) -> float:
    """Mean seconds of a block."""
    return sum(r.core_hours for r in planned.rounds) * 3600.0 / planned.blocks


def _wall_hours(planned: Plan, slots: int) -> float:
    """All people's rounds one after the other, each in waves of blocks; learning in the driver."""
    waves = sum(ceil(r.blocks / slots) * r.block_seconds for r in planned.rounds)
    return waves / 3600.0 + planned.learning_core_hours


def _warnings(
    study: Study,
    planned: Plan,
    pools: Sequence[Pool] | None,
    hours: float | None,
    load: Capacity | None,
) -> list[str]:
    found = []
    if pools is not None and not pools:
        backend = study.simulation.backend
        remedy = "gpus: 1, or gpu_jobs" if backend == "cuda" else "jobs or workers without GPUs"
        found.append(
            f"no worker takes blocks of simulation.backend: {backend}; ask for {remedy} in cluster"
        )
    if planned.blocks > MOST_BLOCKS * max(1.0, hours or 0.0):
        found.append(
            f"{planned.blocks} blocks are more than {MOST_BLOCKS} per hour: write a larger `block`"
        )
    if pools and load is not None:
        found += _of_blocks(planned, sum(p.workers * p.slots for p in pools))
        found += _of_load(pools, load)
        if why := _too_short(planned, pools):
            found.append(why)
        found += _of_memory(planned, pools)
    return found


def _of_blocks(planned: Plan, slots: int) -> list[str]:
    """What is wrong with the size of blocks, judged by the round that has most of them."""
    main = max(planned.rounds, key=lambda r: r.blocks)
    seconds, people = main.block_seconds, len(planned.people)
    larger = 1 << ceil(main.block / seconds * SHORT_S - 1).bit_length()
    smaller = 1 << (max(1, int(main.block * LONG_S / seconds)).bit_length() - 1)
    # larger blocks are no remedy where they would leave slots without any
    enough = larger <= main.draws // people and main.draws // larger >= slots
    found = []
    if seconds < SHORT_S and enough:
        found.append(
            f"blocks of {main.block} draws last {_time(seconds)}, and each costs the scheduler and "
            f"the disk as much as a long one: write a larger `block`, such as {larger}"
        )
    if seconds > LONG_S and main.blocks < FEW_PER_SLOT * slots and smaller < main.block:
        found.append(
            f"{main.blocks} blocks of {_time(seconds)} for {slots} slots leave many idle while the "
            f"last ones end: write a smaller `block`, such as {smaller}"
        )
    if (most := _at_once(planned)) < slots:
        found.append(
            f"at most {most} blocks can be computed at once, and there are {slots} slots: ask for "
            "fewer jobs or workers, or write a smaller `block`"
        )
    return found


def _of_load(pools: Sequence[Pool], load: Capacity) -> list[str]:
    found = []
    if not load.suffices:
        found.append(
            f"{load.blocks_per_second:.0f} blocks per second keep the scheduler "
            f"{load.scheduler_share:.0%} busy, above {BUSIEST:.0%} it answers late; it feeds "
            f"{load.slots_fed} slots with such blocks: write a larger `block`, or let several "
            "drivers run, each with people and an output of its own"
        )
    if (workers := sum(p.workers for p in pools)) > MOST_WORKERS:
        found.append(
            f"{workers} workers connect to one scheduler, and more than {MOST_WORKERS} are known "
            "to choke it: ask for fewer jobs with more cpus each, or let several drivers run"
        )
    return found


def _too_short(planned: Plan, pools: Sequence[Pool]) -> str | None:
    """Say which wall time is too short for the longest blocks, and what to do."""
    longest = max(r.block_seconds for r in planned.rounds)
    for pool in pools:
        if pool.walltime is not None and pool.walltime < BLOCKS_PER_WALLTIME * longest:
            blocks = "a block" if pool.walltime < longest else "two blocks"
            return (
                f"walltime {pool.written} is shorter than {blocks} of {_time(longest)}: raise "
                "walltime or write a smaller `block`"
            )
    return None


def _of_memory(planned: Plan, pools: Sequence[Pool]) -> list[str]:
    signals = max(r.block_bytes for r in planned.rounds)
    for pool in pools:
        learners = min(pool.slots, len(planned.people)) * LEARNER_BYTES
        needed = WORKER_BYTES + pool.slots * COPIES * signals + learners
        if pool.memory is not None and pool.memory < needed:
            return [
                f"memory of {pool.memory / 1e9:.1f} GB is too small for {pool.slots} blocks at "
                f"once, which take {needed / 1e9:.1f} GB, learning included: raise memory, ask "
                "for fewer cpus, or write a smaller `block`"
            ]
    return []


def _time(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.2g} s" if seconds < 10.0 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200.0 else f"{seconds / 3600:.1f} h"
