"""The brain network model of one person: all that `simulate` needs to know, frozen and checked."""

import difflib
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from hpcvbi.brain.connectome import Connectome, Rounding
from hpcvbi.brain.coupling import Coupling, WhiteNoise
from hpcvbi.brain.model import Model
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Param, Space

Scheme = Literal["euler", "heun"]


class Monitor(Protocol):
    """What a brain is seen through: one signal, named, sampled every `period` ms."""

    @property
    def name(self) -> str:
        """Name of the signal."""
        ...

    @property
    def params(self) -> tuple[Param, ...]:
        """Parameters that the monitor adds to the brain."""
        ...

    def check(self, state_names: tuple[str, ...], dt: float, duration: float) -> None:
        """Raise ConfigError where the monitor does not fit the model or the step."""
        ...


@dataclass(frozen=True, eq=False)
class Brain:
    """A connectome, a model on each region, coupling and noise, and how long and through what it is
    watched.

    Parameters
    ----------
    dt, duration, burn_in : [ms]; `duration` is what the monitors see, after `burn_in` has been
        discarded.
    speed : conduction speed [mm/ms], or None for no delays.
    space : the parameters that a draw sets, in the order of its columns.
    values : the other parameters, by name, scalar or per region; what is absent keeps its default.
    """

    connectome: Connectome
    model: Model
    coupling: Coupling
    noise: WhiteNoise | None
    dt: float
    duration: float
    monitors: tuple[Monitor, ...]
    space: Space = field(default_factory=lambda: Space(()))
    values: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    burn_in: float = 0.0
    speed: float | None = None
    scheme: Scheme = "euler"
    rounding: Rounding = "floor"

    def __post_init__(self) -> None:
        if self.scheme not in ("euler", "heun"):
            raise ConfigError(f"scheme must be euler or heun, got {self.scheme!r}")
        if not 0 < self.dt <= self.model.time_constant:
            raise ConfigError(
                f"dt = {self.dt:g} ms must be positive and not exceed the shortest time constant "
                f"of {self.model.name}, {self.model.time_constant:g} ms"
            )
        channels = self.coupling.n_channels(len(self.model.sends))
        if channels != len(self.model.inputs):
            raise ConfigError(
                f"coupling {self.coupling.name} gives {channels} inputs, {self.model.name} takes "
                f"{len(self.model.inputs)} ({', '.join(self.model.inputs)})"
            )
        if self.noise and (unknown := set(self.noise.on) - set(self.model.state_names)):
            raise ConfigError(f"noise on {sorted(unknown)}: {self.model.name} has no such variable")
        if self.noise and len(set(self.noise.on)) != len(self.noise.on):
            raise ConfigError(f"noise on {list(self.noise.on)}: name each variable once")
        for name, time in (("duration", self.duration), ("burn_in", self.burn_in)):
            steps_of(time, self.dt, name)
        self.connectome.delays(self.speed, self.dt, self.rounding)
        for monitor in self.monitors:
            monitor.check(self.model.state_names, self.dt, self.duration)
        self._check_parameters()

    def _check_parameters(self) -> None:
        known = {p.name: p for p in self.params}
        if len(known) != len(self.params):
            raise ConfigError(f"parameter names collide in {[p.name for p in self.params]}")
        for name in (*self.space.names, *self.values):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ConfigError(
                    f"{name!r} is no parameter of this brain ({', '.join(known)}){hint}"
                )
        if both := set(self.space.names) & set(self.values):
            raise ConfigError(f"{sorted(both)} are both fixed and drawn")
        for name, value in self.values.items():
            known[name].check(value)
            if np.ndim(value) and np.shape(value) != (self.connectome.n_regions,):
                raise ConfigError(
                    f"{name} must be a number or one number per region "
                    f"({self.connectome.n_regions}), got shape {np.shape(value)}"
                )

    @property
    def params(self) -> tuple[Param, ...]:
        """All parameters of model, coupling, noise and monitors."""
        noise = (self.noise.sigma,) if self.noise else ()
        seen = tuple(p for monitor in self.monitors for p in monitor.params)
        return (*self.model.params, *self.coupling.params, *noise, *seen)

    @property
    def n_steps(self) -> int:
        """Steps of dt, burn-in included."""
        return self.n_burn_in + steps_of(self.duration, self.dt, "duration")

    @property
    def n_burn_in(self) -> int:
        """Steps of dt before the monitors start."""
        return steps_of(self.burn_in, self.dt, "burn_in")

    def parameters(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """Every parameter by name, derived ones included, each broadcastable to (draw, region).

        A parameter that is the same in all regions has shape (draw, 1) or (1, 1).
        """
        theta = np.asarray(theta, float)
        self.space.check(theta)
        table: dict[str, np.ndarray] = {}
        for p in self.params:
            if p.name in self.space.names:
                table[p.name] = theta[:, [self.space.names.index(p.name)]]
            else:
                table[p.name] = np.asarray(self.values.get(p.name, p.default), float).reshape(1, -1)
        known = {**table, "strength": self.connectome.strength.reshape(1, -1)}
        for derived in self.model.derived:
            names = inspect.signature(derived.formula).parameters
            table[derived.name] = derived.formula(**{name: known[name] for name in names})
        return table


def steps_of(time: float, dt: float, name: str) -> int:
    """Number of steps of `dt` in `time` [ms]; ConfigError unless it is whole."""
    steps = round(time / dt) if math.isfinite(time) else -1
    if steps < 0 or abs(steps * dt - time) > 1e-6 * dt:
        raise ConfigError(f"{name} = {time:g} ms must be a whole multiple of dt = {dt:g} ms")
    return steps
