"""Which epsilon the next generation must reach: pyABC's schedules, fed with weighted distances.

del Moral, Doucet & Jasra (2012), An adaptive sequential Monte Carlo method for approximate Bayesian
computation, DOI 10.1007/s11222-011-9271-y.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.infer.pyabc_parts import pyabc

EXHAUSTED = -np.inf
"""An epsilon that no draw reaches: the schedule has ended."""


def _quantile(package: Any, schedule: "Schedule") -> Any:
    return package.QuantileEpsilon(alpha=schedule.quantile)


def _constant(package: Any, schedule: "Schedule") -> Any:
    return package.ConstantEpsilon(schedule.values[0])


def _list(package: Any, schedule: "Schedule") -> Any:
    return package.ListEpsilon(list(schedule.values))


SCHEDULES: dict[str, Callable[[Any, "Schedule"], Any]] = {
    "quantile": _quantile,
    "constant": _constant,
    "list": _list,
}
"""pyABC's epsilons by name; its median is the quantile .5."""


@dataclass(frozen=True)
class Schedule:
    """Name of the schedule, the quantile of the last distances, and epsilons that are given."""

    name: str
    quantile: float
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.name not in SCHEDULES:
            raise ConfigError(f"there is no epsilon {self.name!r}. Known: {', '.join(SCHEDULES)}")
        wanted = {"constant": len(self.values) == 1, "list": len(self.values) >= 1}
        if not wanted.get(self.name, not self.values):
            raise ConfigError(
                f"epsilon {self.name!r} does not go with epsilons {self.values}: constant takes "
                "one, list takes one per generation, quantile none"
            )
        if not all(value > 0 for value in self.values):
            raise ConfigError(f"epsilons must be positive, got {self.values}")

    def epsilon(self, generation: int, distances: np.ndarray, weights: np.ndarray) -> float:
        """Return the epsilon of a generation, given weighted distances (particle,) of the last."""
        if self.name == "list" and generation >= len(self.values):
            return EXHAUSTED
        import pandas as pd

        epsilon = SCHEDULES[self.name](pyabc(), self)
        known = pd.DataFrame({"distance": distances, "w": weights})
        epsilon.initialize(
            t=generation,
            get_weighted_distances=lambda: known,
            get_all_records=list,
            max_nr_populations=generation + 2,
            acceptor_config={},
        )
        return float(epsilon(generation))


def numbers(text: str | tuple[float, ...]) -> tuple[float, ...]:
    """Return the numbers of a text such as "4, 2, 1"; ConfigError where one is none."""
    if not isinstance(text, str):
        return tuple(float(value) for value in text)
    try:
        return tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise ConfigError(f'epsilons must be numbers such as "4, 2, 1", got {text!r}') from None
