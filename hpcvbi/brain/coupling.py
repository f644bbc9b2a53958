"""How regions act on each other through the connectome.

    channels_j = pre(sent_j)                              at the source, before the delay
    input_i    = post(sum_j w_ij channel_j(t - d_ij), channel_i(t), strength_i, parameters)

`pre` maps the sent state variables to the quantities that travel; None sends them as they are.
`post` is applied to each channel and yields the inputs of the model, one per channel. Both are
scalar functions in the sense of `brain.model`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Param


@dataclass(frozen=True)
class Coupling:
    """Coupling through the connectome; see the module docstring for the equation."""

    name: str
    post: Callable[..., object]
    params: tuple[Param, ...]
    pre: Callable[..., tuple] | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        declared = ("total", "own", "strength", *(p.name for p in self.params))
        written = tuple(inspect.signature(self.post).parameters)
        if written != declared:
            raise ConfigError(f"coupling {self.name}: post{written} must take {declared}")
        if (self.pre is None) != (self.channels is None):
            raise ConfigError(f"coupling {self.name}: state how many channels `pre` returns")

    def n_channels(self, sends: int) -> int:
        """Number of channels when `sends` state variables are sent."""
        return sends if self.channels is None else self.channels


GLOBAL_COUPLING = Param("G", 1.0, "1", low=0.0, doc="global coupling strength")


def _linear(total, own, strength, G):
    return G * total


def _difference(total, own, strength, G):
    return G * (total - strength * own)


LINEAR = Coupling("linear", _linear, (GLOBAL_COUPLING,))
DIFFERENCE = Coupling("difference", _difference, (GLOBAL_COUPLING,))

COUPLINGS: dict[str, Coupling] = {"linear": LINEAR, "difference": DIFFERENCE}


@dataclass(frozen=True)
class WhiteNoise:
    """Additive white noise: the increment of a step is sigma sqrt(dt) N(0, 1) on each variable in
    `on`.
    """

    on: tuple[str, ...]
    sigma: ClassVar[Param] = Param(
        "sigma", 0.01, "1/sqrt(ms)", low=0.0, doc="standard deviation of the noise"
    )
