"""Rejection ABC: the posterior is the nearest `quantile` of the draws, as they are.

Pritchard, Seielstad, Perez-Lezaun & Feldman (1999), DOI 10.1093/oxfordjournals.molbev.a026091.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.infer.lookup import Lookup
from hpcvbi.infer.settings import require


@dataclass(frozen=True)
class Rejection(Lookup):
    """Settings of rejection ABC; see `Lookup` for those of all such methods.

    quantile: share of the draws that is kept, though never fewer than `min_survivors`.
    """

    quantile: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require("quantile", self.quantile, 1e-9, 1.0)

    def kept(self, rows: int, n_params: int, n_features: int) -> int:
        """Return how many of `rows` draws with finite features are kept."""
        return max(self.min_survivors, int(np.ceil(self.quantile * rows)))
