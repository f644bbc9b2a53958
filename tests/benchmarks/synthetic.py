"""The benchmark's network: N = 84 unless said, half of the pairs connected, symmetric.

NumPy only, and no syntax younger than Python 3.9: the peers' scripts use it too.
"""

import numpy as np

SPEED = 5.0
"""Conduction speed where there are delays [mm/ms]."""


def connectome(n=84):
    """Return symmetric log-normal weights over half of the pairs, divided by the largest, and tract
    lengths of 10 to 180 mm; both (region, region).
    """
    rng = np.random.default_rng(0)
    weights = rng.lognormal(0.0, 1.0, (n, n))
    weights = np.triu(weights * (rng.random((n, n)) < 0.5), 1)
    weights = weights + weights.T
    lengths = np.triu(rng.uniform(10.0, 180.0, (n, n)), 1)
    return weights / weights.max(), lengths + lengths.T
