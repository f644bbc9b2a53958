"""The brain network model of one person: all that `simulate` needs to know, frozen and checked."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from hpcvbi.brain.connectome import Connectome, Rounding
from hpcvbi.brain.coupling import Coupling
from hpcvbi.brain.model import Model
from hpcvbi.brain.noise import Noise, WhiteNoise
from hpcvbi.brain.stimulus import Stimulus
from hpcvbi.brain.table import check_reach, parameter_table, slopes_of
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param, Space

Scheme = Literal["euler", "heun", "rk4", "sra1"]
SCHEMES: tuple[Scheme, ...] = ("euler", "heun", "rk4", "sra1")
SPEED = Param(
    "speed", 5.0, "mm/ms", 0.05, 1000.0, Uniform(1.0, 20.0), "conduction speed of the tracts"
)
MOST_REFINEMENTS = 2


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

    def check(self, observables: tuple[str, ...], dt: float, duration: float) -> None:
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
    speed : conduction speed [mm/ms], or None for no delays. With a speed, `speed` is a parameter of
        the brain, and a draw may set it.
    space : the parameters that a draw sets, in the order of its columns.
    values : the other parameters, by name, scalar or per region; what is absent keeps its default.
        A derived parameter of the model that is given here keeps the given value.
    maps : regional annotations of parameters, {parameter: {map: (region,)}}. Parameter p becomes
        p_i = p + Σ_map p_<map> map_i, with a further parameter p_<map> for each map, by default 0.
    sends : what leaves a region, if not what the model sends by default; None in the place of an
        input that gets nothing: it is zero.
    stimuli : waveforms on state variables or parameters.
    coupling_step : the coupling is evaluated every so many ms (a whole multiple of dt) and held in
        between; None evaluates it in every step. Delays are whole multiples of it.
    refine : how many times dt may be halved for a draw that diverges, on the same noise path.
    rounding : of delays to whole steps; "floor", or "round" (half to even) as in The Virtual Brain.
    """

    connectome: Connectome
    model: Model
    coupling: Coupling
    noise: Noise | None
    dt: float
    duration: float
    monitors: tuple[Monitor, ...]
    space: Space = field(default_factory=lambda: Space(()))
    values: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    burn_in: float = 0.0
    speed: float | None = None
    scheme: Scheme = "euler"
    rounding: Rounding = "floor"
    maps: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    sends: tuple[str | None, ...] = ()
    stimuli: tuple[Stimulus, ...] = ()
    coupling_step: float | None = None
    refine: int = 0

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ConfigError(f"scheme must be one of {', '.join(SCHEMES)}, got {self.scheme!r}")
        if not 0 < self.dt <= self.model.time_constant:
            raise ConfigError(
                f"dt = {self.dt:g} ms must be positive and not exceed the shortest time constant "
                f"of {self.model.name}, {self.model.time_constant:g} ms"
            )
        if not 0 <= self.refine <= MOST_REFINEMENTS:
            raise ConfigError(f"refine must be 0 to {MOST_REFINEMENTS}, got {self.refine}")
        object.__setattr__(self, "sends", tuple(self.sends) or self.model.sends)
        self._check_coupling()
        self._check_noise()
        self._check_stimuli()
        for name, time in (("duration", self.duration), ("burn_in", self.burn_in)):
            steps_of(time, self.dt, name)
        if self.n_steps == 0:
            raise ConfigError(f"duration = {self.duration:g} ms holds no step of {self.dt:g} ms")
        if self.speed is not None:
            SPEED.check(self.speed)
        self.connectome.delays(self.speed, self.dt, self.rounding)
        for monitor in self.monitors:
            monitor.check(self.model.observables, self.dt, self.duration)
        self._check_parameters()

    def _check_coupling(self) -> None:
        if unknown := set(self.sent) - set(self.model.observables):
            raise ConfigError(
                f"sends {sorted(unknown)}: {self.model.name} has "
                f"{', '.join(self.model.observables)}"
            )
        takes = self.coupling.takes
        if takes not in (None, len(self.sends)) or (takes and None in self.sends):
            raise ConfigError(
                f"coupling {self.coupling.name} takes {takes} quantities, {len(self.sent)} are "
                f"sent ({', '.join(self.sent)}): set `sends`"
            )
        inputs = self.coupling.n_inputs(len(self.sends))
        if inputs != len(self.model.inputs):
            raise ConfigError(
                f"coupling {self.coupling.name} gives {inputs} inputs, {self.model.name} takes "
                f"{len(self.model.inputs)} ({', '.join(self.model.inputs)})"
            )
        if self.coupling_step is not None:
            steps = steps_of(self.coupling_step, self.dt, "coupling_step")
            if steps < 1:
                raise ConfigError("coupling_step must be positive [ms], or None")

    def _check_noise(self) -> None:
        if not self.noise:
            return
        if unknown := set(self.noise.on) - set(self.model.state_names):
            raise ConfigError(f"noise on {sorted(unknown)}: {self.model.name} has no such variable")
        if not isinstance(self.noise, WhiteNoise):
            return
        if self.scheme == "rk4":
            raise ConfigError("scheme rk4 is for equations without white noise: use heun or sra1")
        if self.scheme == "sra1" and self.model.diffusion is not None:
            raise ConfigError(
                f"scheme sra1 is for additive noise; {self.model.name} declares a diffusion: "
                f"use euler or heun"
            )

    def _check_stimuli(self) -> None:
        targets = (*self.model.state_names, *(p.name for p in self.model.params))
        for stimulus in self.stimuli:
            if stimulus.on not in targets:
                raise ConfigError(
                    f"stimulus {stimulus.name} on {stimulus.on!r}: {self.model.name} has the state "
                    f"variables and parameters {', '.join(targets)}"
                )
            if len(stimulus.regions) != self.connectome.n_regions:
                raise ConfigError(
                    f"stimulus {stimulus.name}: {len(stimulus.regions)} weights for "
                    f"{self.connectome.n_regions} regions"
                )

    def _check_parameters(self) -> None:
        known = {p.name: p for p in self.params}
        if len(known) != len(self.params):
            raise ConfigError(f"parameter names collide in {[p.name for p in self.params]}")
        derived = tuple(d.name for d in self.model.derived)
        for name in (*self.space.names, *self.values):
            if name not in known and not (name in derived and name in self.values):
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ConfigError(
                    f"{name!r} is no parameter of this brain ({', '.join(known)}){hint}"
                )
        if both := set(self.space.names) & set(self.values):
            raise ConfigError(f"{sorted(both)} are both fixed and drawn")
        for name, value in self.values.items():
            known.get(name, Param(name, 0.0)).check(value)
            if np.ndim(value) and np.shape(value) != (self.connectome.n_regions,):
                raise ConfigError(
                    f"{name} must be a number or one number per region "
                    f"({self.connectome.n_regions}), got shape {np.shape(value)}"
                )
        if np.ndim(self.values.get(SPEED.name, 0.0)):
            raise ConfigError("speed must be one number: it is a property of the whole brain")
        check_reach(self)

    @property
    def params(self) -> tuple[Param, ...]:
        """All parameters of model, coupling, tracts, noise, stimuli, monitors and maps."""
        units = {s.name: f"{s.unit}/ms" for s in self.model.state}
        units |= {p.name: p.unit for p in self.model.params}
        return (
            *self.model.params,
            *self.coupling.params,
            *((SPEED,) if self.speed is not None else ()),
            *(self.noise.params if self.noise else ()),
            *(stimulus.amplitude(units[stimulus.on]) for stimulus in self.stimuli),
            *(p for monitor in self.monitors for p in monitor.params),
            *slopes_of(self),
        )

    @property
    def sent(self) -> tuple[str, ...]:
        """Names of the quantities that leave a region."""
        return tuple(name for name in self.sends if name is not None)

    @property
    def n_steps(self) -> int:
        """Steps of dt, burn-in included."""
        return self.n_burn_in + steps_of(self.duration, self.dt, "duration")

    @property
    def n_burn_in(self) -> int:
        """Steps of dt before the monitors start."""
        return steps_of(self.burn_in, self.dt, "burn_in")

    @property
    def hold(self) -> int:
        """Steps of dt for which an evaluation of the coupling is held."""
        if self.coupling_step is None:
            return 1
        return steps_of(self.coupling_step, self.dt, "coupling_step")

    def parameters(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """Every parameter by name, derived ones included, each broadcastable to (draw, region).

        A parameter that is the same in all regions has shape (draw, 1) or (1, 1).
        """
        return parameter_table(self, theta)

    def delays(self, theta: np.ndarray) -> np.ndarray:
        """Delays in steps of the coupling, shape (draw, to, from), or (1, to, from) where they do
        not depend on the draw.
        """
        step = self.dt * self.hold
        if self.speed is None or SPEED.name not in self.space.names:
            speeds = [self.speed and float(self.values.get(SPEED.name, self.speed))]
        else:
            speeds = [float(v) for v in theta[:, self.space.names.index(SPEED.name)]]
        found = [self.connectome.delays(speed, step, self.rounding) for speed in speeds]
        return np.stack(found)

    def waveforms(self) -> np.ndarray:
        """Value of each stimulus's waveform at the beginning of each step, (stimulus, step)."""
        time = (np.arange(self.n_steps) - self.n_burn_in) * self.dt
        if not self.stimuli:
            return np.zeros((0, self.n_steps))
        return np.stack([np.asarray(s.waveform.sample(time), float) for s in self.stimuli])


def steps_of(time: float, dt: float, name: str) -> int:
    """Number of steps of `dt` in `time` [ms]; ConfigError unless it is whole."""
    steps = round(time / dt) if math.isfinite(time) else -1
    if steps < 0 or abs(steps * dt - time) > 1e-6 * dt:
        raise ConfigError(f"{name} = {time:g} ms must be a whole multiple of dt = {dt:g} ms")
    return steps
