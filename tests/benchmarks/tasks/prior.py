"""Priors as maps between the unit cube, where they are uniform, and natural units.

theta_i = F_i⁻¹(u_i)                         uniform, lognormal
theta   = mean + L Φ⁻¹(u)                    normal with covariance L Lᵀ

Lognormal parameters are exponentials of independent normal ones.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import ndtr, ndtri

EDGE = 1e-12  # distance kept from the faces of the cube, where a quantile may be infinite


class Prior(Protocol):
    """A distribution with a bijection to the unit cube; arrays are (draw, param)."""

    def natural(self, u: np.ndarray) -> np.ndarray:
        """Map the unit cube to natural units."""
        ...

    def unit(self, theta: np.ndarray) -> np.ndarray:
        """Inverse of `natural`."""
        ...

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        """Natural logarithm (draw,) of the density, up to a constant; -inf outside."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Constant density in a box."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def natural(self, u: np.ndarray) -> np.ndarray:
        low, high = np.array(self.low), np.array(self.high)
        return low + np.asarray(u, float) * (high - low)

    def unit(self, theta: np.ndarray) -> np.ndarray:
        low, high = np.array(self.low), np.array(self.high)
        return (np.asarray(theta, float) - low) / (high - low)

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        inside = (theta >= np.array(self.low)) & (theta <= np.array(self.high))
        return np.where(inside.all(axis=1), 0.0, -np.inf)


@dataclass(frozen=True, eq=False)
class Normal:
    """Multivariate normal; `root` is the lower Cholesky factor of the covariance."""

    mean: np.ndarray  # (param,)
    root: np.ndarray  # (param, param)

    def natural(self, u: np.ndarray) -> np.ndarray:
        return self.mean + ndtri(np.clip(u, EDGE, 1 - EDGE)) @ self.root.T

    def unit(self, theta: np.ndarray) -> np.ndarray:
        return ndtr(self._white(theta))

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        return -0.5 * (self._white(theta) ** 2).sum(axis=1)

    def _white(self, theta: np.ndarray) -> np.ndarray:
        return np.linalg.solve(self.root, (np.asarray(theta, float) - self.mean).T).T


@dataclass(frozen=True)
class LogNormal:
    """Independent parameters whose logarithms are normal."""

    location: tuple[float, ...]
    scale: tuple[float, ...]

    def natural(self, u: np.ndarray) -> np.ndarray:
        z = ndtri(np.clip(u, EDGE, 1 - EDGE))
        return np.exp(np.array(self.location) + np.array(self.scale) * z)

    def unit(self, theta: np.ndarray) -> np.ndarray:
        return ndtr((np.log(theta) - np.array(self.location)) / np.array(self.scale))

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        inside = (theta > 0).all(axis=1)
        logs = np.log(np.where(theta > 0, theta, 1.0))
        z = (logs - np.array(self.location)) / np.array(self.scale)
        return np.where(inside, -(0.5 * z**2 + logs).sum(axis=1), -np.inf)
