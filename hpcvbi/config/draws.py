"""The section `draws` of a trial: the parameter values that are simulated side by side."""

import math
from itertools import product
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from hpcvbi.config.network import Parameter
from hpcvbi.config.section import Section
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import generator
from hpcvbi.core.space import Space

Values = Annotated[tuple[float, ...], Field(min_length=1)]
MOST_DRAWS = 1_000_000


class Table(Section):
    """One draw for each place in the lists."""

    kind: Literal["table"]
    of: Annotated[dict[str, Values], Field(min_length=1)]
    """Values of each parameter, as many of one as of any other."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Ranges of the parameters."""
        return {name: _around(values) for name, values in self.of.items()}

    def theta(self, space: Space, seed: int) -> np.ndarray:
        """Return the draws (draw, param)."""
        lengths = {name: len(values) for name, values in self.of.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{count} of {name}" for name, count in lengths.items())
            raise ConfigError(f"as many values of each parameter are needed, got {counts}")
        return np.array([self.of[name] for name in space.names], float).T


class Grid(Section):
    """One draw for every combination of values."""

    kind: Literal["grid"]
    of: Annotated[dict[str, Values], Field(min_length=1)]
    """Values of each parameter; the last one named changes fastest."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Ranges of the parameters."""
        return {name: _around(values) for name, values in self.of.items()}

    def theta(self, space: Space, seed: int) -> np.ndarray:
        """Return the draws (draw, param)."""
        count = math.prod(len(values) for values in self.of.values())
        if count > MOST_DRAWS:
            raise ConfigError(f"{count} combinations; at most {MOST_DRAWS} draws are simulated")
        table = dict(zip(self.of, np.array(list(product(*self.of.values())), float).T, strict=True))
        return np.stack([table[name] for name in space.names], axis=1)


class FromPrior(Section):
    """Random draws from priors."""

    kind: Literal["prior"]
    count: Annotated[int, Field(ge=1, le=MOST_DRAWS)]
    of: Annotated[dict[str, Parameter], Field(min_length=1)]
    """Prior of each parameter; `{}` for its own."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Priors of the parameters."""
        return self.of

    def theta(self, space: Space, seed: int) -> np.ndarray:
        """Return the draws (draw, param)."""
        return space.sample(generator("draws of a trial", seed), self.count)


class Repeat(Section):
    """The same parameters several times, each with noise of its own."""

    kind: Literal["repeat"]
    count: Annotated[int, Field(ge=1, le=MOST_DRAWS)]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """No parameters."""
        return {}

    def theta(self, space: Space, seed: int) -> np.ndarray:
        """Return the draws (draw, 0)."""
        return np.zeros((self.count, 0))


Draws = Annotated[Table | Grid | FromPrior | Repeat, Field(discriminator="kind")]


def _around(values: tuple[float, ...]) -> Parameter:
    """Range that holds these values; a prior must have some width."""
    low, high = min(values), max(values)
    if low == high:
        high = float(np.nextafter(high, np.inf))
    return Parameter(prior="uniform", low=low, high=high)
