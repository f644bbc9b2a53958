"""How the connectome lies in memory for a kernel: dense rows, or connections with their delays."""

from dataclasses import dataclass

import numpy as np

from hpcvbi.brain.brain import SPEED, Brain
from hpcvbi.sim.kernel import SPAN, Shape

DENSE_FROM = 0.25
"""Share of non-zero weights from which a dense product beats a gather."""


@dataclass(frozen=True, eq=False)
class Network:
    """Weights and delays in the kernel's order; see `sim.kernel`.

    `delays` are those of the connections in (coupling) steps, (draw or 1, connection); `sources`
    the region where each begins, `rows` where a target's connections begin. For a dense network
    `rows` holds the padded number of regions. `window` is the number of steps per visit of a node.
    """

    shape: Shape
    ring: int
    window: int
    padded: int
    targets: int
    weights: np.ndarray
    sources: np.ndarray
    delays: np.ndarray
    rows: np.ndarray

    @property
    def own_delays(self) -> bool:
        """Whether delays differ between draws."""
        return len(self.delays) > 1

    @property
    def slots(self) -> int:
        """Slots of the ring, those included that repeat its beginning."""
        return self.ring + (SPAN - 1 if self.shape == "blocked" else 0)

    def base(self, width: int) -> np.ndarray:
        """Offset of each connection's source in the channel array."""
        return (self.sources * self.slots * width).astype(np.int64)

    def taps(self, lanes: np.ndarray) -> np.ndarray:
        """Delays plus one: (connection,), or (connection, lane) where they differ."""
        if not self.own_delays:
            return (self.delays[0] + 1).astype(np.int64)
        return np.ascontiguousarray((self.delays[lanes] + 1).T.astype(np.int32)).reshape(-1)


def lay_out(
    brain: Brain, theta: np.ndarray, dtype: np.dtype, registers: int, most_steps: int = SPAN
) -> Network:
    """Choose the layout of a brain's network and fill it; `registers` is the number of sums that a
    dense product can hold, `most_steps` how many steps one visit of a node may take.
    """
    weights = brain.connectome.weights
    n = len(weights)
    connected = weights != 0
    delays = brain.delays(theta)[:, connected]
    # A draw's bits must not depend on the delays of its neighbours: they do not choose "dense".
    drawn = brain.speed is not None and SPEED.name in brain.space.names
    if brain.hold == 1 and not drawn and not delays.any() and connected.mean() >= DENSE_FROM:
        return _dense(weights, dtype, registers)
    shape: Shape = "stepwise"
    ahead = window = 1
    if brain.hold > 1:
        shape, window = "held", brain.hold
    elif delays.size and delays.min() >= SPAN - 1:
        shape = "blocked"
        ahead = window = min(int(delays.min()) + 1, most_steps) // SPAN * SPAN
    span = SPAN if shape == "blocked" else 1
    longest = int(delays.max(initial=0)) + 1
    rows, sources, weights, delays = _even(weights, delays)
    return Network(
        shape=shape,
        ring=-(-(longest + ahead) // span) * span,
        window=window,
        padded=n,
        targets=0,
        weights=weights.astype(dtype),
        sources=sources,
        delays=delays,
        rows=rows,
    )


def _even(weights: np.ndarray, delays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Connections by target, an even number for each: rows, sources, weights, delays.

    Where the number is odd, the last connection is repeated with weight zero.
    """
    targets, sources = np.nonzero(weights)
    counts = np.bincount(targets, minlength=len(weights))
    ends = np.cumsum(counts)
    odd = ends[counts % 2 == 1]
    order = np.insert(np.arange(len(targets)), odd, odd - 1)
    strengths = np.insert(weights[targets, sources], odd, 0.0)
    rows = np.concatenate([[0], np.cumsum(counts + counts % 2)])
    return rows.astype(np.int64), sources[order], strengths, delays[:, order]


def _dense(weights: np.ndarray, dtype: np.dtype, registers: int) -> Network:
    n = len(weights)
    # Many targets at once keep the multiply-add units busy; padding wastes them.
    choices = range(max(1, registers // 2), max(1, registers) + 1)
    together = min(choices, key=lambda t: (-(-n // t) * t, -t))
    padded = -(-n // together) * together
    rows = np.zeros((padded, n), dtype)
    rows[:n] = weights
    blocks = rows.reshape(padded // together, together, n).transpose(0, 2, 1)
    nothing = np.zeros(1, np.int64)
    return Network(
        shape="dense",
        ring=1,
        window=1,
        padded=padded,
        targets=together,
        weights=np.ascontiguousarray(blocks).reshape(-1),
        sources=nothing,
        delays=nothing[None],
        rows=np.array([padded], np.int64),
    )
