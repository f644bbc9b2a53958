"""The section `stimuli`: waveforms in time, on a state variable or a parameter of some regions."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from hpcvbi.brain.stimulus import (
    FrozenNoise,
    Pulse,
    Ramp,
    Sine,
    Stimulus,
    Train,
    Waveform,
    Waypoints,
)
from hpcvbi.config.section import Count, Name, Names, NotNegative, Positive, Section, Seed
from hpcvbi.core.errors import ConfigError, DataError


class PulseSection(Section):
    """1 for a while, else 0."""

    kind: Literal["pulse"]
    start: float
    """[ms] since the recording began; negative in the burn-in."""
    width: Positive
    """[ms]"""

    def build(self, texts: Mapping[str, str]) -> Waveform:
        """Return the waveform."""
        return Pulse(self.start, self.width)


class TrainSection(Section):
    """A number of pulses."""

    kind: Literal["train"]
    start: float
    """[ms]"""
    period: Positive
    """From pulse to pulse [ms]."""
    width: Positive
    """[ms]"""
    count: Count

    def build(self, texts: Mapping[str, str]) -> Waveform:
        """Return the waveform."""
        return Train(self.start, self.period, self.width, self.count)


class SineSection(Section):
    """A sine."""

    kind: Literal["sine"]
    frequency: NotNegative
    """[Hz]"""
    phase: float = 0.0
    """[radian]"""
    start: float = 0.0
    """[ms]"""
    stop: float | None = None
    """[ms]; null for the end."""

    def build(self, texts: Mapping[str, str]) -> Waveform:
        """Return the waveform."""
        stop = np.inf if self.stop is None else self.stop
        return Sine(self.frequency, self.phase, self.start, stop)


class RampSection(Section):
    """From 0 to 1, and there it stays."""

    kind: Literal["ramp"]
    start: float
    """[ms]"""
    stop: float
    """[ms]"""

    def build(self, texts: Mapping[str, str]) -> Waveform:
        """Return the waveform."""
        return Ramp(self.start, self.stop)


class FrozenNoiseSection(Section):
    """Independent normal values, alike in every draw."""

    kind: Literal["noise"]
    seed: Seed
    hold: Positive
    """How long each value is held [ms]."""
    start: float = 0.0
    """[ms]"""

    def build(self, texts: Mapping[str, str]) -> Waveform:
        """Return the waveform."""
        return FrozenNoise(self.seed, self.hold, self.start)


class FileSection(Section):
    """Straight lines between the rows of a table."""

    kind: Literal["file"]
    file: str
    """Relative to this file; csv with the header `time_ms,value` and increasing times."""

    def build(self, texts: Mapping[str, str]) -> Waveform:
        """Return the waveform."""
        times, values = _columns(texts[self.file], self.file)
        try:
            return Waypoints(times, values)
        except ConfigError as error:
            raise ConfigError(f"{self.file}: {error}") from error


class StimulusSection(Section):
    """A stimulus; its amplitude is a parameter that bears its name, 1 unless given or inferred."""

    name: Name
    on: str
    """State variable, added to its derivative per ms; or parameter of the model."""
    regions: Literal["all"] | Names | dict[str, float] = "all"
    """Labels of the regions, or the weight of each."""
    waveform: Annotated[
        PulseSection | TrainSection | SineSection | RampSection | FrozenNoiseSection | FileSection,
        Field(discriminator="kind"),
    ]

    def build(self, labels: tuple[str, ...], texts: Mapping[str, str]) -> Stimulus:
        """Return the stimulus on these regions."""
        return Stimulus(self.name, self.on, self._weights(labels), self.waveform.build(texts))

    def _weights(self, labels: tuple[str, ...]) -> np.ndarray:
        if self.regions == "all":
            return np.ones(len(labels))
        named = self.regions if isinstance(self.regions, dict) else dict.fromkeys(self.regions, 1.0)
        for name in named:
            if name not in labels:
                near = get_close_matches(name, labels, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"they begin with {labels[0]!r}"
                raise ConfigError(f"there is no region {name!r}; {hint}")
        if not any(named.values()):
            raise ConfigError(f"stimulus {self.name} reaches no region: all weights are 0")
        return np.array([named.get(label, 0.0) for label in labels])


def _columns(text: str, file: str) -> tuple[np.ndarray, np.ndarray]:
    header, *lines = [line.strip() for line in text.splitlines()] or [""]
    if [cell.strip() for cell in header.split(",")] != ["time_ms", "value"]:
        raise DataError(f"{file}:1: the header must be time_ms,value, got {header[:40]!r}")
    rows = []
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        try:
            time, value = map(float, line.split(","))
        except ValueError:
            raise DataError(f"{file}:{number}: two numbers are needed, got {line[:40]!r}") from None
        rows.append((time, value))
    table = np.array(rows, float).reshape(-1, 2)
    return table[:, 0], table[:, 1]
