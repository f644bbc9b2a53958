"""Expected coverage: do regions of credibility a hold the truth in a share a of the cases?

Each case gives the credibility f of the smallest region that holds its truth, from the rank r of
the truth among L independent posterior draws:

    f = (r + v) / (L + 1),   v uniform on [0, 1);   coverage(a) = share of cases with f <= a

with v spreading the steps of the rank, so that f is uniform for an exact posterior, whatever L.
Two families of regions:

- highest density (Hermans et al. 2022, TMLR, arXiv:2110.06581): r counts draws with a density above
  the truth's. It sees what the density sees; it needs densities.
- TARP (Lemos, Coogan, Hezaveh & Perreault-Levasseur 2023, ICML, arXiv:2302.03026): balls about a
  random reference point; r counts draws nearer to it than the truth. It needs draws only. Where
  references depend on the data it sees any error; where not, it passes the prior, and errors that
  average out over the space. `references_near` draws them about a regression on the data.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcvbi.core.errors import DataError
from hpcvbi.core.seeds import generator
from hpcvbi.evaluate.posterior import sbc_ranks

LEVELS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """Coverage (level,) at credible `levels` (level,), from `credibility` (case,).

    `area` is that between the curve and the diagonal, without sign. `width` is signed: positive
    where posteriors are too wide, negative where too narrow, 0 where right. `distance` is the
    largest distance from the diagonal (Kolmogorov-Smirnov), with its p-value.
    """

    levels: np.ndarray
    coverage: np.ndarray
    credibility: np.ndarray
    area: float
    width: float
    distance: float
    p_value: float
    cases: int


def tarp(
    samples: np.ndarray, truth: np.ndarray, seed: int, references: np.ndarray | None = None
) -> CoverageCurve:
    """Coverage of balls about `references` (case, param), from samples (case, draw, param) and
    truth (case, param).

    Without references, they are uniform in the box of the truths. Distances are in units of that
    box. Too narrow posteriors make f pile up at both ends: width = 1/4 - mean |f - 1/2|.
    """
    samples, truth = np.asarray(samples, float), np.asarray(truth, float)
    if samples.ndim != 3 or truth.shape != (samples.shape[0], samples.shape[2]) or not truth.size:
        raise DataError(
            f"TARP needs samples (case, draw, param) and truth (case, param), "
            f"got {samples.shape} and {truth.shape}"
        )
    if not (np.isfinite(samples).all() and np.isfinite(truth).all()):
        raise DataError("samples and truth must be finite: leave failed cases out")
    low, extent = truth.min(0), np.ptp(truth, axis=0)
    extent = np.where(extent > 0, extent, 1.0)
    rng = generator("tarp", seed)
    # Drawn in any case: given references change no other random number.
    own = low + extent * rng.random(truth.shape)
    at = own if references is None else np.asarray(references, float)
    if at.shape != truth.shape or not np.isfinite(at).all():
        raise DataError(f"references must be finite, (case, param) {truth.shape}, got {at.shape}")
    far = np.linalg.norm((samples - at[:, None]) / extent, axis=-1)
    far_truth = np.linalg.norm((truth - at) / extent, axis=-1)
    ranks = sbc_ranks(far[..., None], far_truth[:, None])[:, 0]
    credibility = _credibility(far, far_truth, ranks, rng)
    return _curve(credibility, 0.25 - float(np.abs(credibility - 0.5).mean()))


def references_near(truth: np.ndarray, x: np.ndarray, seed: int) -> np.ndarray:
    """References (case, param) about what a linear regression on the data `x` (case, feature) says
    of the truth (case, param), twice as far from it as the truth of another case is.

    Each half of the cases uses the regression of the other half, so that no reference depends on
    the truth it is for. Nor do two cases serve each other, whose credibilities would be alike: the
    second half is shifted by one. So p-values stay exact.
    """
    truth, x = np.asarray(truth, float), np.asarray(x, float)
    if truth.ndim != 2 or x.ndim != 2 or len(x) != len(truth) or len(truth) < 8:
        raise DataError(
            f"references need truth (case, param) and data (case, feature) of 8 cases at least, "
            f"got {truth.shape} and {x.shape}"
        )
    if not (np.isfinite(truth).all() and np.isfinite(x).all()):
        raise DataError("truth and data must be finite: leave failed cases out")
    order = generator("tarp references", seed).permutation(len(truth))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    references = np.empty_like(truth)
    for shift, (learn, use) in enumerate((halves, halves[::-1])):
        centre, sd = x[learn].mean(0), x[learn].std(0)
        z = (x - centre) / np.where(sd > 0, sd, 1.0)
        mean = truth[learn].mean(0)
        # One unit of ridge per parameter of the line: more features than cases still work.
        gram = z[learn].T @ z[learn] + x.shape[1] * np.eye(x.shape[1])
        line = np.linalg.solve(gram, z[learn].T @ (truth[learn] - mean))
        # Far balls cut the posterior nearly straight: their directions see what is correlated.
        off = 2 * (truth[learn] - mean - z[learn] @ line)
        references[use] = (
            mean
            + z[use] @ line
            + np.resize(np.roll(off, shift, axis=0), (len(use), truth.shape[1]))
        )
    return references


def density_coverage(
    log_density: np.ndarray, log_density_truth: np.ndarray, seed: int
) -> CoverageCurve:
    """Coverage of highest-density regions, from the log posterior densities of draws (case, draw)
    and of the truth (case,).

    Minus infinity is a density; not a number is refused. Too narrow posteriors have credibilities
    that are too large: width = 1/2 - mean f.
    """
    drawn, true = np.asarray(log_density, float), np.asarray(log_density_truth, float)
    if drawn.ndim != 2 or true.shape != drawn.shape[:1] or not drawn.size:
        raise DataError(
            f"coverage needs log densities of draws (case, draw) and truths (case,), "
            f"got {drawn.shape} and {true.shape}"
        )
    if np.isnan(drawn).any() or np.isnan(true).any():
        raise DataError("log densities must be numbers: leave failed cases out")
    ranks = (-drawn < -true[:, None]).sum(1)
    credibility = _credibility(-drawn, -true, ranks, generator("density coverage", seed))
    return _curve(credibility, 0.5 - float(credibility.mean()))


def uniform_p(credibility: np.ndarray) -> float:
    """Return the p-value (Kolmogorov-Smirnov) of credibilities (case,) being uniform; NaN where
    there are none.
    """
    return float(_uniform(credibility).pvalue) if len(credibility) else np.nan


def _uniform(credibility: np.ndarray) -> Any:
    from scipy.stats import kstest  # takes a second, which no command should wait for in vain

    return kstest(credibility, "uniform")


def _credibility(
    drawn: np.ndarray, true: np.ndarray, ranks: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    # A truth that ties with draws is placed among them at random: fair, where densities repeat.
    tied = (drawn == true[:, None]).sum(1)
    spread = rng.random((2, len(true)))
    placed = ranks + np.floor(spread[0] * (tied + 1))
    return (placed + spread[1]) / (drawn.shape[1] + 1)


def _curve(credibility: np.ndarray, width: float) -> CoverageCurve:
    ordered = np.sort(credibility)
    coverage = np.searchsorted(ordered, LEVELS, side="right") / len(ordered)
    test = _uniform(credibility)
    return CoverageCurve(
        levels=LEVELS.copy(),
        coverage=coverage,
        credibility=credibility,
        area=float(np.trapezoid(np.abs(coverage - LEVELS), LEVELS)),
        width=width,
        distance=float(test.statistic),
        p_value=float(test.pvalue),
        cases=len(credibility),
    )
