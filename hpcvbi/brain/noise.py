"""Noise in the neural equations, additive on chosen state variables.

White noise:               dx = f dt + σ g(x) dW                           σ  [unit of x / √ms]
Ornstein-Uhlenbeck noise:  dx = (f + η) dt,  dη = −η/τ dt + σ √(2/τ) dW    σ  [unit of x / ms]

g is 1 unless the model declares a `diffusion`; the product is meant in the sense of Itô. The
standard deviation of η is σ. η starts in its stationary distribution and is advanced exactly,
η ← ρ η + σ √(1 − ρ²) ξ with ρ = exp(−dt/τ).
Gillespie (1996) doi:10.1103/PhysRevE.54.2084.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.prior import LogUniform
from hpcvbi.core.space import Param


@dataclass(frozen=True)
class WhiteNoise:
    """White noise on the state variables `on`; one `sigma` for all of them, or with `separate` one
    `sigma_<variable>` for each.
    """

    on: tuple[str, ...]
    separate: bool = False
    sigma: ClassVar[Param] = Param(
        "sigma",
        0.01,
        "1/sqrt(ms)",
        low=0.0,
        high=1e6,
        prior=LogUniform(1e-4, 1.0),
        doc="standard deviation of the noise",
    )

    def __post_init__(self) -> None:
        _check(self.on)

    @property
    def params(self) -> tuple[Param, ...]:
        """Parameters that the noise adds to the brain."""
        return _sigmas(self.sigma, self.on, self.separate)

    def kicks(self, values: dict[str, np.ndarray], dt: float) -> list[np.ndarray]:
        """Standard deviation of the increment per step of each variable in `on`."""
        return [values[name] * np.sqrt(dt) for name in _names(self.on, self.separate)]


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """Ornstein-Uhlenbeck noise on the drift of the state variables `on`, of correlation time
    `tau_noise`.
    """

    on: tuple[str, ...]
    separate: bool = False
    sigma: ClassVar[Param] = Param(
        "sigma",
        0.001,
        "1/ms",
        low=0.0,
        high=1e6,
        prior=LogUniform(1e-5, 0.1),
        doc="standard deviation of the noise",
    )
    tau: ClassVar[Param] = Param(
        "tau_noise",
        5.0,
        "ms",
        low=1e-3,
        high=1e6,
        prior=LogUniform(1.0, 100.0),
        doc="correlation time of the noise",
    )

    def __post_init__(self) -> None:
        _check(self.on)

    @property
    def params(self) -> tuple[Param, ...]:
        """Parameters that the noise adds to the brain."""
        return (*_sigmas(self.sigma, self.on, self.separate), self.tau)

    def spread(self, values: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Stationary standard deviation of η on each variable in `on`."""
        return [values[name] for name in _names(self.on, self.separate)]

    def keep(self, values: dict[str, np.ndarray], dt: float) -> np.ndarray:
        """Return ρ, the factor by which η decays in one step."""
        return _exp(-dt / values[self.tau.name])

    def kicks(self, values: dict[str, np.ndarray], dt: float) -> list[np.ndarray]:
        """Standard deviation of the increment of η per step on each variable in `on`."""
        # 1 − ρ² without cancellation
        share = np.sqrt(-_expm1(-2.0 * dt / values[self.tau.name]))
        return [sigma * share for sigma in self.spread(values)]


Noise = WhiteNoise | OrnsteinUhlenbeck

# NumPy's own exp and expm1 differ in their last bit between processors.
_exp = np.vectorize(math.exp, otypes=[float])
_expm1 = np.vectorize(math.expm1, otypes=[float])


def _check(on: tuple[str, ...]) -> None:
    if not on or len(set(on)) != len(on):
        raise ConfigError(f"noise on {list(on)}: name each variable once, and at least one")


def _names(on: tuple[str, ...], separate: bool) -> tuple[str, ...]:
    return tuple(f"sigma_{name}" if separate else "sigma" for name in on)


def _sigmas(sigma: Param, on: tuple[str, ...], separate: bool) -> tuple[Param, ...]:
    if not separate:
        return (sigma,)
    return tuple(replace(sigma, name=name) for name in _names(on, separate))
