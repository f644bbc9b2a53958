"""When to give up: on a block after so many attempts, on a person when too many draws are lost.

What a block does to its worker (it raises, exhausts the memory, never ends) is tried again and then
recorded: its draws are `failed`. What the store or the study does to a block would happen to every
block, so that it is never counted here: it stops the run.
"""

from collections.abc import Sequence

import numpy as np

from hpcvbi.cluster import Failure
from hpcvbi.core.block import WHOLE, Status
from hpcvbi.core.errors import ClusterError

WAITED = 30
"""How often a block may lose its worker through no fault of its own; then the cluster has one."""


class Attempts:
    """Counts the attempts at every block."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._failed: dict[tuple[str, str, int], int] = {}
        self._waited: dict[tuple[str, str, int], int] = {}

    def exhausted(self, failure: Failure) -> bool:
        """Count a failure; whether the block is to be given up.

        Raises
        ------
        ClusterError : workers die again and again, and not because of the block.
        """
        key, counts = failure.block.key, self._failed if failure.blamed else self._waited
        counts[key] = counts.get(key, 0) + 1
        if not failure.blamed and counts[key] >= WAITED:
            raise ClusterError(
                f"workers keep dying: {WAITED} died before they could finish block {key[2]} of "
                f"{key[0]}, {key[1]} ({failure.cause}). Look for what ends them (memory, the "
                "system's log, a wall time shorter than a block), then run the same command again; "
                "what is finished is kept"
            )
        return failure.blamed and counts[key] >= self._allowed


def too_many_lost(
    names: Sequence[str], theta: np.ndarray, status: np.ndarray, allowed: float, cause: str
) -> str:
    """Say how many of a round's draws are lost, and where they lie.

    `theta` (draw, param) and `status` (draw,) are the round's; PENDING draws do not count.
    """
    failed = int((status == Status.FAILED).sum())
    diverged = int((status == Status.DIVERGED).sum())
    done = status != Status.PENDING
    lost = done & ~np.isin(status, WHOLE)
    why = f" The last cause: {cause}." if cause else ""
    again = " The same command with --retry-failed tries failed draws again." if failed else ""
    return (
        f"{failed + diverged} of {len(status)} draws are lost ({diverged} diverged, {failed} "
        f"failed); limits.lost allows {allowed:g} of a round. "
        f"{where_lost(names, theta, lost, done)}{why} Narrow the priors to where the model is "
        f"stable, or raise limits.lost, which the same store accepts.{again}"
    )


def where_lost(names: Sequence[str], theta: np.ndarray, lost: np.ndarray, done: np.ndarray) -> str:
    """Say in which region of theta (draw, param) the `lost` ones of the `done` draws lie, the
    parameter that sets them apart best first.
    """
    found = []
    for column, name in enumerate(names):
        bad, all_ = theta[lost, column], theta[done, column]
        low, high = np.quantile(bad, [0.05, 0.95])
        found.append(
            (
                -_apart(bad, theta[done & ~lost, column]),
                f"{name} {low:.4g} to {high:.4g} (simulated: {all_.min():.4g} to {all_.max():.4g})",
            )
        )
    return f"Nine tenths of them lie at {', '.join(text for _, text in sorted(found))}."


def _apart(bad: np.ndarray, good: np.ndarray) -> float:
    """Distance of P(bad > good) from one half: 0 where nothing sets them apart, 0.5 at most."""
    if not len(good):
        return 0.0
    ordered = np.sort(good)
    below = np.searchsorted(ordered, bad, "left") + np.searchsorted(ordered, bad, "right")
    return abs(float(below.mean()) / (2 * len(good)) - 0.5)
