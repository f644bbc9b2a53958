"""What a choice would cost at most: all of its waves, shared among the rivals as their priors are.

Later waves have more draws of the models that fit; where these are the slow ones, it costs more.
"""

from math import ceil

from hpcvbi.campaign.pace import pace_of
from hpcvbi.campaign.plan import (
    INODES_PER_PERSON,
    INODES_PER_ROUND,
    INODES_PER_STEP,
    Plan,
    RoundPlan,
    block_size,
    bytes_per_draw,
    simulated_per_draw,
    updates_per_draw,
)
from hpcvbi.campaign.rivals import Rivals
from hpcvbi.core.wave import WAVE


def plan_choice(rivals: Rivals, measure: bool = False) -> Plan:
    """Count draws, blocks, inodes, bytes and core-hours of a choice; one that is done early costs
    less.
    """
    people, share = len(rivals.people), sum(rivals.prior.values())
    blocks, size, hours, cuts, seconds, signals = 0, 0, 0.0, [], [], []
    paces = {}
    for name, study in rivals.studies.items():
        subjects = list(rivals.subjects[name].values())
        paces[name] = pace_of(study, subjects, measure)
        draws = ceil(rivals.choice.draws * rivals.prior[name] / share)
        for subject in subjects:
            cut = min(draws, block_size(study, subject, draws, ()))
            rate = updates_per_draw(subject) / paces[name].rate
            blocks += -(-draws // cut)
            size += draws * bytes_per_draw(study, subject, ())
            hours += draws * rate / 3600.0
            cuts.append(cut)
            seconds.append(cut * rate)
            signals.append(cut * simulated_per_draw(study, subject))
    rounds = tuple(
        RoundPlan(
            round=f"{WAVE}_{number:03d}",
            draws=rivals.choice.draws * people,
            blocks=blocks,
            bytes=size,
            core_hours=hours,
            block=max(cuts),
            block_seconds=max(seconds),
            block_bytes=max(signals),
            # features and status of each block
            inodes=2 * blocks + INODES_PER_ROUND * people * len(rivals.studies),
        )
        for number in range(rivals.choice.rounds)
    )
    steps = people * (INODES_PER_PERSON + rivals.choice.rounds * INODES_PER_STEP)
    inodes = steps + sum(r.inodes for r in rounds)
    slowest = min(paces.values(), key=lambda pace: pace.rate)
    return Plan(tuple(sorted(p.id for p in rivals.people)), rounds, 0.0, inodes, slowest)
