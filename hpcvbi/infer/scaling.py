"""Scaling of features for networks, with a bound on what a single extreme value can do.

A feature is bent where its noise grows with it (`bend.py`), clipped to the range between its 0.5 %
and 99.5 % quantiles over the training draws, widened on each side by `margin` times that range,
then centred and divided by its standard deviation. For a Gaussian feature with the default margin
of 0.5 the bounds lie 5.2 standard deviations from the mean and clip nothing; one draw at 1e6 cannot
flatten all others.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.infer.bend import Bend

TAIL = 0.005


@dataclass(frozen=True, eq=False)
class Scaling:
    """Bend, clip to [low, high], subtract `center`, divide by `scale`; each of shape (feature,),
    float64.
    """

    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    bend: Bend

    def beyond(self, values: np.ndarray) -> np.ndarray:
        """Where `values` (..., feature) lie outside the clipping bounds."""
        y = self.bend(values)
        return (y < self.low) | (y > self.high)

    def unclipped(self, values: np.ndarray) -> np.ndarray:
        """Distance from the training mean in training standard deviations, without clipping."""
        return (self.bend(values) - self.center) / self.scale

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Scale `values` (..., feature) after clipping them."""
        return (np.clip(self.bend(values), self.low, self.high) - self.center) / self.scale


def fit_scaling(values: np.ndarray, margin: float, bend: Bend) -> Scaling:
    """Choose the scaling from training rows (row, feature), all finite; constant features get
    scale 1.
    """
    y = bend(values)
    # order statistics on the inner side: interpolation would let the extreme value in
    low = np.quantile(y, TAIL, axis=0, method="higher")
    high = np.quantile(y, 1.0 - TAIL, axis=0, method="lower")
    reach = margin * (high - low)
    low, high = low - reach, high + reach
    clipped = np.clip(y, low, high)
    center, scale = clipped.mean(axis=0), clipped.std(axis=0)
    resolution = 1e-9 * np.maximum(np.abs(center), np.finfo(float).tiny)
    return Scaling(low, high, center, np.where(scale > resolution, scale, 1.0), bend)
