"""The declaration of a neural mass model: state variables, parameters and one scalar right-hand
side.

    dx/dt = f(x, c, p)        x state, c coupling inputs, p parameters

`dfun` is an ordinary Python function of scalars that uses + - * / and the free names exp, log,
sqrt, tanh, sin, cos and where. It is written once; each backend binds those names to its own
arithmetic.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hpcvbi.brain.scalar import check_scalar
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Param

Outside = Literal["clip", "soft", "diverge"]


@dataclass(frozen=True)
class State:
    """One state variable: its unit, initial value and bounds, applied after every step.

    What happens at the bounds is said by `outside`. "clip": the value is set to the bound. "soft":
    within `margin` of a bound b the value is bent, x -> b' + margin tanh((x - b')/margin) with b'
    the inner edge of the margin, so that the bound is approached and never reached. "diverge": the
    draw is given up, as if it had turned non-finite. `start` is the range of random initial values.
    """

    name: str
    unit: str = "1"
    init: float = 0.0
    low: float = -np.inf
    high: float = np.inf
    outside: Outside = "clip"
    margin: float = 0.0
    start: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.outside not in ("clip", "soft", "diverge"):
            raise ConfigError(
                f"state {self.name}: outside must be clip, soft or diverge, got {self.outside!r}"
            )
        if (self.outside == "soft") != (self.margin > 0):
            raise ConfigError(
                f"state {self.name}: give a soft bound a positive margin, others none"
            )
        if not self.low <= self.init <= self.high:
            raise ConfigError(
                f"state {self.name}: init {self.init:g} is outside [{self.low:g}, {self.high:g}]"
            )
        if self.start and not self.low <= self.start[0] <= self.start[1] <= self.high:
            raise ConfigError(
                f"state {self.name}: start {self.start} is no range inside "
                f"[{self.low:g}, {self.high:g}]"
            )


@dataclass(frozen=True)
class Output:
    """A quantity that follows from the state, to be watched by monitors or sent to other regions.

    `formula` is a scalar function like `dfun`; its argument names are state variables and
    parameters of the model.
    """

    name: str
    unit: str
    formula: Callable[..., object]
    doc: str = ""


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

    `inputs` names the coupling inputs of `dfun`, `sends` the state variables or outputs that leave
    the region; `time_constant` [ms] is the shortest one, which the integration step must resolve.
    `diffusion(*state, *params)` declares multiplicative noise: one factor of sigma per state
    variable.
    """

    name: str
    dfun: Callable[..., tuple]
    state: tuple[State, ...]
    inputs: tuple[str, ...]
    params: tuple[Param, ...]
    sends: tuple[str, ...]
    derived: tuple[Derived, ...] = ()
    time_constant: float = np.inf
    outputs: tuple[Output, ...] = ()
    diffusion: Callable[..., tuple] | None = None

    def __post_init__(self) -> None:
        declared = (*self.state_names, *self.inputs, *self.param_names)
        written = tuple(inspect.signature(self.dfun).parameters)
        if declared != written:
            raise ConfigError(
                f"model {self.name}: dfun({', '.join(written)}) must take state, inputs and "
                f"parameters in the declared order ({', '.join(declared)})"
            )
        check_scalar(f"model {self.name}", self.dfun)
        if self.diffusion is not None:
            check_scalar(f"model {self.name}", self.diffusion)
            declared = (*self.state_names, *self.param_names)
            if tuple(inspect.signature(self.diffusion).parameters) != declared:
                raise ConfigError(
                    f"model {self.name}: diffusion must take state and parameters in the declared "
                    f"order ({', '.join(declared)})"
                )
        if unknown := set(self.sends) - set(self.observables):
            raise ConfigError(
                f"model {self.name} sends {sorted(unknown)}: no state variables or outputs"
            )
        for output in self.outputs:
            check_scalar(f"output {output.name} of {self.name}", output.formula)
            takes = set(inspect.signature(output.formula).parameters)
            if unknown := takes - set(self.state_names) - set(self.param_names):
                raise ConfigError(
                    f"output {output.name} of {self.name} takes {sorted(unknown)}: no state "
                    f"variables or parameters"
                )

    def observe(self, name: str, state, values):
        """Value of a state variable or output; `state` and `values` map names to arrays."""
        if name in state:
            return state[name]
        (output,) = [o for o in self.outputs if o.name == name]
        known = {**values, **state}
        return output.formula(*(known[a] for a in inspect.signature(output.formula).parameters))

    @property
    def observables(self) -> tuple[str, ...]:
        """Names of what can be watched and sent: state variables, then outputs."""
        return (*self.state_names, *(output.name for output in self.outputs))

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the state variables in order."""
        return tuple(s.name for s in self.state)

    @property
    def param_names(self) -> tuple[str, ...]:
        """Names of all parameters of `dfun`, the derived ones last."""
        return (*(p.name for p in self.params), *(d.name for d in self.derived))
