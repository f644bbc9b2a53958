"""Jansen-Rit: the global coupling G from spectra of the potentials.

The paper's prior G ~ U(0, 5), 2 s of signal after half a second; its 88 regional numbers of
synapses are held at their default here, which makes G identifiable. 4 s are watched.
"""

from dataclasses import replace

import numpy as np
from vbi_cases.case import Case, Features, network
from vbi_cases.summaries import connectivity, over_regions, spectral

from hpcvbi import (
    MODELS,
    SIGMOIDAL,
    Brain,
    Fc,
    Moments,
    Sample,
    Space,
    Spectrum,
    Uniform,
    WhiteNoise,
)

NETWORK = network()
SPECTRUM = Spectrum("psp", segment=1000.0, band=(1.0, 45.0))
STRENGTH = replace(SIGMOIDAL.params[0], prior=Uniform(0.0, 5.0))
BRAIN = Brain(
    NETWORK,
    MODELS["jansen_rit"],
    SIGMOIDAL,
    WhiteNoise(("y4",)),
    dt=0.5,
    duration=4000.0,
    burn_in=500.0,
    monitors=(
        Sample("psp", 4.0, name="psp", keep=False),
        SPECTRUM,
        Moments("psp"),
        Fc("psp"),
    ),
    space=Space((STRENGTH,)),
    values={"sigma": 0.02},
    scheme="heun",
)


def summarise(signals: dict[str, np.ndarray]) -> Features:
    """Spectra, levels and connectivity of the potentials."""
    mean, variance = signals["moments"][:, 0], signals["moments"][:, 1]
    return {
        **spectral(signals["spectrum"], SPECTRUM.frequencies),
        **over_regions("level", mean),
        **over_regions("log_spread", np.log10(variance + 1e-30) / 2),
        **connectivity(signals["fc"].astype(float), NETWORK.weights),
    }


CASE = Case("jansen_rit", "Jansen-Rit: G", "G ~ U(0, 5); 4 s of potentials", BRAIN, summarise)
