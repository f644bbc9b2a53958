"""White measurement noise on a signal: what the scanner adds to the BOLD of a region.

    y_i(t) = x_i(t) + sd(x_i) √(κ r_i) ξ_i(t)              ξ  independent N(0, 1)

r_i is the ratio of noise variance to signal variance in region i, measured on the recording itself;
κ (`noise_scale`) says by how much the truth differs from that measurement, in all regions alike.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Param


@dataclass(frozen=True, eq=False)
class Recorded:
    """The monitor named `of` as a scanner records it, with white noise of variance ratio `ratio`
    (region,).
    """

    ratio: np.ndarray
    of: str = "bold"
    name: str = "recorded"
    noise_scale: ClassVar[Param] = Param(
        "noise_scale", 1.0, "1", low=0.0, doc="measurement noise relative to the recording's"
    )

    @property
    def params(self) -> tuple[Param, ...]:
        """Parameters that the monitor adds to the brain."""
        return (self.noise_scale,)

    def check(self, observables: tuple[str, ...], dt: float, duration: float) -> None:
        """Raise ConfigError where the ratios are impossible."""
        ratio = np.asarray(self.ratio, float)
        if ratio.ndim != 1 or not np.isfinite(ratio).all() or (ratio < 0).any():
            raise ConfigError(
                f"monitor {self.name}: ratio must be one finite number >= 0 per region"
            )

    def add_noise(
        self, signal: np.ndarray, noise_scale: np.ndarray, normals: np.ndarray
    ) -> np.ndarray:
        """Return `signal` (draw, time, region) with noise; `noise_scale` (draw, 1), normals like
        signal.
        """
        amplitude = signal.std(axis=1) * np.sqrt(noise_scale * self.ratio)
        return signal + amplitude[:, None, :].astype(signal.dtype) * normals
