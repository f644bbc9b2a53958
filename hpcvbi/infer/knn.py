"""k nearest neighbours, smoothed: the posterior is a kernel density of the k nearest draws.

With p parameters, m features and N draws, k = N^((p + 4) / (p + m + 4)) lets neighbourhood and
bandwidth shrink together (Biau, Cerou & Guyader 2015, DOI 10.1214/13-AIHP590, for m > 4; taken for
every m here). The kernel is Gaussian with Silverman's bandwidth per parameter, reflected at the
faces of the cube.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.infer.lookup import Lookup
from hpcvbi.infer.settings import require
from hpcvbi.infer.table import resampled


@dataclass(frozen=True)
class Knn(Lookup):
    """Settings of k nearest neighbours; see `Lookup` for those of all such methods.

    neighbours: k; 0 takes it from the number of draws, though never fewer than `min_survivors`.
    bandwidth: in units of Silverman's; 0 gives the neighbours as they are.
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
        return max(self.min_survivors, int(np.ceil(best)))

    def adjusted(
        self, u: np.ndarray, z: np.ndarray, weights: np.ndarray, rng: np.random.Generator, n: int
    ) -> np.ndarray:
        """Return `n` draws (draw, param) of the kernel density of the kept ones."""
        k, p = u.shape
        width = self.bandwidth * u.std(axis=0) * (4.0 / ((p + 2) * k)) ** (1.0 / (p + 4))
        drawn = u[resampled(weights, n, rng)] + width * rng.standard_normal((n, p))
        return 1.0 - np.abs(1.0 - np.abs(drawn) % 2.0)  # folds the line onto [0, 1]
