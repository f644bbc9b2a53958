"""A connectome in eighteen numbers that do not depend on the order of its regions: what a network
that infers many people is told about each of them.

With the spectral radius ρ = max |λ(W)|, weights w = |W| / ρ off the diagonal, their symmetrised
form s = (w + wᵀ) / 2, and lengths ℓ of what is connected:

    strength     k_i = Σ_j w_ij                     of w / ρ, so that a common factor cancels
    clustering   mean of Σ_jh (ŝ_ij ŝ_jh ŝ_hi)^⅓ / d_i (d_i − 1),  ŝ = s / max s,  d_i neighbours
    spread       (Σ w)² / Σ w² / n (n − 1)         of n regions
    mixing       1 − λ₂(D^-½ s D^-½)                0 where the network falls apart

A factor common to all weights shows in `log_spectral_radius` alone, which is 0 for every connectome
that is normalised by its spectral radius.

Clustering: Onnela, Saramäki, Kertész & Kaski (2005) doi:10.1103/PhysRevE.71.065103; mixing, the
spectral gap of a random walk: Chung (1997) doi:10.1090/cbms/092.
"""

import numpy as np

from hpcvbi.brain.connectome import Connectome
from hpcvbi.core.errors import DataError

COVARIATES: dict[str, str] = {
    "log_spectral_radius": "natural logarithm of the spectral radius of the weights",
    "spread": "share of pairs (to, from) that carry the weights: the density, were they all equal",
    "log_weight_10": "tenth percentile of the logarithm of weights over the spectral radius",
    "log_weight_50": "its median",
    "log_weight_90": "its ninetieth percentile",
    "strength_mean": "mean over regions of the summed incoming weights over the spectral radius",
    "strength_sd": "their standard deviation",
    "strength_skewness": "their skewness",
    "eigenvalue_2": "second largest modulus of an eigenvalue over the spectral radius",
    "eigenvalue_3": "the third largest",
    "eigenvalue_5": "the fifth largest",
    "mixing": "spectral gap of the random walk on the network",
    "clustering": "mean weighted clustering coefficient",
    "length_10": "tenth percentile of the lengths of connections [mm]",
    "length_50": "their median [mm]",
    "length_90": "their ninetieth percentile [mm]",
    "length_weighted": "mean length, weighted by the weights [mm]",
    "weight_length": "correlation of the logarithm of a weight with its length",
}
"""What each number is, in their order."""

_PERCENTILES = (10, 50, 90)


def covariates_of(connectome: Connectome) -> np.ndarray:
    """Return the numbers that `COVARIATES` names, shape (covariate,).

    Raises
    ------
    DataError
        No two regions are connected, or all eigenvalues are zero.
    """
    modulus = np.sort(np.abs(np.linalg.eigvals(connectome.weights)))[::-1]
    weights = np.abs(connectome.without_self_connections().weights)
    connected = weights > 0
    if not connected.any() or modulus[0] == 0.0:
        raise DataError(
            "a connectome without connections, or whose connections form no loop, has no summary"
        )
    weights = weights / modulus[0]
    log_weight, length = np.log(weights[connected]), connectome.lengths[connected]
    strength = weights.sum(axis=1)
    n = connectome.n_regions
    symmetric = (weights + weights.T) / 2
    return np.array(
        [
            round(float(np.log(modulus[0])), 9),  # of normalised weights it is rounding error
            weights.sum() ** 2 / (weights**2).sum() / (n * (n - 1)),
            *np.percentile(log_weight, _PERCENTILES),
            strength.mean(),
            strength.std(),
            _mean_product(_standardised(strength), _standardised(strength) ** 2),
            *(modulus[k] / modulus[0] if k < n else 0.0 for k in (1, 2, 4)),
            _mixing(symmetric),
            _clustering(symmetric),
            *np.percentile(length, _PERCENTILES),
            (weights * connectome.lengths).sum() / weights.sum(),
            _mean_product(_standardised(log_weight), _standardised(length)),
        ]
    )


def _standardised(values: np.ndarray) -> np.ndarray:
    """Centre and scale; zeros where values differ by no more than rounding."""
    off, sd = values - values.mean(), values.std()
    return off / sd if sd > 1e-9 * np.abs(values).max() else np.zeros_like(off)


def _mean_product(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).mean())


def _mixing(symmetric: np.ndarray) -> float:
    degree = symmetric.sum(axis=1)
    scale = np.where(degree > 0, 1.0 / np.sqrt(np.where(degree > 0, degree, 1.0)), 0.0)
    return float(1.0 - np.linalg.eigvalsh(scale[:, None] * symmetric * scale)[-2])


def _clustering(symmetric: np.ndarray) -> float:
    root = np.cbrt(symmetric / symmetric.max())
    triangles = np.einsum("ij,jk,ki->i", root, root, root, optimize=True)
    neighbours = (symmetric > 0).sum(axis=1)
    return float((triangles / np.maximum(neighbours * (neighbours - 1), 1)).mean())
