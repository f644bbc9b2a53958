"""Stuart-Landau with delays: global coupling G and conduction speed from spectra.

The paper's oscillators: a −5 / s, 40 Hz; its priors are G ~ U(0, 400) / s and speed ~ U(0, 30) m/s,
here from 1 m/s. Weights are divided by their spectral radius, so that G is a rate.
"""

from dataclasses import replace
from math import pi

import numpy as np
from vbi_cases.case import Case, Features, network
from vbi_cases.summaries import LEAST, connectivity, correlations, periodogram, spectral

from hpcvbi import DIFFERENCE, MODELS, Brain, Sample, Space, Uniform, WhiteNoise
from hpcvbi.brain.brain import SPEED

NETWORK = network("spectral_radius")
PERIOD = 4.0
STRENGTH = replace(DIFFERENCE.params[0], prior=Uniform(0.0, 0.4))
BRAIN = Brain(
    NETWORK,
    MODELS["stuart_landau"],
    DIFFERENCE,
    WhiteNoise(("x", "y")),
    dt=0.4,
    duration=2000.0,
    burn_in=400.0,
    monitors=(Sample("x", PERIOD),),
    space=Space((STRENGTH, SPEED.with_prior(Uniform(1.0, 30.0)))),
    values={"a": -0.005, "omega": 2 * pi * 0.04, "sigma": 1e-3},
    speed=5.0,
    coupling_step=0.8,
    scheme="heun",
)


def summarise(signals: dict[str, np.ndarray]) -> Features:
    """Spectra of the regions and of their mean, and connectivity."""
    x = signals["sample"]
    density, hertz = periodogram(x, PERIOD)
    band = (hertz >= 1.0) & (hertz <= 60.0)
    mean, _ = periodogram(x.mean(axis=2, keepdims=True), PERIOD)
    together = spectral(mean[:, band], hertz[band])
    shared = mean[:, band].sum(axis=1)[:, 0] / (density[:, band].sum(axis=1).mean(axis=1) + LEAST)
    return {
        **spectral(density[:, band], hertz[band]),
        **{f"mean_{name}": v for name, v in together.items() if name.endswith("_mean")},
        "log_shared_power": np.log10(shared + LEAST),
        **connectivity(correlations(x), NETWORK.weights),
    }


CASE = Case(
    "stuart_landau",
    "Stuart-Landau, delays: G, speed",
    "G ~ U(0, .4) / ms, speed ~ U(1, 30) m/s; 2 s of x",
    BRAIN,
    summarise,
)
