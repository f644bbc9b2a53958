"""Functional connectivity dynamics: how alike the FC is in different windows of one recording.

    FCD_ab = r(FC pairs in window a, FC pairs in window b)

Windows that share frames are alike for that reason alone: the variance is taken over pairs of
windows that share none.

Hansen, Battaglia, Spiegler, Deco & Jirsa (2015), NeuroImage 105, 525,
doi:10.1016/j.neuroimage.2014.11.001.
"""

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.pairs import upper
from hpcvbi.features.fc import functional_connectivity


def fcd_stream(signal: np.ndarray, window: int, step: int) -> np.ndarray:
    """FC (window, pair) of `signal` (time, region), in windows of `window` frames every `step`."""
    n_frames = len(signal)
    if not (window >= 2 and step >= 1 and n_frames >= window + step):
        raise ConfigError(
            f"FCD with windows of {window} frames every {step} needs "
            f"{window + step} frames at least, got {n_frames}: use a longer recording, "
            f"or leave the fcd features out"
        )
    windows = np.lib.stride_tricks.sliding_window_view(signal, window, axis=0)[::step]
    return upper(functional_connectivity(np.ascontiguousarray(np.swapaxes(windows, 1, 2))))


def functional_connectivity_dynamics(stream: np.ndarray) -> np.ndarray:
    """Pearson correlation (window, window) of the FC stream (window, pair)."""
    return functional_connectivity(np.asarray(stream).T)


def fcd_values(fcd: np.ndarray, offset: int = 1) -> np.ndarray:
    """Entries of `fcd` (window, window) for windows at least `offset` steps apart."""
    if offset >= len(fcd):
        raise ConfigError(
            f"no two of {len(fcd)} FCD windows are {offset} steps apart: use a longer recording"
        )
    return fcd[np.triu_indices(len(fcd), offset)]


def fcd_variance(fcd: np.ndarray, offset: int = 1) -> float:
    """Variance over the windows at least `offset` steps apart; ceil(window / step) leaves out all
    overlap.
    """
    return float(fcd_values(fcd, offset).var())
