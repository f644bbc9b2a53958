"""Monitors that show a state variable itself."""

from dataclasses import dataclass
from typing import ClassVar

from hpcvbi.core.space import Param
from hpcvbi.observe.timing import check_of, check_period


@dataclass(frozen=True)
class Sample:
    """The state variable `of` after every `period` ms."""

    of: str
    period: float
    name: str = "sample"
    params: ClassVar[tuple[Param, ...]] = ()

    def check(self, state_names: tuple[str, ...], dt: float, duration: float) -> None:
        """Raise ConfigError where the monitor does not fit the model or the step."""
        check_of(self.name, self.of, state_names)
        check_period(self.name, self.period, dt, duration)


@dataclass(frozen=True)
class Average:
    """The mean of the state variable `of` over each `period` ms."""

    of: str
    period: float
    name: str = "average"
    params: ClassVar[tuple[Param, ...]] = ()

    def check(self, state_names: tuple[str, ...], dt: float, duration: float) -> None:
        """Raise ConfigError where the monitor does not fit the model or the step."""
        check_of(self.name, self.of, state_names)
        check_period(self.name, self.period, dt, duration)
