"""How the connectome lies in memory for the lanes kernel: dense rows, or connections with their
delays.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.brain.brain import Brain
from hpcvbi.brain.coupling import Coupling
from hpcvbi.sim.kernel import SPAN

DENSE_FROM = 0.25
"""Share of non-zero weights from which a dense product beats a gather."""


@dataclass(frozen=True, eq=False)
class Network:
    """Weights and delays in the kernel's order; see `sim.kernel`.

    `taps` are delays in steps plus one, `base` the offset of each source's ring, `rows` where a
    target's connections begin; for a dense network `rows` holds the padded number of regions.
    """

    dense: bool
    span: int
    ring: int
    padded: int
    weights: np.ndarray
    base: np.ndarray
    taps: np.ndarray
    rows: np.ndarray

    def channels(
        self, brain: Brain, history: np.ndarray, width: int, dtype: np.dtype
    ) -> np.ndarray:
        """Return the channel array H filled with the past (state, history, region)."""
        past = source_channels(brain.coupling, history[[*_sent(brain)]])
        if self.dense:
            return np.repeat(past[:, -1, :, None], width, axis=2).astype(dtype).reshape(-1)
        n_channels, length, n = past.shape
        ring = np.zeros((n_channels, n, self.ring + self.span - 1), dtype)
        for back in range(min(length, self.ring)):
            ring[:, :, self.ring - 1 - back] = past[:, length - 1 - back]
        ring[:, :, self.ring :] = ring[:, :, : self.span - 1]
        return np.repeat(ring[..., None], width, axis=3).reshape(-1)


def _sent(brain: Brain):
    return (brain.model.state_names.index(name) for name in brain.model.sends)


def source_channels(coupling: Coupling, sent: np.ndarray) -> np.ndarray:
    """Channels that the sent variables (sent, ...) give rise to."""
    return sent if coupling.pre is None else np.stack(coupling.pre(*sent))


def lay_out(brain: Brain, width: int, dtype: np.dtype) -> Network:
    """Choose the layout of a brain's network and fill it."""
    weights = brain.connectome.weights
    n = len(weights)
    delays = brain.connectome.delays(brain.speed, brain.dt, brain.rounding)
    connected = weights != 0
    if not delays[connected].any() and connected.mean() >= DENSE_FROM:
        return _dense(weights, width, dtype)
    targets, sources = np.nonzero(connected)
    taps = delays[connected] + 1
    span = SPAN if len(taps) and taps.min() >= SPAN else 1
    longest = int(taps.max()) if len(taps) else 1
    ring = -(-(longest + span) // span) * span
    return Network(
        dense=False,
        span=span,
        ring=ring,
        padded=n,
        weights=weights[connected].astype(dtype),
        base=(sources * (ring + span - 1) * width).astype(np.int64),
        taps=taps.astype(np.int64),
        rows=np.searchsorted(targets, np.arange(n + 1)).astype(np.int64),
    )


def _dense(weights: np.ndarray, width: int, dtype: np.dtype) -> Network:
    n = len(weights)
    together = 8 if width * np.dtype(dtype).itemsize <= 64 else 4
    padded = -(-n // together) * together
    rows = np.zeros((padded, n), dtype)
    rows[:n] = weights
    blocks = rows.reshape(padded // together, together, n).transpose(0, 2, 1)
    nothing = np.zeros(1, np.int64)
    return Network(
        dense=True,
        span=1,
        ring=1,
        padded=padded,
        weights=np.ascontiguousarray(blocks).reshape(-1),
        base=nothing,
        taps=nothing,
        rows=np.array([padded], np.int64),
    )
