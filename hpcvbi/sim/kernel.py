"""The kernel that belongs to one kind of brain: what distinguishes it, and its arrays.

The kernel advances `width` draws side by side. Its arrays are flat; the lane is the fastest index:

    X  state, then Ornstein-Uhlenbeck noise  [variable, node, lane]
    H  channels                              [channel, node, slot, lane]
    C  totals                                [channel, node, lane]
    P  parameters equal in all regions       [parameter, lane]
    Q  parameters that differ                [parameter, node, lane]
    Z  normals of four steps                 [noise, node, 4, lane]
    U  waveforms of the stimuli              [stimulus, step]
    V  their weights                         [stimulus, node]

There are four shapes of the same loop:

    dense     without delays: the totals of a step are a dense product, computed for several target
              regions at once so that each loaded source is used several times
    stepwise  sparse or with short delays: all nodes take one step at a time
    blocked   every delay spans at least `window` - 1 steps: a node takes `window` steps per visit,
              SPAN at a time, state and noise in registers; channels lie in a ring whose first slots
              are repeated behind its end, so that any SPAN consecutive slots are contiguous
    held      the coupling is evaluated every `window` steps: a node takes so many per visit

The value of a channel at (coupling) step t lies in slot (t - 1) mod ring.

The text of a kernel is the same for every backend; `PRIMITIVES` are the names that each backend
binds to its own arithmetic and memory, `declared` the functions of the declarations that it calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hpcvbi.brain.coupling import Coupling
from hpcvbi.brain.model import Model
from hpcvbi.observe import bold

SPAN = 4
"""Steps taken at once where delays allow it; also the number of normals that one counter gives."""

PRIMITIVES = (
    *("load", "store", "entry", "spread", "gather", "fma", "where", "sqrt", "tanh", "to_double"),
    *("four_normals", "normals_and_areas", "each", "barrier", "real"),
)
"""Names that the text calls: lanes and single numbers from and to memory, arithmetic, noise, `each`
(the iterations of a loop that workers share), `barrier` (between what one node writes and another
reads) and `real` (a whole number as a number of the kernel's precision)."""

KICK, KEEP = "kick__", "keep__noise"
"""Names of derived noise parameters: standard deviation of an increment, decay per step."""

Shape = Literal["dense", "stepwise", "blocked", "held"]


@dataclass(frozen=True)
class Watch:
    """A monitor as the kernel sees it: its kind, and the observable or the position of the monitor
    that it is of.
    """

    kind: str
    of: str

    @property
    def derived(self) -> bool:
        """Whether it is of another monitor."""
        return self.kind in ("fc", "moments", "spectrum")


@dataclass(frozen=True)
class Kernel:
    """What distinguishes one compiled kernel from another."""

    model: Model
    coupling: Coupling
    sends: tuple[str | None, ...]
    noise: Literal["", "white", "ou"]
    noise_on: tuple[str, ...]
    stimuli: tuple[tuple[str, str], ...]
    lane_params: tuple[str, ...]
    node_params: tuple[str, ...]
    watches: tuple[Watch, ...]
    scheme: str
    double: bool
    width: int
    shape: Shape
    targets: int
    own_delays: bool
    long_visits: bool
    ends_within: bool
    level: int

    @property
    def channels(self) -> int:
        """Number of channels that travel through the connectome."""
        return self.coupling.n_channels(len(self.sent))

    @property
    def sent(self) -> tuple[str, ...]:
        """Names of the quantities that leave a region."""
        return tuple(name for name in self.sends if name is not None)

    @property
    def areas(self) -> bool:
        """Whether a step needs the areas under the noise as well as its increments."""
        return self.scheme == "sra1" and self.noise == "white"

    @property
    def normals(self) -> int:
        """Number of normals per node and step."""
        return len(self.noise_on) * (2 if self.areas else 1)

    @property
    def span(self) -> int:
        """Steps of the ring that a node reads and writes at once."""
        return SPAN if self.shape == "blocked" else 1

    @property
    def rows(self) -> int:
        """Rows of X: state variables, then noise with a memory."""
        return len(self.model.state) + (len(self.noise_on) if self.noise == "ou" else 0)


def declared(kernel: Kernel) -> dict[str, Callable | None]:
    """Functions of the declarations by the name under which the text calls them."""
    model, coupling = kernel.model, kernel.coupling
    return {
        "dfun": model.dfun,
        "diffusion": model.diffusion,
        "pre": coupling.pre,
        "post": coupling.post,
        "mix": coupling.mix,
        "balloon": bold.balloon,
        "bold_signal": bold.bold_signal,
        **{f"out_{output.name}": output.formula for output in model.outputs},
    }


CONSTANTS = {"LEAST_INFLOW": bold.LEAST_INFLOW}
"""Numbers that the text refers to by name."""
