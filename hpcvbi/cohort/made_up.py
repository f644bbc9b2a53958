"""A made-up connectome: regions on two hemispheres, connections that thin out with distance.

    p_ij ∝ exp(−d_ij / 40 mm)        of an undirected connection; about a third of all pairs
    w_ij = m_ij exp(−d_ij / 30 mm)   m log-normal (μ = 0, σ = 1)
    ℓ_ij = 1.3 d_ij                  tracts are no straight lines

and homotopic regions are always connected. That weights are log-normal and decay with distance is
what tracers show: Markov et al. (2014) doi:10.1093/cercor/bhs270; the numbers are round ones.
"""

import numpy as np

from hpcvbi.brain.connectome import Connectome
from hpcvbi.core.seeds import generator

SEMI_AXES = np.array([35.0, 75.0, 50.0])
"""Half of a hemisphere's extent to the side, front and top [mm]."""
DENSITY = 0.3


def connectome(regions: int, seed: int) -> Connectome:
    """Return a symmetric connectome of `regions` regions, left and right in turn."""
    rng = generator("made-up connectome", seed)
    pairs = -(-regions // 2)
    direction = rng.standard_normal((pairs, 3))
    left = SEMI_AXES * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    left[:, 0] = -np.abs(left[:, 0]) - 2.0
    centres = np.stack([left, left * [-1.0, 1.0, 1.0]], axis=1).reshape(-1, 3)[:regions]
    distance = np.linalg.norm(centres[:, None] - centres, axis=2)
    near = np.exp(-distance / 40.0)
    np.fill_diagonal(near, 0.0)
    share = DENSITY * near * (regions - 1) / np.maximum(near.sum(axis=1, keepdims=True), 1e-12)
    connected = np.triu(rng.random((regions, regions)) < (share + share.T) / 2, 1)
    first = np.arange(0, regions - 1, 2)
    connected[first, first + 1] = True
    weights = np.where(connected, rng.lognormal(0.0, 1.0, distance.shape), 0.0)
    weights = np.triu(weights * np.exp(-distance / 30.0), 1)
    labels = tuple(f"{'LR'[i % 2]}{i // 2 + 1:02d}" for i in range(regions))
    return Connectome(weights + weights.T, 1.3 * distance, labels)
