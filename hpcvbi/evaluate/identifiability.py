"""What the data leave open: parameters that are not informed, or cannot be told apart.

Samples u are in the unit cube, where the prior is uniform. With the posterior covariance in units
of the prior's,

    C = Cov(u) / (1/12) = sum_i lambda_i w_i w_i^T

lambda near 1: the data say nothing along the direction w; near 0: the combination w.u is known. For
a density with gradients g = grad log p(u | x), the active subspace is that of

    E[g g^T] / 12,

whose large eigenvalues belong to what is known; for a Gaussian posterior it is the inverse of C
(Constantine 2015, Active Subspaces, doi:10.1137/1.9781611973860; Zahm, Cui, Law, Spantini & Marzouk
2022, Math. Comput. 91, 1789, doi:10.1090/mcom/3737).

Correlations are linear: two parameters on a curved ridge may be bound with a small one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import DataError
from hpcvbi.evaluate.posterior import UNIT_VARIANCE, distinct_draws, shrinkage

# A correlation of .9 leaves each parameter, given the other, 19 % of its variance.
BOUND = 0.9
# Less shrinkage, and a distribution as near to the uniform one: not informed.
INFORMED = 0.1
# Standard deviation in units of the prior's below which a parameter is known by itself.
KNOWN = 0.2


@dataclass(frozen=True, eq=False)
class Identifiability:
    """Posterior correlations (param, param) and shrinkage (param,); `determined` (param,): share of
    a parameter's variance that the others fix (R^2); `departure` (param,): largest distance of its
    distribution function from the prior's; variances (direction,) in units of the prior's with
    their unit vectors `directions` (direction, param), the least constrained first; `draws` that
    are different, see `distinct_draws`.
    """

    correlation: np.ndarray
    shrinkage: np.ndarray
    determined: np.ndarray
    departure: np.ndarray
    variances: np.ndarray
    directions: np.ndarray
    draws: float


@dataclass(frozen=True, eq=False)
class ActiveSubspace:
    """Eigenvalues (direction,), what is known best first, with unit vectors (direction, param)."""

    values: np.ndarray
    directions: np.ndarray


def identifiability(u: np.ndarray) -> Identifiability:
    """Find what posterior draws `u` (draw, param) in the unit cube leave open.

    Raises
    ------
    DataError
        Where draws are not finite, lie outside the unit cube, or are fewer than 10 a parameter.
    """
    u = np.asarray(u, float)
    if u.ndim != 2 or not u.size or not np.isfinite(u).all():
        raise DataError(f"draws must be finite, (draw, param): got {u.shape}")
    if u.min() < 0 or u.max() > 1:
        raise DataError(
            f"draws must lie in the unit cube, got {u.min():g} to {u.max():g}: use Space.to_unit"
        )
    draws, n = u.shape
    if draws < 10 * n:
        raise DataError(f"{n} parameters need {10 * n} posterior draws at least, got {draws}")
    covariance = np.atleast_2d(np.cov(u, rowvar=False))
    sd = np.sqrt(covariance.diagonal())
    # A parameter that is known to rounding goes along with no other.
    moving = sd > 1e-12
    scale = np.where(moving, sd, 1.0)
    correlation = np.where(np.outer(moving, moving), covariance / np.outer(scale, scale), 0.0)
    correlation = np.clip(correlation, -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(covariance / UNIT_VARIANCE)
    return Identifiability(
        correlation=correlation,
        shrinkage=shrinkage(u),
        determined=np.array([_determined(correlation, i) for i in range(n)]),
        departure=_departure(u),
        variances=np.maximum(values[::-1], 0.0),
        directions=_signed(vectors.T[::-1]),
        draws=distinct_draws(u),
    )


def active_subspace(gradients: np.ndarray) -> ActiveSubspace:
    """Directions that the data inform, from `gradients` (draw, param) of the log posterior density
    with respect to u, at posterior draws.

    Raises
    ------
    DataError
        Where gradients are not finite.
    """
    gradients = np.asarray(gradients, float)
    if gradients.ndim != 2 or not gradients.size or not np.isfinite(gradients).all():
        raise DataError(f"gradients must be finite, (draw, param): got {gradients.shape}")
    values, vectors = np.linalg.eigh(gradients.T @ gradients / len(gradients) * UNIT_VARIANCE)
    return ActiveSubspace(np.maximum(values[::-1], 0.0), _signed(vectors.T[::-1]))


def identifiability_sentences(found: Identifiability, names: Sequence[str]) -> tuple[str, ...]:
    """Say in plain English what cannot be told apart and what is not informed; none where all is
    well.
    """
    if len(names) != len(found.shrinkage):
        raise DataError(f"{len(found.shrinkage)} parameters need as many names, got {len(names)}")
    said = [
        f"{names[i]} is not informed by the data: its posterior is as wide as its prior "
        f"(shrinkage {found.shrinkage[i]:.2f})."
        for i in map(int, np.flatnonzero(_uninformed(found)))
    ]
    n = len(names)
    pairs = [
        (i, j) for i in range(n) for j in range(i + 1, n) if abs(found.correlation[i, j]) >= BOUND
    ]
    said += [_pair(found, names, i, j) for i, j in pairs]
    paired = {i for pair in pairs for i in pair}
    bound = [i for i in range(n) if found.determined[i] >= BOUND**2 and i not in paired]
    if len(bound) > 2:
        said.append(
            f"{_listed([names[i] for i in bound])} cannot be told apart together: each follows "
            f"from the others (R^2 {found.determined[bound].min():.2f} or more), "
            f"though no two of them are bound; only a combination of them is known."
        )
    return tuple(said)


def _pair(found: Identifiability, names: Sequence[str], i: int, j: int) -> str:
    r = found.correlation[i, j]
    sd = np.sqrt(np.maximum(1 - found.shrinkage[[i, j]], 0.0))
    a, b = names[i], names[j]
    if (sd < KNOWN).all():
        return (
            f"{a} and {b} trade off (posterior correlation {r:.2f}), but both are known: their "
            f"posteriors are {sd[0]:.1%} and {sd[1]:.1%} as wide as their priors."
        )
    # Along the ridge both move by their standard deviations: the sum or difference stays.
    ratio = sd[0] / sd[1]
    kind, sign = ("sum", "+") if r < 0 else ("difference", "-")
    known = (
        f"their {kind}" if 0.8 < ratio < 1.25 else f"the weighted {kind} {a} {sign} {ratio:.2g} {b}"
    )
    return (
        f"{a} and {b} cannot be told apart: their posterior correlation is {r:.2f}; only "
        f"{known} is known, in units of their prior ranges."
    )


def _uninformed(found: Identifiability) -> np.ndarray:
    # Kolmogorov's 99 % quantile for that many draws: chance departs as far.
    chance = 1.63 / np.sqrt(found.draws)
    return (found.shrinkage < INFORMED) & (found.departure < max(INFORMED, chance))


def _departure(u: np.ndarray) -> np.ndarray:
    ordered, n = np.sort(u, axis=0), len(u)
    steps = np.arange(n + 1)[:, None] / n
    return np.maximum(ordered - steps[:-1], steps[1:] - ordered).max(0)


def _determined(correlation: np.ndarray, i: int) -> float:
    others = np.delete(np.arange(len(correlation)), i)
    towards = correlation[i, others]
    inverse = np.linalg.pinv(correlation[np.ix_(others, others)], hermitian=True)
    return float(np.clip(towards @ inverse @ towards, 0.0, 1.0))


def _signed(directions: np.ndarray) -> np.ndarray:
    """Each direction with its largest part positive: eigenvectors have no sign of their own."""
    size = np.abs(directions)
    # Of parts that are equal up to rounding, the first decides.
    first = (size > 0.999 * size.max(1, keepdims=True)).argmax(1)
    largest = np.take_along_axis(directions, first[:, None], 1)
    return directions * np.where(largest < 0, -1.0, 1.0)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
