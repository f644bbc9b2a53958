"""Numbers that say how a signal changes in time: windowed FC and memory from frame to frame.

`lag1_autocorrelation` is taken before the band-pass, where it tells white measurement noise from
slow BOLD; a band-pass would set it. On a recording it lies outside what a model without observation
noise can produce.
"""

import numpy as np

from hpcvbi.features.fcd import fcd_values, fcd_variance
from hpcvbi.features.view import Feature, View


def _fcd_variance(view: View) -> float:
    window, step = view.window
    return fcd_variance(view.fcd, -(-window // step))


def _lag1_autocorrelation(view: View) -> float:
    x = view.centred
    lagged = np.einsum("tr,tr->r", x[1:], x[:-1])
    return float((lagged / np.einsum("tr,tr->r", x, x)).mean())


DYNAMICS: dict[str, Feature] = {
    "fcd_mean": Feature(lambda v: float(fcd_values(v.fcd).mean()), "mean over pairs of windows"),
    "fcd_sd": Feature(
        lambda v: float(fcd_values(v.fcd).std()), "standard deviation over pairs of windows"
    ),
    "fcd_variance": Feature(_fcd_variance, "variance over pairs of windows that share no frame"),
    "lag1_autocorrelation": Feature(
        _lag1_autocorrelation, "mean over regions, of the unfiltered signal"
    ),
}
