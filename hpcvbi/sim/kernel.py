"""Writes the Python source of the lanes kernel that belongs to one kind of brain.

The kernel advances `width` draws side by side. Its arrays are flat; the lane is the fastest index:

    X  state                               [variable, node, lane]
    H  channels                            [channel, node, slot, lane]
    C  totals                              [channel, node, lane]
    P  parameters equal in all regions     [parameter, lane]
    Q  parameters that differ              [parameter, node, lane]
    Z  normals of four steps               [noise, node, 4, lane]

Two shapes of the same loop. Where every delay spans at least `SPAN - 1` steps, a node takes
SPAN = 4 steps per visit, its state and noise in registers; channels lie in a ring whose first slots
are repeated behind its end, so that any four consecutive slots are contiguous. Otherwise all nodes
take one step at a time; without delays the totals are a dense product, computed for several target
regions at once so that each loaded source is used several times. The value of a channel at time t
lies in slot (t - 1) mod ring.
"""

from dataclasses import dataclass

from hpcvbi.brain.coupling import Coupling
from hpcvbi.brain.model import Model

SPAN = 4
"""Steps per visit where delays allow it; also the number of normals that one counter gives."""


@dataclass(frozen=True)
class Watch:
    """A monitor as the kernel sees it: "sample", "average", "bold" or "fc", and the state variable
    or monitor it is of.
    """

    kind: str
    of: str


@dataclass(frozen=True)
class Kernel:
    """What distinguishes one compiled kernel from another."""

    model: Model
    coupling: Coupling
    noise_on: tuple[str, ...]
    lane_params: tuple[str, ...]
    node_params: tuple[str, ...]
    watches: tuple[Watch, ...]
    heun: bool
    double: bool
    width: int
    dense: bool
    span: int

    @property
    def channels(self) -> int:
        """Number of channels that travel through the connectome."""
        return self.coupling.n_channels(len(self.model.sends))

    @property
    def targets(self) -> int:
        """Regions whose totals are computed together: enough to keep multiply-add units busy."""
        return 8 if self.width * (8 if self.double else 4) <= 64 else 4
