"""Affine scaling of features, with a bound on what a single extreme value can do.

A feature is clipped to the range between its 0.5 % and 99.5 % quantiles over the training draws,
widened on each side by `margin` times that range, then centred and divided by its standard
deviation. For a Gaussian feature with the default margin of 0.5 the bounds lie 5.2 standard
deviations from the mean and clip nothing; one draw at 1e6 cannot flatten all others.
"""

from dataclasses import dataclass

import numpy as np

TAIL = 0.005


@dataclass(frozen=True, eq=False)
class Scaling:
    """Clip to [low, high], subtract `center`, divide by `scale`; each of shape (feature,),
    float64.
    """

    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    def beyond(self, values: np.ndarray) -> np.ndarray:
        """Where `values` (..., feature) lie outside the clipping bounds."""
        return (values < self.low) | (values > self.high)

    def unclipped(self, values: np.ndarray) -> np.ndarray:
        """Distance from the training mean in training standard deviations, without clipping."""
        return (np.asarray(values, float) - self.center) / self.scale

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Scale `values` (..., feature) after clipping them."""
        return self.unclipped(np.clip(values, self.low, self.high))


def fit_scaling(values: np.ndarray, margin: float) -> Scaling:
    """Choose the scaling from training rows (row, feature), all finite; constant features get
    scale 1.
    """
    # order statistics on the inner side: interpolation would let the extreme value in
    low = np.quantile(values, TAIL, axis=0, method="higher")
    high = np.quantile(values, 1.0 - TAIL, axis=0, method="lower")
    reach = margin * (high - low)
    low, high = low - reach, high + reach
    clipped = np.clip(values, low, high)
    center, scale = clipped.mean(axis=0), clipped.std(axis=0)
    resolution = 1e-9 * np.maximum(np.abs(center), np.finfo(float).tiny)
    return Scaling(low, high, center, np.where(scale > resolution, scale, 1.0))
