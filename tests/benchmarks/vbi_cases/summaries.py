"""Features of whole brains, as plain functions: spectra, moments, connectivity and its dynamics.

Signals are (draw, time, region). What is a number for each region enters as its mean and standard
deviation over regions.
"""

import numpy as np

from hpcvbi.core.pairs import upper
from hpcvbi.features.fcd import fcd_stream, fcd_values, functional_connectivity_dynamics

BANDS_HZ = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 60.0),
}
LEAST = 1e-30
"""Keeps logarithms of power finite."""


def over_regions(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and standard deviation over regions of `values` (draw, region)."""
    return {f"{name}_mean": values.mean(axis=1), f"{name}_sd": values.std(axis=1)}


def spectral(density: np.ndarray, hertz: np.ndarray) -> dict[str, np.ndarray]:
    """Log total power, peak frequency and the bands' shares of power, from a power spectral density
    (draw, frequency, region) at frequencies `hertz` (frequency,).
    """
    density = np.asarray(density, float)
    total = density.sum(axis=1) + LEAST
    found = over_regions("log_power", np.log10(total))
    found |= over_regions("peak_hz", hertz[density.argmax(axis=1)])
    for name, (low, high) in BANDS_HZ.items():
        inside = (hertz >= low) & (hertz < high)
        if inside.any():
            found |= over_regions(f"{name}_share", density[:, inside].sum(axis=1) / total)
    return found


def periodogram(signal: np.ndarray, period: float) -> tuple[np.ndarray, np.ndarray]:
    """Welch's density (draw, frequency, region) in half-overlapping Hann segments of a third of the
    signal, and its frequencies [Hz]; `period` [ms] lies between samples.
    """
    length = signal.shape[1] // 3 * 2 // 2
    window = np.hanning(length + 1)[:-1]
    power = 0.0
    starts = range(0, signal.shape[1] - length + 1, length // 2)
    for start in starts:
        part = signal[:, start : start + length]
        part = (part - part.mean(axis=1, keepdims=True)) * window[:, None]
        power = power + np.abs(np.fft.rfft(part, axis=1)) ** 2
    scale = 2e-3 * period / np.square(window).sum() / len(starts)
    return scale * np.asarray(power), np.fft.rfftfreq(length, 1e-3 * period)


def moments(signal: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, log standard deviation, skewness and kurtosis over time."""
    signal = np.asarray(signal, float)
    mean = signal.mean(axis=1, keepdims=True)
    sd = signal.std(axis=1, keepdims=True)
    z = (signal - mean) / sd
    return {
        **over_regions("level", mean[:, 0]),
        **over_regions("log_spread", np.log10(sd[:, 0])),
        **over_regions("skewness", (z**3).mean(axis=1)),
        **over_regions("kurtosis", (z**4).mean(axis=1)),
    }


def correlations(signal: np.ndarray) -> np.ndarray:
    """Functional connectivity (draw, region, region)."""
    z = np.asarray(signal, float) - signal.mean(axis=1, keepdims=True)
    z = z / np.sqrt(np.square(z).sum(axis=1, keepdims=True))
    return z.transpose(0, 2, 1) @ z


def connectivity(fc: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Distribution of functional connectivity (draw, region, region) over pairs, its likeness with
    the connectome's weights (region, region), the share of its largest eigenvalue, and the spread
    over regions of their mean connectivity.
    """
    pairs = upper(fc)
    low, middle, high = np.quantile(pairs, [0.1, 0.5, 0.9], axis=1)
    wiring = upper(weights)
    wiring = (wiring - wiring.mean()) / np.linalg.norm(wiring - wiring.mean())
    spread = pairs.std(axis=1)
    alike = (pairs - pairs.mean(axis=1, keepdims=True)) @ wiring
    whole = np.isfinite(fc).all(axis=(1, 2))
    largest = np.full(len(fc), np.nan)
    largest[whole] = np.linalg.eigvalsh(fc[whole])[:, -1] / fc.shape[1]
    return {
        "fc_mean": pairs.mean(axis=1),
        "fc_sd": spread,
        "fc_q10": low,
        "fc_median": middle,
        "fc_q90": high,
        "fc_sc_r": alike / (spread * np.sqrt(pairs.shape[1])),
        "fc_first_eigenvalue_share": largest,
        "fc_regions_sd": fc.mean(axis=2).std(axis=1),
    }


def dynamics(signal: np.ndarray, window: int, step: int) -> dict[str, np.ndarray]:
    """Mean and standard deviation of functional connectivity dynamics over pairs of windows that
    share no frame; `window` and `step` in frames.
    """
    apart = -(-window // step)
    found = [
        fcd_values(functional_connectivity_dynamics(fcd_stream(one, window, step)), apart)
        for one in np.asarray(signal, float)
    ]
    return {
        "fcd_mean": np.array([values.mean() for values in found]),
        "fcd_sd": np.array([values.std() for values in found]),
    }


def memory(signal: np.ndarray) -> dict[str, np.ndarray]:
    """Autocorrelation from frame to frame."""
    z = np.asarray(signal, float) - signal.mean(axis=1, keepdims=True)
    return over_regions("lag1", (z[:, 1:] * z[:, :-1]).sum(axis=1) / np.square(z).sum(axis=1))
