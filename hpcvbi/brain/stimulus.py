"""Stimuli: waveforms in time, weighted over regions, on a state variable or a parameter.

    dx_i/dt = f(...) + A w_i s(t)              on a state variable x     A [unit of x / ms]
    p_i(t)  = p_i + A w_i s(t)                 on a parameter p          A [unit of p]

A is a parameter of the brain that bears the stimulus's name; w_i is dimensionless. Time runs from
the start of the recording: it is negative during burn-in. s is held over a step at its value at the
beginning, in all stages of the scheme.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.prior import Uniform
from hpcvbi.core.seeds import generator
from hpcvbi.core.space import Param


class Waveform(Protocol):
    """A dimensionless function of time."""

    def sample(self, time: np.ndarray) -> np.ndarray:
        """Return the value at each increasing `time` [ms]."""
        ...


@dataclass(frozen=True)
class Pulse:
    """1 from `start` [ms] for `width` [ms], else 0."""

    start: float
    width: float

    def __post_init__(self) -> None:
        _check_finite("pulse", start=self.start, width=self.width)
        if not self.width > 0:
            raise ConfigError(f"pulse: width must be positive [ms], got {self.width:g}")

    def sample(self, time: np.ndarray) -> np.ndarray:
        """Return the value at each increasing `time` [ms]."""
        return _between(time, self.start, self.start + self.width)


@dataclass(frozen=True)
class Train:
    """`count` pulses of `width` every `period`, the first at `start` (all in ms)."""

    start: float
    period: float
    width: float
    count: int

    def __post_init__(self) -> None:
        _check_finite("train", start=self.start, period=self.period)
        if not 0 < self.width <= self.period or self.count < 1:
            raise ConfigError(
                f"train: width {self.width:g} ms must be positive and not exceed the period "
                f"{self.period:g} ms, count {self.count} be at least 1"
            )

    def sample(self, time: np.ndarray) -> np.ndarray:
        """Return the value at each increasing `time` [ms]."""
        number = np.floor((time - self.start) / self.period + _ROUNDING)
        inside = _between(time - self.start - number * self.period, 0.0, self.width)
        return np.where((number >= 0) & (number < self.count), inside, 0.0)


@dataclass(frozen=True)
class Sine:
    """sin(2π f (t − start) + phase) from `start` to `stop` [ms], f in Hz, phase in radians."""

    frequency: float
    phase: float = 0.0
    start: float = 0.0
    stop: float = np.inf

    def __post_init__(self) -> None:
        _check_finite("sine", frequency=self.frequency, phase=self.phase, start=self.start)
        if not self.start < self.stop:
            raise ConfigError(f"sine: start {self.start:g} ms must lie before stop {self.stop:g}")

    def sample(self, time: np.ndarray) -> np.ndarray:
        """Return the value at each increasing `time` [ms]."""
        turn = 2.0 * np.pi * self.frequency * 1e-3 * (time - self.start) + self.phase
        return np.where(_between(time, self.start, self.stop) > 0, np.sin(turn), 0.0)


@dataclass(frozen=True)
class Ramp:
    """Rises linearly from 0 at `start` to 1 at `stop` [ms], and stays there."""

    start: float
    stop: float

    def __post_init__(self) -> None:
        _check_finite("ramp", start=self.start, stop=self.stop)
        if not self.start < self.stop:
            raise ConfigError(f"ramp: start {self.start:g} ms must lie before stop {self.stop:g}")

    def sample(self, time: np.ndarray) -> np.ndarray:
        """Return the value at each increasing `time` [ms]."""
        return np.clip((time - self.start) / (self.stop - self.start), 0.0, 1.0)


@dataclass(frozen=True)
class FrozenNoise:
    """Independent N(0, 1) values, each held for `hold` ms from `start` on; alike in every draw."""

    seed: int
    hold: float
    start: float = 0.0

    def __post_init__(self) -> None:
        _check_finite("frozen noise", hold=self.hold, start=self.start)
        if not self.hold > 0:
            raise ConfigError(f"frozen noise: hold must be positive [ms], got {self.hold:g}")

    def sample(self, time: np.ndarray) -> np.ndarray:
        """Return the value at each increasing `time` [ms]."""
        number = np.floor((time - self.start) / self.hold + _ROUNDING).astype(int)
        last = int(number.max(initial=-1)) + 1
        values = generator("frozen noise", self.seed).standard_normal(max(last, 1))
        return np.where(number >= 0, values[number.clip(min=0)], 0.0)


@dataclass(frozen=True, eq=False)
class Waypoints:
    """Straight lines between `values` at increasing `times` [ms]; 0 before and after."""

    times: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        times, values = np.asarray(self.times, float), np.asarray(self.values, float)
        if times.ndim != 1 or times.shape != values.shape or len(times) < 2:
            raise ConfigError("waypoints: times and values must be two vectors of one length >= 2")
        if not np.isfinite([times, values]).all() or (np.diff(times) <= 0).any():
            raise ConfigError("waypoints: times must increase, and all numbers be finite")

    def sample(self, time: np.ndarray) -> np.ndarray:
        """Return the value at each increasing `time` [ms]."""
        return np.interp(time, self.times, self.values, left=0.0, right=0.0)


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A waveform on the state variable or parameter `on`, weighted by `regions` (region,)."""

    name: str
    on: str
    regions: np.ndarray
    waveform: Waveform

    def __post_init__(self) -> None:
        regions = np.asarray(self.regions, float)
        if regions.ndim != 1 or not np.isfinite(regions).all():
            raise ConfigError(f"stimulus {self.name}: regions must be one finite weight per region")

    def amplitude(self, unit: str) -> Param:
        """Return the parameter A; `unit` is that of what the stimulus is added to."""
        return Param(
            self.name, 1.0, unit, -1e9, 1e9, Uniform(0.0, 1.0), f"amplitude of stimulus {self.name}"
        )


# Steps of dt accumulate rounding errors; a pulse that starts on a step should start there.
_ROUNDING = 1e-9


def _check_finite(waveform: str, **values: float) -> None:
    for name, value in values.items():
        if not np.isfinite(value):
            raise ConfigError(f"{waveform}: {name} {value:g} must be a finite number")


def _between(time: np.ndarray, start: float, stop: float) -> np.ndarray:
    slack = _ROUNDING * (1.0 + np.abs(time))
    return np.where((time >= start - slack) & (time < stop - slack), 1.0, 0.0)
