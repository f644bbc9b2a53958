"""Monitors that summarise the signal of another monitor while it comes, so that the signal itself
need not exist: functional connectivity, moments, power spectra.

The power spectrum is the one-sided density of Welch (1967) doi:10.1109/TAU.1967.1161901: Hann
windows, half overlapping, the mean of each segment removed.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Param
from hpcvbi.observe.timing import check_period


@dataclass(frozen=True)
class Fc:
    """Functional connectivity of the monitor named `of`: Pearson correlations (region, region)."""

    of: str = "bold"
    name: str = "fc"
    params: ClassVar[tuple[Param, ...]] = ()

    def check(self, observables: tuple[str, ...], dt: float, duration: float) -> None:
        """Accept: what `of` names is checked by the brain's list of monitors."""


@dataclass(frozen=True)
class Moments:
    """Mean and variance over time of the monitor named `of`, (moment, region); the variance is that
    of a sample, divided by the number of volumes less one.
    """

    of: str
    name: str = "moments"
    params: ClassVar[tuple[Param, ...]] = ()

    def check(self, observables: tuple[str, ...], dt: float, duration: float) -> None:
        """Accept: what `of` names is checked by the brain's list of monitors."""


@dataclass(frozen=True)
class Spectrum:
    """Power spectral density of the monitor named `of`, (frequency, region) [unit² / Hz].

    `segment` [ms] is the length of a Welch segment, its inverse the distance of frequencies; the
    frequencies are those multiples of it that lie in `band` [Hz], both ends included.
    """

    of: str
    segment: float
    band: tuple[float, float]
    name: str = "spectrum"
    params: ClassVar[tuple[Param, ...]] = ()

    def check(self, observables: tuple[str, ...], dt: float, duration: float) -> None:
        """Raise ConfigError where the segment does not fit the duration or the band is empty."""
        if not dt <= self.segment <= duration:
            raise ConfigError(
                f"monitor {self.name}: segment {self.segment:g} ms must lie between dt and the "
                f"duration {duration:g} ms"
            )
        if not self.bins.size:
            raise ConfigError(
                f"monitor {self.name}: no multiple of {1000.0 / self.segment:g} Hz lies in "
                f"the band {self.band[0]:g} to {self.band[1]:g} Hz"
            )

    @property
    def bins(self) -> np.ndarray:
        """Frequencies in units of 1000 / segment Hz."""
        low, high = (edge * self.segment * 1e-3 for edge in self.band)
        first, last = int(np.ceil(low - 1e-9)), int(np.floor(high + 1e-9))
        return np.arange(max(first, 1), last + 1)

    @property
    def frequencies(self) -> np.ndarray:
        """Frequencies of the density [Hz]."""
        return self.bins * 1000.0 / self.segment

    def length(self, period: float) -> int:
        """Volumes per segment when one comes every `period` ms; ConfigError where it is no even
        number or too short for the band.
        """
        check_period(self.name, self.segment, period, self.segment)
        length = round(self.segment / period)
        if length % 2:
            raise ConfigError(
                f"monitor {self.name}: segment {self.segment:g} ms holds {length} volumes of "
                f"{period:g} ms; segments overlap by half: make it an even number"
            )
        if 2 * self.bins[-1] > length:
            raise ConfigError(
                f"monitor {self.name}: {self.frequencies[-1]:g} Hz is above the Nyquist frequency "
                f"{500.0 / period:g} Hz of monitor {self.of}"
            )
        return length

    def window(self, length: int) -> np.ndarray:
        """Hann window of a segment, periodic."""
        return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)

    def waves(self, length: int) -> np.ndarray:
        """Windowed cosine and minus sine of each frequency, (frequency, 2, volume)."""
        turn = 2.0 * np.pi * self.bins[:, None] * np.arange(length) / length
        return np.stack([np.cos(turn), -np.sin(turn)], axis=1) * self.window(length)

    def density(self, power: np.ndarray, volumes: int, period: float) -> np.ndarray:
        """Density from squared magnitudes (..., frequency, region) summed over all segments."""
        length = self.length(period)
        segments = (volumes - length // 2) // (length // 2)
        scale = period * 1e-3 / np.square(self.window(length)).sum() / segments
        sides = np.where(2 * self.bins == length, 1.0, 2.0)
        return power * (scale * sides).astype(power.dtype)[:, None]
