"""Bit rounding: keep the leading bits of a number's mantissa, so that the rest compresses away.

    |rounded - x| <= 2^-(bits + 1) |x|          rounded to nearest, ties to even

The error is relative to the number itself: of fluctuations that are a hundredth of their mean, 10
bits keep 3 or 4. The rounding is done before anything is written, so that readers need nothing and
digests are of what is read back.

Kloewer, Razinger, Dominguez, Dueben & Palmer (2021), Nature Computational Science 1, 713,
doi:10.1038/s43588-021-00156-2.
"""

import numpy as np
from numcodecs.bitround import BitRound

MOST_BITS = {"float32": 23, "float64": 52}
"""Bits of the mantissa, by type."""


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Return `values` with `bits` bits of mantissa; NaN, infinity and what would overflow stay."""
    kept = np.ascontiguousarray(values)
    found = np.asarray(BitRound(bits).encode(kept)).view(kept.dtype).reshape(kept.shape)
    return np.where(np.isfinite(kept) & np.isfinite(found), found, kept)
