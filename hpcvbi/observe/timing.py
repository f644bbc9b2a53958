"""Checks that a monitor's period fits the integration step and the duration."""

import math

from hpcvbi.core.errors import ConfigError


def check_of(name: str, of: str, observables: tuple[str, ...]) -> None:
    """Raise ConfigError unless `of` is a state variable or an output."""
    if of not in observables:
        raise ConfigError(f"monitor {name} watches {of!r}; the model has {', '.join(observables)}")


def check_period(name: str, period: float, dt: float, duration: float) -> None:
    """Raise ConfigError unless `period` is a whole number of steps and divides the duration (all in
    ms).
    """
    for what, whole, part in (("period", period, dt), ("duration", duration, period)):
        ratio = whole / part if part > 0 and math.isfinite(whole) else 0.0
        if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6:
            raise ConfigError(
                f"monitor {name}: {what} {whole:g} ms must be a whole multiple of {part:g} ms"
            )
