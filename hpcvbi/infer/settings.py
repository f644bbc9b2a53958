"""Kinds and bounds of settings."""

from collections.abc import Mapping
from dataclasses import fields
from math import inf
from numbers import Integral, Real
from types import UnionType
from typing import Any, get_args, get_origin

from hpcvbi.core.errors import ConfigError

NUMBERS = {int: Integral, float: Real}
"""What passes for a number of a kind; true and false do not."""


def require_kinds(settings: Any) -> None:
    """Raise ConfigError unless every setting of a dataclass is of the kind its field is for."""
    for field in fields(settings):
        kinds = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
        kinds = [get_origin(kind) or kind for kind in kinds]
        value = getattr(settings, field.name)
        fits = any(isinstance(value, NUMBERS.get(kind, kind)) for kind in kinds)
        if not fits or (isinstance(value, bool) and bool not in kinds):
            make = field.default_factory
            example = make() if callable(make) else field.default
            raise ConfigError(f"{field.name} must be such as {example!r}, got {value!r}")


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
NEURAL = {
    **dict.fromkeys(
        ("rounds", "draws", "transforms", "embedding_size", "channels", "members", "max_epochs",
         "stop_after", "candidates"),
        (1, inf),
    ),
    "hidden": (2, inf),
    "batch": (0, inf),
    "min_survivors": (20, inf),
    "truncation": (0.0, 0.5),
    "validation": (0.0, 0.5),
    "learning_rate": (1e-6, 1.0),
    "weight_decay": (0.0, 1e6),
    "clip_margin": (0.0, 1e6),
}  # fmt: skip
"""Of what fits networks."""


def require_all(settings: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raise ConfigError unless every setting is of its kind, and those that `bounds` names lie
    between its two numbers.
    """
    require_kinds(settings)
    for name, (low, high) in bounds.items():
        require(name, getattr(settings, name), low, high)
