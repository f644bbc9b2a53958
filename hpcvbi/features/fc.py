"""Static functional connectivity: the Pearson correlation of every pair of regional signals."""

import numpy as np

from hpcvbi.core.errors import DataError


def functional_connectivity(signal: np.ndarray) -> np.ndarray:
    """Pearson correlation (..., region, region) of `signal` (..., time, region), in its precision.

    A region whose signal does not vary has no correlation with anything: its row and column are
    NaN. The diagonal is 1.
    """
    signal = np.asarray(signal)
    if signal.ndim < 2 or signal.shape[-2] < 2:
        raise DataError(f"FC needs at least 2 frames of (time, region), got shape {signal.shape}")
    mean = signal.mean(-2, keepdims=True, dtype=np.float64)
    centred = signal - mean.astype(signal.dtype if signal.dtype.kind == "f" else np.float64)
    norm = np.sqrt(np.einsum("...tr,...tr->...r", centred, centred))[..., None, :]
    # What varies by less than the rounding of its mean does not vary: correlating it would
    # correlate the last bits.
    rounding = np.finfo(centred.dtype).eps * np.sqrt(signal.shape[-2])
    flat = norm <= 4 * rounding * np.abs(mean)
    unit = centred / np.where(flat, np.nan, norm)
    fc = np.clip(np.swapaxes(unit, -1, -2) @ unit, -1.0, 1.0)
    diagonal = np.arange(fc.shape[-1])
    fc[..., diagonal, diagonal] = np.where(flat[..., 0, :], np.nan, 1.0)
    return fc
