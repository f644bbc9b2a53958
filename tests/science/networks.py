"""Connectomes of the science tests: nothing connected, one that looks like a brain, TVB's."""

from pathlib import Path

import numpy as np

from hpcvbi import Connectome

TVB_76 = Path(__file__).resolve().parents[2].parent / "shared/oracles/tvb/connectome76.npz"
"""Weights of tvb-data 3.0.0 over their maximum, directed, with self-connections; beside the
repository."""


def isolated(n: int) -> Connectome:
    """`n` regions without connections."""
    return Connectome(np.zeros((n, n)), np.zeros((n, n)), tuple(f"r{i}" for i in range(n)))


def brainlike(n: int, seed: int = 0) -> Connectome:
    """Two hemispheres of regions on a sphere: weights lognormal around what decays with distance,
    a tenth of them within a hemisphere's reach of the other, not symmetric; largest weight 1.
    """
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(n, 3))
    place *= 70.0 / np.linalg.norm(place, axis=1, keepdims=True)
    lengths = np.linalg.norm(place[:, None] - place[None], axis=-1) * 1.3
    across = np.sign(place[:, None, 0]) != np.sign(place[None, :, 0])
    weights = np.exp(-lengths / 30.0) * rng.lognormal(0.0, 0.7, (n, n)) * np.where(across, 0.1, 1.0)
    np.fill_diagonal(weights, 0.0)
    return Connectome(weights, lengths, isolated(n).labels).normalised("max")


def tvb_76(self_connections: bool = True) -> Connectome:
    """The connectome of The Virtual Brain with 76 regions."""
    with np.load(TVB_76, allow_pickle=False) as file:
        found = Connectome(file["weights"], file["tract_lengths"], isolated(76).labels)
    return found if self_connections else found.without_self_connections()
