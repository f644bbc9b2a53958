"""Tries failed draws again: they and all that was learned from them lose their marks.

A failed draw may be the machine's fault (memory, a hanging node). A resumed run keeps it, so that
the same store always gives the same result and nothing is tried for ever; only who asks for it has
it tried again.
"""

from hpcvbi.campaign.together import NETWORK, ROUND
from hpcvbi.core.identifier import COHORT
from hpcvbi.core.wave import WAVE, wave_of
from hpcvbi.store import Driver

_AFTER_ROUNDS = ("posterior", "predictive", "posterior_predictive")
"""What follows the last round, in this order."""
_LAST = ("evaluation", "choice")
"""What rests on all draws of a person."""


def try_again(store: Driver) -> int:
    """Void the blocks that hold failed draws, and what rests on them; return how many blocks."""
    blocks = store.failed_blocks()
    groups = {
        (chain, group)
        for chain, round, _ in blocks
        for group in store.groups(chain)
        if rests_on(group, round)
    }
    if store.has(COHORT, NETWORK) and any(round == ROUND for _, round, _ in blocks):
        groups.add((COHORT, NETWORK))
        groups |= {
            (chain, group)
            for chain in store.study["people"]
            for group in store.groups(chain)
            if rests_on(group, ROUND) and group != "calibration"
        }
    store.void(blocks, sorted(groups), superseded=True)
    store.append("failed draws tried again", blocks=len(blocks))
    return len(blocks)


def rests_on(group: str, round: str) -> bool:
    """Whether what is stored as `group` was computed from the draws of `round`, of one person."""
    if group in _LAST:
        return True
    if round == "calibration":
        return False
    if group == "calibration":
        return round.startswith("round_")
    if round.startswith("grid"):
        return round == "grid" and group == "grid_fresh"
    return _place(group) > _place(round)


def _place(group: str) -> tuple[int, int]:
    """Place in a person's story; first what does not rest on any draw."""
    if group.startswith(f"{WAVE}_"):
        return wave_of(group)[0], 0
    kind, _, number = group.rpartition("_")
    if kind in ("round", "inference") and number.isdecimal():
        return int(number), int(kind == "inference")
    if group in _AFTER_ROUNDS:
        return 10**9, _AFTER_ROUNDS.index(group)
    return -1, 0
