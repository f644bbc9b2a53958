"""How much of a recorded BOLD signal is white measurement noise.

Haemodynamics let almost nothing pass above .3 Hz; what a recording holds there is noise of the
scanner, and where it is white it has the same power density below. The share of noise in the
variance of region i is

    n_i = Σ_{f > f0} P_i(f) / Σ_{f > 0} P_i(f) · (bins in all) / (bins above f0)

with P_i the periodogram of the region's signal.
"""

import numpy as np

from hpcvbi.core.errors import ConfigError

LARGEST_SHARE = 0.99
"""No recording is taken to be all noise: the ratio of noise to signal would be infinite."""


def noise_share(signal: np.ndarray, tr_s: float, above_hz: float = 0.3) -> np.ndarray:
    """Share (region,) of white noise in the variance of a signal (time, region)."""
    signal = np.asarray(signal, float)
    frequency = np.fft.rfftfreq(len(signal), tr_s)
    above = frequency > above_hz
    if above.sum() < 10:
        raise ConfigError(
            f"no noise floor above {above_hz:g} Hz: the recording ends at {frequency[-1]:.3g} Hz "
            f"(TR {tr_s:g} s); choose a lower frequency or leave measurement noise out"
        )
    power = np.abs(np.fft.rfft(signal - signal.mean(axis=0), axis=0)) ** 2
    density = power[above].mean(axis=0) / power[1:].mean(axis=0)
    return np.clip(density, 0.0, LARGEST_SHARE)


def noise_ratio(share: np.ndarray) -> np.ndarray:
    """Variance of the noise over the variance of the signal, from the noise's share."""
    return share / (1.0 - share)
