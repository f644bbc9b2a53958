"""Monitors that show a state variable or an output of the model itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from hpcvbi.core.space import Param
from hpcvbi.observe.timing import check_of, check_period


@dataclass(frozen=True)
class Sample:
    """The observable `of` after every `period` ms. Without `keep` it only feeds other monitors."""

    of: str
    period: float
    name: str = "sample"
    keep: bool = True
    params: ClassVar[tuple[Param, ...]] = ()

    def check(self, observables: tuple[str, ...], dt: float, duration: float) -> None:
        """Raise ConfigError where the monitor does not fit the model or the step."""
        check_of(self.name, self.of, observables)
        check_period(self.name, self.period, dt, duration)


@dataclass(frozen=True)
class Average:
    """The mean of the observable `of` over each `period` ms. Without `keep` it only feeds other
    monitors.
    """

    of: str
    period: float
    name: str = "average"
    keep: bool = True
    params: ClassVar[tuple[Param, ...]] = ()

    def check(self, observables: tuple[str, ...], dt: float, duration: float) -> None:
        """Raise ConfigError where the monitor does not fit the model or the step."""
        check_of(self.name, self.of, observables)
        check_period(self.name, self.period, dt, duration)


def samples(observables: Iterable[str], period: float) -> tuple[Sample, ...]:
    """One `Sample` of each observable, named after it: with `model.state_names` and `dt`, every
    step of every state variable.
    """
    return tuple(Sample(name, period, name=name) for name in observables)
