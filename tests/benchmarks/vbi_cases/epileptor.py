"""Two-dimensional Epileptor: the excitability η of each of 84 regions from power and onset.

The paper's prior η_i ~ U(−5, −1) and its zones: epileptogenic −1.5, propagation −2.4, healthy −3.5.
G is 1, τ 10, the noise .1, 80 units of time in steps of .1. A draw carries one column for each
region through 84 maps, each 1 in its region and 0 elsewhere: η_i = −3 + η_<region i>.

What is learned is the posterior of one region's η given features of that region and of what it
receives; one network serves all regions, so that a simulation gives 84 rows. It is the marginal
posterior of each region, not the joint one of all.
"""

import numpy as np
from vbi_cases.case import Case, Features, network

from hpcvbi import DIFFERENCE, MODELS, Brain, Param, Sample, Space, Uniform, WhiteNoise

NETWORK = network()
MIDDLE, HALF = -3.0, 2.0
PERIOD, DURATION = 0.5, 80.0
SEIZES = 0.0
"""Above this x a region is in a seizure."""
SPACE = Space(
    tuple(
        Param(f"eta_{label}", 0.0, "1", -10.0, 10.0, Uniform(-HALF, HALF), f"eta of {label}")
        for label in NETWORK.labels
    )
)
BRAIN = Brain(
    NETWORK,
    MODELS["epileptor_2d"],
    DIFFERENCE,
    WhiteNoise(("x", "z")),
    dt=0.1,
    duration=DURATION,
    monitors=(Sample("x", PERIOD),),
    space=SPACE,
    values={"G": 1.0, "eta": MIDDLE, "sigma": 0.1},
    maps={"eta": dict(zip(NETWORK.labels, np.eye(NETWORK.n_regions), strict=True))},
)


def to_unit(eta: np.ndarray) -> np.ndarray:
    """Excitabilities in the unit interval of their prior."""
    return (np.asarray(eta) - (MIDDLE - HALF)) / (2 * HALF)


def from_unit(u: np.ndarray) -> np.ndarray:
    """Inverse of `to_unit`."""
    return (MIDDLE - HALF) + 2 * HALF * np.asarray(u)


def onset(x: np.ndarray) -> np.ndarray:
    """Time (draw, region) at which x (draw, time, region) first exceeds `SEIZES`; the end of the
    recording where it never does.
    """
    above = x > SEIZES
    return np.where(above.any(axis=1), PERIOD * (1 + above.argmax(axis=1)), DURATION)


def summarise(signals: dict[str, np.ndarray]) -> Features:
    """Onset, power, mean and largest value of each region, and what its neighbours send."""
    x = signals["sample"].astype(float)
    mean, begins = x.mean(axis=1), onset(x)
    strength = NETWORK.strength
    earlier = (begins[:, :, None] > begins[:, None, :]) * NETWORK.weights
    return {
        "onset": begins,
        "power": np.log10(x.var(axis=1)),
        "level": mean,
        "largest": x.max(axis=1),
        "strength": np.broadcast_to(strength, mean.shape),
        "received": mean @ NETWORK.weights.T - strength * mean,
        "received_earlier": earlier.sum(axis=2),
    }


CASE = Case(
    "epileptor",
    "Epileptor: 84 η",
    "eta ~ U(-5, -1) in each region; 80 units of time of x",
    BRAIN,
    summarise,
    initial=np.repeat([[-2.0], [3.5]], NETWORK.n_regions, axis=1),
    regional=True,
)
