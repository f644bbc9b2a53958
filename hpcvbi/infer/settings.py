"""Bounds of settings."""

from hpcvbi.core.errors import ConfigError


def require(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless a setting lies between two numbers."""
    if not low <= value <= high:
        raise ConfigError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")
