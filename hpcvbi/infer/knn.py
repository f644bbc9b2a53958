"""k nearest neighbours, smoothed: the posterior is a kernel density of the k nearest draws.

With p parameters, m features and N draws, k = N^((p + 4) / (p + m + 4)) lets neighbourhood and
bandwidth shrink together (Biau, Cerou & Guyader 2015, DOI 10.1214/13-AIHP590, for m > 4; taken for
every m here). With few features that is a tenth of all draws, and k is at most a hundred: more
cost nearness, and the kernel has enough.

The kernel is Gaussian, reflected at the faces of the cube. Its width is Silverman's per parameter,
or less where neighbours left out are then more probable: where the posterior has several modes, the
spread over all of them says little of any.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.special import logsumexp

from hpcvbi.infer.bandwidth import LEAST, PARTS, silverman
from hpcvbi.infer.lookup import Lookup
from hpcvbi.infer.settings import require
from hpcvbi.infer.table import resampled

MOST = 100
"""Neighbours that are kept at most, unless more are asked for."""
TRIED = 500
"""Neighbours that are left out in turn."""


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
        width = self.bandwidth * _width(u, rng) if self.bandwidth else 0.0
        drawn = u[resampled(weights, n, rng)] + width * rng.standard_normal((n, u.shape[1]))
        return 1.0 - np.abs(1.0 - np.abs(drawn) % 2.0)  # folds the line onto [0, 1]


def _width(u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the width (param,) of the kernel of draws `u` (draw, param)."""
    k, p = u.shape
    spread = np.maximum(u.std(axis=0), LEAST)
    some = u[rng.permutation(k)[:TRIED]] / spread
    apart = squareform(pdist(some, "sqeuclidean"))
    np.fill_diagonal(apart, np.inf)
    tried = PARTS * silverman(len(some), p)
    scores = [logsumexp(-0.5 * apart / h**2, axis=1).mean() - p * np.log(h) for h in tried]
    return PARTS[np.argmax(scores)] * silverman(k, p) * spread
