"""Posterior samples that repeat few particles, made continuous: otherwise a classifier tells them
from the reference by their repetition, however near they lie.

A Gaussian kernel density in the coordinates w = Φ⁻¹(u) with the particles' covariance, whose
bandwidth is chosen by 5-fold cross-validation, as Lueckmann et al. (2021,
DOI 10.48550/arXiv.2101.04653) did with rejection and sequential Monte Carlo ABC.
"""

import numpy as np
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KernelDensity

from hpcvbi.infer.coordinates import from_real, to_real

BANDWIDTHS = np.logspace(-2.0, 0.5, 16)  # in standard deviations of the particles
MOST = 2000  # particles from which the bandwidth is chosen


def smoothed(u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return samples (draw, param) of the unit cube, smoothed where more than half of them repeat
    another one; else as they are.
    """
    particles = np.unique(u, axis=0)
    if 2 * len(particles) > len(u):
        return u
    w = to_real(u)
    root = np.linalg.cholesky(np.atleast_2d(np.cov(w.T)) + 1e-12 * np.eye(w.shape[1]))
    some = to_real(particles[rng.permutation(len(particles))[:MOST]])
    white = np.linalg.solve(root, some.T).T
    search = GridSearchCV(KernelDensity(), {"bandwidth": BANDWIDTHS}, cv=KFold(5))
    width = search.fit(white).best_params_["bandwidth"]
    return from_real(w + width * rng.standard_normal(w.shape) @ root.T)
