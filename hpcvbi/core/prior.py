"""One-dimensional prior distributions, each a bijection between its support and the unit interval.

A prior is a frozen value; `quantile` and `cdf` are exact inverses, so that a draw in natural units
and its place in the unit cube carry the same information. Everything is vectorised over NumPy
arrays.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hpcvbi.core.errors import ConfigError


class Prior(Protocol):
    """A one-dimensional distribution with a closed-form quantile function."""

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Value below which the fraction `u` of the prior mass lies."""
        ...

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Prior mass below `value`."""
        ...

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Natural logarithm of the density; -inf outside the support."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Constant density between `low` and `high`."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self.low, self.high, "uniform")

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Value below which the fraction `u` of the prior mass lies."""
        return self.low + np.asarray(u) * (self.high - self.low)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Prior mass below `value`."""
        return np.clip((np.asarray(value) - self.low) / (self.high - self.low), 0.0, 1.0)

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Natural logarithm of the density; -inf outside the support."""
        value = np.asarray(value, float)
        inside = (value >= self.low) & (value <= self.high)
        return np.where(inside, -np.log(self.high - self.low), -np.inf)


@dataclass(frozen=True)
class LogUniform:
    """Constant density of the logarithm between `low` and `high`, both positive."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self.low, self.high, "log_uniform")
        if self.low <= 0:
            raise ConfigError(f"log_uniform needs 0 < low, got low = {self.low}; use uniform")

    @property
    def _width(self) -> float:
        return float(np.log(self.high / self.low))

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Value below which the fraction `u` of the prior mass lies."""
        return self.low * np.exp(np.asarray(u) * self._width)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Prior mass below `value`."""
        positive = np.maximum(np.asarray(value, float), np.finfo(float).tiny)
        return np.clip(np.log(positive / self.low) / self._width, 0.0, 1.0)

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Natural logarithm of the density; -inf outside the support."""
        value = np.asarray(value, float)
        inside = (value >= self.low) & (value <= self.high)
        safe = np.where(inside, value, self.low)
        return np.where(inside, -np.log(safe * self._width), -np.inf)


def _check_order(low: float, high: float, name: str) -> None:
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ConfigError(f"{name} needs finite low < high, got low = {low}, high = {high}")


FINEST = 1e-6
"""Width of a prior in units of its larger end, below which float32 holds fewer than ten values."""


def check_width(prior: Prior) -> None:
    """ConfigError unless single precision can tell values of the prior apart."""
    low, high = map(float, prior.quantile(np.array([0.0, 1.0])))
    if high - low < FINEST * max(abs(low), abs(high)):
        raise ConfigError(
            f"a prior from {low!r} to {high!r} is narrower than single precision resolves: widen "
            "it, or fix the value instead"
        )


PRIORS: dict[str, type[Uniform] | type[LogUniform]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
}
