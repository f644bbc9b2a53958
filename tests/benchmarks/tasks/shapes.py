"""Tasks of sbibm whose posteriors have several narrow, bent modes.

Two moons:  x = (r cos a + 0.25, r sin a) + (-|t0 + t1|, t1 - t0) / √2
            a ~ U(-π/2, π/2),  r ~ N(0.1, 0.01²),  t ~ U(-1, 1)²
            With (c, s) the first term less its offset, c > 0: the density of (c, s) is that of r
            at √(c² + s²), divided by π √(c² + s²), the length of the half circle.
SLCP:       four points ~ N((t0, t1), S),  S = [[d0², ρ d0 d1], [ρ d0 d1, d1²]] + 10⁻⁶ I,
            d0 = t2²,  d1 = t3²,  ρ = tanh t4,  t ~ U(-3, 3)⁵

Greenberg, Nonnenmacher & Macke (2019), DOI 10.48550/arXiv.1905.07488; Papamakarios, Sterratt &
Murray (2019), DOI 10.48550/arXiv.1805.07226; settings of Lueckmann et al. (2021),
DOI 10.48550/arXiv.2101.04653.
"""

import numpy as np
from tasks.prior import Uniform
from tasks.reference import Sbibm
from tasks.task import Task

OFFSET, RADIUS, THICKNESS = 0.25, 0.1, 0.01
POINTS = 4
RIDGE = 1e-6


def _centre(theta: np.ndarray) -> np.ndarray:
    first, second = theta.T
    return np.stack([-np.abs(first + second), second - first], axis=1) / np.sqrt(2.0)


def _draw_moons(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(-np.pi / 2, np.pi / 2, len(theta))
    radius = rng.normal(RADIUS, THICKNESS, len(theta))
    crescent = np.stack([radius * np.cos(angle) + OFFSET, radius * np.sin(angle)], axis=1)
    return crescent + _centre(theta)


def _log_moons(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    across, along = (x - _centre(theta)).T - np.array([[OFFSET], [0.0]])
    radius = np.hypot(across, along)
    log_density = -0.5 * ((radius - RADIUS) / THICKNESS) ** 2 - np.log(radius)
    return np.where(across > 0, log_density, -np.inf)


def _covariance(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both variances and the covariance (draw,) of the points."""
    first, second = theta[:, 2] ** 2, theta[:, 3] ** 2
    return first**2 + RIDGE, second**2 + RIDGE, np.tanh(theta[:, 4]) * first * second


def _draw_slcp(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    first, second, both = _covariance(theta)
    noise = rng.standard_normal((len(theta), POINTS, 2))
    x = np.sqrt(first)[:, None] * noise[..., 0]
    slope = both / first
    left = np.sqrt(second - slope * both)
    y = slope[:, None] * x + left[:, None] * noise[..., 1]
    points = np.stack([x, y], axis=2) + theta[:, None, :2]
    return points.reshape(len(theta), 2 * POINTS)


def _log_slcp(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    first, second, both = _covariance(theta)
    points = x.reshape(*x.shape[:-1], POINTS, 2)
    across, along = np.moveaxis(points - theta[:, None, :2], 2, 0)
    determinant = first * second - both**2
    squared = (
        second[:, None] * across**2 - 2 * both[:, None] * across * along + first[:, None] * along**2
    )
    return -0.5 * squared.sum(axis=1) / determinant - 0.5 * POINTS * np.log(determinant)


two_moons = Task(
    "two_moons", 2, 2, Uniform((-1.0,) * 2, (1.0,) * 2), _draw_moons, _log_moons, Sbibm("two_moons")
)
slcp = Task(
    "slcp", 5, 2 * POINTS, Uniform((-3.0,) * 5, (3.0,) * 5), _draw_slcp, _log_slcp, Sbibm("slcp")
)
