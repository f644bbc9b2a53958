"""The Epileptor of `epileptor.py` where only what SEEG tells is seen: power, onset and rhythm of
each region, not the level of x, which electrodes do not record.
"""

from dataclasses import replace

import numpy as np
from vbi_cases.case import Features
from vbi_cases.epileptor import CASE as WITH_LEVEL
from vbi_cases.epileptor import DURATION, NETWORK, onset


def summarise(signals: dict[str, np.ndarray]) -> Features:
    """Onset, power and memory of each region, and what surrounds it."""
    x = signals["sample"].astype(float)
    z = x - x.mean(axis=1, keepdims=True)
    begins, power = onset(x), np.log10(x.var(axis=1))
    half = x.shape[1] // 2
    quiet = begins[:, None, :] == DURATION
    weights, strength = NETWORK.weights, NETWORK.strength
    earlier = (begins[:, :, None] > begins[:, None, :]) * weights
    return {
        "onset": begins,
        "power": power,
        "power_later": np.log10(x[:, half:].var(axis=1)),
        "lag1": (z[:, 1:] * z[:, :-1]).sum(axis=1) / np.square(z).sum(axis=1),
        "strength": np.broadcast_to(strength, power.shape),
        "power_around": power @ weights.T / strength,
        "seizing_around": (~quiet * weights).sum(axis=2) / strength,
        "received_earlier": earlier.sum(axis=2),
    }


CASE = replace(
    WITH_LEVEL,
    name="epileptor_power",
    title="Epileptor, power: 84 η",
    setting="eta ~ U(-5, -1) in each region; power and onset of 80 units of time of x",
    summarise=summarise,
)
