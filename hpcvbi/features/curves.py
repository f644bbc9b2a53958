"""Curves of a signal that no fit sees, kept of few draws to be compared with the recording's.

    fcd   share of FCD values up to v       correlations of FC in two windows that share no frame
    psd   mean over regions of S_r(f) / var_r  [1/Hz]      Welch: Hann windows, half overlapping

FCD is that of the signal as features see it. Power is that of the unfiltered signal, in units of
each region's variance, so that a recording's units do not matter; outside the band-pass, where
there is one, it is NaN: nothing is asked of the model there. What a signal is too short for is NaN.

Hansen, Battaglia, Spiegler, Deco & Jirsa (2015), NeuroImage 105, 525,
doi:10.1016/j.neuroimage.2014.11.001; Welch (1967), IEEE Trans. Audio 15, 70,
doi:10.1109/TAU.1967.1161901.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcvbi.features.fcd import fcd_values
from hpcvbi.features.view import View

SEGMENT = 128
"""Frames of a segment of the spectrum, at most."""
FCD_VALUES = np.arange(-99, 101) / 100
"""Where the distribution of FCD values is kept: every hundredth."""


@dataclass(frozen=True)
class Curve:
    """A named curve of a View; `points(frames, tr_s)` are the values of `over`, in `over_unit`, at
    which `function` gives it.
    """

    function: Callable[[View], np.ndarray]
    points: Callable[[int, float], np.ndarray]
    over: str
    doc: str
    unit: str = "1"
    over_unit: str = "1"


def frequencies(frames: int, tr_s: float) -> np.ndarray:
    """Frequencies [Hz] of the spectrum of `frames` frames, `tr_s` [s] apart; without the mean, and
    without the Nyquist frequency, whose density is another.
    """
    segment = min(frames, SEGMENT)
    return np.arange(1, max(2, (segment + 1) // 2)) / (segment * tr_s)


def _fcd(view: View) -> np.ndarray:
    length, step = view.window
    apart = -(-length // step)
    if length < 2 or len(view.raw) < length + apart * step:
        return np.full(len(FCD_VALUES), np.nan)
    values = fcd_values(view.fcd, apart)
    if not np.isfinite(values).all():
        return np.full(len(FCD_VALUES), np.nan)
    return np.searchsorted(np.sort(values), FCD_VALUES, side="right") / len(values)


def _psd(view: View) -> np.ndarray:
    # SciPy's `welch` gives the same numbers; importing it takes a worker half a second
    signal, tr_s = view.centred.astype(np.float64), view.context.tr_s
    at, length = frequencies(len(signal), tr_s), min(len(signal), SEGMENT)
    windows = np.lib.stride_tricks.sliding_window_view(signal, length, axis=0)
    segments = windows[:: length - length // 2]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    turned = np.fft.rfft((segments - segments.mean(-1, keepdims=True)) * hann)
    power = (np.abs(turned) ** 2).mean(0) * 2 * tr_s / (hann**2).sum()
    relative = (power[:, 1 : len(at) + 1] / signal.var(axis=0)[:, None]).mean(0)
    low, high = view.context.band_hz or (0.0, np.inf)
    return np.where((at >= low) & (at <= high) & (relative > 0), relative, np.nan)


CURVES: dict[str, Curve] = {
    "fcd": Curve(
        _fcd, lambda frames, tr_s: FCD_VALUES, "fcd_value", "share of FCD values up to this one"
    ),
    "psd": Curve(
        _psd,
        frequencies,
        "frequency",
        "power spectral density / variance, mean over regions",
        "1/Hz",
        "Hz",
    ),
}
