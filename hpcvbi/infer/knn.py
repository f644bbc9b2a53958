"""k nearest neighbours, smoothed: the posterior is a kernel density of the k nearest draws, see
`smoothing.py`.

With p parameters, m features and N draws, k = N^((p + 4) / (p + m + 4)) lets neighbourhood and
bandwidth shrink together (Biau, Cerou & Guyader 2015, DOI 10.1214/13-AIHP590, for m > 4; taken for
every m here). With few features that is a tenth of all draws, and k is at most a hundred: more
cost nearness, and the kernel has enough.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.infer.lookup import Lookup
from hpcvbi.infer.settings import require
from hpcvbi.infer.smoothing import smoothed

MOST = 100
"""Neighbours that are kept at most, unless more are asked for."""


@dataclass(frozen=True)
class Knn(Lookup):
    """Settings of k nearest neighbours; see `Lookup` for those of all such methods.

    neighbours: k; 0 takes it from the number of draws, though never fewer than `min_survivors` or
    more than 100.
    bandwidth: factor of the kernel's width; 0 gives the neighbours as they are.
    """

    neighbours: int = 0
    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require("neighbours", self.neighbours, 0, np.inf)
        require("bandwidth", self.bandwidth, 0.0, 10.0)

    def kept(self, rows: int, n_params: int, n_features: int) -> int:
        """Return how many of `rows` draws with finite features are kept."""
        if self.neighbours:
            return self.neighbours
        best = rows ** ((n_params + 4) / (n_params + n_features + 4))
        return max(self.min_survivors, min(MOST, int(np.ceil(best))))

    def sampled(
        self, u: np.ndarray, weights: np.ndarray, rng: np.random.Generator, n: int
    ) -> np.ndarray:
        """Return `n` draws (draw, param) of the kernel density of the kept ones."""
        if not self.bandwidth:
            return super().sampled(u, weights, rng, n)
        return smoothed(u, weights, self.bandwidth, n, rng)
