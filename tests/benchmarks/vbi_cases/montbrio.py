"""Montbrió-Pazó-Roxin: global coupling G and excitability η from BOLD.

The paper's priors G ~ U(0, 1), η ~ U(−6, −3.5), with J 14.5, Δ .7 and a time unit of 10 ms, here
τ = 10 ms and coupling through τ r. The paper watches 300 s in steps of .1 ms; here it is 60 s in
steps of .4 ms by Heun's scheme. Weights are divided by their spectral radius: divided by the
largest, regions of this dense network that all fire would need smaller steps. A draw that diverges
has no features.
"""

from dataclasses import replace

import numpy as np
from vbi_cases.case import Case, Features, network
from vbi_cases.summaries import connectivity, correlations, dynamics, memory, moments

from hpcvbi import LINEAR, MODELS, Bold, Brain, Space, Uniform, WhiteNoise
from hpcvbi.observe.bold import FRISTON_2003

NETWORK = network("spectral_radius")
TAU = 10.0
"""Membrane time constant [ms]."""
DIFFUSION = 0.037
"""Intensity of the noise per time unit: 2 D for the rate, 4 D for the potential."""
MODEL = MODELS["montbrio_pazo_roxin"]
ETA = next(p for p in MODEL.params if p.name == "eta").with_prior(Uniform(-6.0, -3.5))
STRENGTH = replace(LINEAR.params[0], prior=Uniform(0.0, 1.0))
TR = 1000.0
BRAIN = Brain(
    NETWORK,
    MODEL,
    LINEAR,
    WhiteNoise(("r", "V"), separate=True),
    dt=0.4,
    duration=60_000.0,
    burn_in=10_000.0,
    # The paper's haemodynamics are driven by the rate per time unit.
    monitors=(Bold("r", TR, step=10.0, constants=replace(FRISTON_2003, epsilon=TAU)),),
    space=Space((STRENGTH, ETA)),
    values={
        "tau": TAU,
        "J": 14.5,
        "Delta": 0.7,
        "cr": TAU,
        "sigma_r": float(np.sqrt(2 * DIFFUSION / TAU) / TAU),
        "sigma_V": float(np.sqrt(4 * DIFFUSION / TAU)),
    },
    sends=("r", None),
    scheme="heun",
)


def summarise(signals: dict[str, np.ndarray]) -> Features:
    """Moments of BOLD, connectivity and its dynamics."""
    bold = signals["bold"]
    return {
        **moments(bold),
        **memory(bold),
        **connectivity(correlations(bold), NETWORK.weights),
        **dynamics(bold, window=20, step=4),
    }


CASE = Case(
    "montbrio",
    "Montbrió-Pazó-Roxin: G, η",
    "G ~ U(0, 1), eta ~ U(-6, -3.5); 60 s of BOLD, TR 1 s",
    BRAIN,
    summarise,
    initial=np.repeat([[0.01], [-2.0]], NETWORK.n_regions, axis=1),
)
