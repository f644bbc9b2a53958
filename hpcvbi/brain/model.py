"""The declaration of a neural mass model: state variables, parameters and one scalar right-hand
side.

    dx/dt = f(x, c, p)        x state, c coupling inputs, p parameters

`dfun` is an ordinary Python function of scalars that uses + - * / and the free names exp, log,
tanh, sqrt and where. It is written once; each backend binds those names to its own arithmetic.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Param


@dataclass(frozen=True)
class State:
    """One state variable: its unit, initial value and hard bounds, applied after every step."""

    name: str
    unit: str = "1"
    init: float = 0.0
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Derived:
    """A parameter that follows from others, one value per draw and region.

    `formula` is a function whose argument names are parameters of the brain, or `strength`, the
    summed incoming weight of the region; it is evaluated once per draw on arrays that broadcast to
    (draw, region).
    """

    name: str
    unit: str
    formula: Callable[..., np.ndarray]
    doc: str = ""


@dataclass(frozen=True)
class Model:
    """A neural mass model, declared once for every backend.

    `inputs` names the coupling inputs of `dfun`, `sends` the state variables that leave the region;
    `time_constant` [ms] is the shortest one, which the integration step must resolve.
    """

    name: str
    dfun: Callable[..., tuple]
    state: tuple[State, ...]
    inputs: tuple[str, ...]
    params: tuple[Param, ...]
    sends: tuple[str, ...]
    derived: tuple[Derived, ...] = ()
    time_constant: float = np.inf

    def __post_init__(self) -> None:
        declared = (*self.state_names, *self.inputs, *self.param_names)
        written = tuple(inspect.signature(self.dfun).parameters)
        if declared != written:
            raise ConfigError(
                f"model {self.name}: dfun({', '.join(written)}) must take state, inputs and "
                f"parameters in the declared order ({', '.join(declared)})"
            )
        if unknown := set(self.sends) - set(self.state_names):
            raise ConfigError(
                f"model {self.name} sends {sorted(unknown)}, which are no state variables"
            )

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the state variables in order."""
        return tuple(s.name for s in self.state)

    @property
    def param_names(self) -> tuple[str, ...]:
        """Names of all parameters of `dfun`, the derived ones last."""
        return (*(p.name for p in self.params), *(d.name for d in self.derived))
