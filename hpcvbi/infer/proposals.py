"""Where later rounds simulate, given what is known of the posterior at the recording.

    BY_DENSITY     prior cut to {u : q(u | x_observed) > t}, which holds all but `truncation` of q
    BY_BOX         prior cut to the box of the parameters' quantiles truncation / 2p and
                   1 - truncation / 2p, of draws of q: for networks whose density is dear
    BY_POSTERIOR   draws of q itself, cut to the cube

Deistler, Goncalves & Macke (2022), Truncated proposals for scalable and hassle-free
simulation-based inference, DOI 10.48550/arXiv.2210.04815.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.seeds import generator
from hpcvbi.infer.conditioned import Conditioned
from hpcvbi.infer.truncation import in_cube, sobol, uniform_in_region

SAMPLES = 8192  # posterior draws that place the region, and cube points that measure it


@dataclass(frozen=True)
class Measured:
    """The region: the log density above which a point belongs to it, and the share of the cube it
    fills. `leakage` is the share of the networks' mass outside the cube, `r_hat` that of the draws
    which placed it.
    """

    threshold: float
    volume: float
    leakage: float
    r_hat: float


@dataclass(frozen=True)
class Cut:
    """How a region is cut: the mass given up, the log density it was found to begin at, and the
    candidates that are tried.
    """

    truncation: float
    threshold: float
    candidates: int


@dataclass(frozen=True)
class Proposals:
    """One way to choose where to simulate.

    `measure(at_observed, truncation, rng)` places the region, `inside(at_observed, cut, u)` says
    which rows of `u` (row, param) it may visit, `draw(at_observed, cut, n, rng)` returns rows.
    """

    measure: Callable[[Conditioned, float, np.random.Generator], Measured]
    inside: Callable[[Conditioned, Cut, np.ndarray], np.ndarray]
    draw: Callable[[Conditioned, Cut, int, np.random.Generator], np.ndarray]


def _dense(conditioned: Conditioned, truncation: float, rng: np.random.Generator) -> Measured:
    drawn = conditioned.sample(SAMPLES, rng)
    threshold = float(np.quantile(conditioned.log_density(drawn.u), truncation))
    points = sobol(conditioned.n_params, rng)(SAMPLES)
    volume = float((conditioned.log_density(points) > threshold).mean())
    return Measured(threshold, volume, 1.0 - drawn.share, drawn.r_hat)


def _in_dense(conditioned: Conditioned, cut: Cut, u: np.ndarray) -> np.ndarray:
    return in_cube(u) & (conditioned.log_density(u) > cut.threshold)


def _uniform_in_dense(
    conditioned: Conditioned, cut: Cut, n: int, rng: np.random.Generator
) -> np.ndarray:
    return uniform_in_region(
        conditioned.log_density,
        cut.threshold,
        lambda k: conditioned.sample(k, rng).u,
        conditioned.n_params,
        n,
        cut.candidates,
        rng,
    )


def _box(conditioned: Conditioned, truncation: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (param,); they depend on the networks alone."""
    u = conditioned.sample(SAMPLES, generator("box")).u
    tail = truncation / (2 * conditioned.n_params)
    return (
        np.quantile(u, tail, axis=0, method="lower"),
        np.quantile(u, 1.0 - tail, axis=0, method="higher"),
    )


def _boxed(conditioned: Conditioned, truncation: float, rng: np.random.Generator) -> Measured:
    low, high = _box(conditioned, truncation)
    drawn = conditioned.sample(SAMPLES // 8, rng)
    return Measured(-np.inf, float((high - low).prod()), 1.0 - drawn.share, drawn.r_hat)


def _in_box(conditioned: Conditioned, cut: Cut, u: np.ndarray) -> np.ndarray:
    low, high = _box(conditioned, cut.truncation)
    return in_cube(u) & ((u >= low) & (u <= high)).all(axis=1)


def _uniform_in_box(
    conditioned: Conditioned, cut: Cut, n: int, rng: np.random.Generator
) -> np.ndarray:
    low, high = _box(conditioned, cut.truncation)
    return low + (high - low) * sobol(conditioned.n_params, rng)(n)


BY_DENSITY = Proposals(_dense, _in_dense, _uniform_in_dense)
BY_BOX = Proposals(_boxed, _in_box, _uniform_in_box)
BY_POSTERIOR = Proposals(
    _dense,
    lambda conditioned, cut, u: in_cube(u),
    lambda conditioned, cut, n, rng: conditioned.sample(n, rng).u,
)
