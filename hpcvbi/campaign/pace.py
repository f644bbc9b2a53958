"""How fast one core simulates a study: as its store has it, as measured here, or as assumed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.campaign.subjects import Subject
from hpcvbi.config import Study
from hpcvbi.core.errors import StoreError
from hpcvbi.sim.simulate import simulate
from hpcvbi.store import progress

CAUTIOUS_RATE = 100e6
"""Region updates per second of one core that nearly every model and machine reaches."""
LANES = 32
"""Draws that fill the SIMD lanes of every processor that there is."""
MEASURED_UPDATES = 300_000
"""Region updates per draw that are simulated to measure the rate."""
_REPEATS = 3
_WITHOUT_WEIGHT = ("inference", "yardsticks", "seed")
"""Keys of a study that do not alter what a draw costs."""


@dataclass(frozen=True)
class Pace:
    """Region updates per second of one core, and where the figure is from."""

    rate: float
    source: str


ASSUMED = Pace(CAUTIOUS_RATE, "assumed, cautiously; --measure finds this machine's")


def pace_of(study: Study, subjects: Sequence[Subject], measure: bool = False) -> Pace:
    """Return how fast the study is simulated: measured here if `measure`, else as its store has
    it, else assumed. Nothing is written.
    """
    if measure:
        return measured_pace(study, subjects[0])
    return stored_pace(study, subjects) or ASSUMED


def stored_pace(study: Study, subjects: Sequence[Subject]) -> Pace | None:
    """Return the rate of the blocks that the study's store has: all of a block, reading, features
    and writing included; None without any.
    """
    try:
        found = progress(Path(study.output))
    except StoreError:
        return None
    if _weight(dict(found.study.get("study", {}))) != _weight(study.canonical()):
        return None
    updates = {s.name: s.brain.n_steps * s.brain.connectome.n_regions for s in subjects}
    rounds = [r for r in found.rounds if r.chain in updates]
    seconds = sum(r.seconds for r in rounds)
    work = sum((r.draws_done - r.failed) * updates[r.chain] for r in rounds)
    if not seconds or not work:
        return None
    blocks = sum(r.blocks_done for r in rounds)
    return Pace(work / seconds, f"of {blocks} blocks in the study's store")


def _weight(canonical: dict[str, Any]) -> dict[str, Any]:
    """What of a study a draw's cost depends on."""
    kept = {key: value for key, value in canonical.items() if key not in _WITHOUT_WEIGHT}
    return {**kept, "cohort": {**kept.get("cohort", {}), "people": "all"}}


def measured_pace(study: Study, subject: Subject) -> Pace:
    """Simulate a few steps of one batch of draws on this machine."""
    brain, period = subject.brain, subject.person.tr_ms
    per_volume = brain.connectome.n_regions * period / brain.dt
    volumes = max(2, ceil(MEASURED_UPDATES / per_volume))
    brain = replace(brain, duration=period * volumes, burn_in=0.0, refine=0)
    theta = brain.space.from_unit(np.random.default_rng(0).random((LANES, len(brain.space))))
    seconds = []
    for _ in range(1 + _REPEATS):  # the first one compiles
        start = time.perf_counter()
        simulate(
            brain,
            theta,
            seed=study.seed,
            backend=study.simulation.backend,
            dtype=study.simulation.dtype,
        )
        seconds.append(time.perf_counter() - start)
    work = LANES * brain.n_steps * brain.connectome.n_regions
    return Pace(work / min(seconds[1:]), "measured here, without features and writing")
