"""Bounds of settings."""

from collections.abc import Mapping
from math import inf

from hpcvbi.core.errors import ConfigError


def require(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless a setting lies between two numbers."""
    if not low <= value <= high:
        raise ConfigError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")


GENERATIONS = {
    "rounds": (1, inf),
    "draws": (1, inf),
    "particles": (0, inf),
    "p": (1.0, inf),
    "quantile": (1e-6, 1.0),
    "scaling": (1e-6, 1e6),
    "neighbours": (1e-6, 1.0),
    "min_epsilon": (0.0, inf),
}
"""Of what accepts draws in generations."""


def require_all(settings: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raise ConfigError unless every setting that `bounds` names lies between its two numbers."""
    for name, (low, high) in bounds.items():
        require(name, getattr(settings, name), low, high)
