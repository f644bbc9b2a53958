"""Parameters and the space they span: names, units, bounds and priors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.prior import PRIORS, Prior


@dataclass(frozen=True)
class Param:
    """One named quantity of a model.

    `low` and `high` are the bounds of what is physically meaningful, in `unit`; a value outside
    them is refused. `prior` is what is believed before seeing data; only parameters with a prior
    can be inferred.
    """

    name: str
    default: float
    unit: str = "1"
    low: float = -np.inf
    high: float = np.inf
    prior: Prior | None = None
    doc: str = ""

    def with_prior(self, prior: Prior) -> "Param":
        """Return the same parameter with another prior."""
        return replace(self, prior=prior)

    def check(self, value: np.ndarray | float) -> None:
        """Raise ConfigError where `value` is not finite or outside the physical bounds."""
        value = np.asarray(value, float)
        if not np.isfinite(value).all():
            raise ConfigError(f"{self.name} [{self.unit}] must be finite, got {value!r}")
        if (value < self.low).any() or (value > self.high).any():
            raise ConfigError(
                f"{self.name} [{self.unit}] must lie in [{self.low:g}, {self.high:g}], "
                f"got values from {value.min():g} to {value.max():g}"
            )


@dataclass(frozen=True)
class Space:
    """The product of independent one-dimensional priors over named parameters.

    Arrays of draws are float64 of shape (draw, param), in natural units, in the order of `names`.
    """

    params: tuple[Param, ...]

    def __post_init__(self) -> None:
        names = [p.name for p in self.params]
        if len(set(names)) != len(names):
            raise ConfigError(f"parameters named twice: {sorted(names)}")
        for p in self.params:
            if p.prior is None:
                raise ConfigError(f"{p.name} has no prior: give it one, or fix its value")
            p.check(p.prior.quantile(np.array([0.0, 1.0])))

    @property
    def names(self) -> tuple[str, ...]:
        """Names in column order."""
        return tuple(p.name for p in self.params)

    def __len__(self) -> int:
        return len(self.params)

    def _priors(self) -> Iterable[tuple[int, Prior]]:
        for column, p in enumerate(self.params):
            assert p.prior is not None
            yield column, p.prior

    def from_unit(self, u: np.ndarray) -> np.ndarray:
        """Map points of the unit cube (draw, param) to natural units by the prior quantiles."""
        u = np.asarray(u, float)
        theta = np.empty_like(u)
        for column, prior in self._priors():
            theta[..., column] = prior.quantile(u[..., column])
        return theta

    def to_unit(self, theta: np.ndarray) -> np.ndarray:
        """Map draws in natural units to the unit cube, where the prior is uniform."""
        theta = np.asarray(theta, float)
        u = np.empty_like(theta)
        for column, prior in self._priors():
            u[..., column] = prior.cdf(theta[..., column])
        return u

    def to_unbounded(self, theta: np.ndarray) -> np.ndarray:
        """Map draws to the whole real space: the logit of the unit cube."""
        u = self.to_unit(theta)
        return np.log(u) - np.log1p(-u)

    def from_unbounded(self, z: np.ndarray) -> np.ndarray:
        """Inverse of `to_unbounded`."""
        return self.from_unit(1.0 / (1.0 + np.exp(-np.asarray(z, float))))

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` independent prior draws, shape (draw, param)."""
        return self.from_unit(rng.random((n, len(self.params))))

    def log_prob(self, theta: np.ndarray) -> np.ndarray:
        """Log prior density of each draw, shape (draw,); -inf outside the support."""
        theta = np.asarray(theta, float)
        total = np.zeros(theta.shape[:-1])
        for column, prior in self._priors():
            total = total + prior.log_density(theta[..., column])
        return total

    def described(self) -> dict[str, dict[str, str | float]]:
        """Return name, unit and prior of each parameter as JSON values."""
        kinds: dict[type, str] = {kind: name for name, kind in PRIORS.items()}
        return {
            self.params[column].name: {
                "unit": self.params[column].unit,
                "prior": kinds[type(prior)],
                **vars(prior),
            }
            for column, prior in self._priors()
        }

    @classmethod
    def from_description(cls, described: Mapping[str, Mapping[str, Any]]) -> "Space":
        """Return the space that `described` was called on, without bounds and texts."""
        params = []
        for name, given in described.items():
            prior = PRIORS[given["prior"]](float(given["low"]), float(given["high"]))
            middle = float(prior.quantile(np.array(0.5)))
            params.append(Param(name, middle, given["unit"], prior=prior))
        return cls(tuple(params))

    def check(self, theta: np.ndarray) -> None:
        """Raise ConfigError unless draws are finite, inside the bounds and of the right width."""
        theta = np.asarray(theta, float)
        if theta.ndim != 2 or theta.shape[1] != len(self.params):
            raise ConfigError(
                f"theta must have shape (draw, {len(self.params)}) for {', '.join(self.names)}, "
                f"got {theta.shape}"
            )
        for column, p in enumerate(self.params):
            p.check(theta[:, column])
