"""Wong-Wang with feedback inhibition: the global coupling G from BOLD.

Deco et al. (2014) doi:10.1523/JNEUROSCI.5068-13.2014, with the inhibitory weights that make 3 Hz an
equilibrium at every G, in Heun steps of 2.5 ms; the paper's toolkit watches 180 to 300 s, here it
is 75 s. On this connectome regions leave that equilibrium about G = .3.
"""

from dataclasses import replace

import numpy as np
from vbi_cases.case import Case, Features, network
from vbi_cases.summaries import connectivity, correlations, dynamics, memory, moments

from hpcvbi import LINEAR, MODELS, Bold, Brain, Space, Uniform, WhiteNoise

NETWORK = network()
TR = 1500.0
SHAPE = ("skewness", "kurtosis")
STRENGTH = replace(LINEAR.params[0], prior=Uniform(0.0, 0.5))
BRAIN = Brain(
    NETWORK,
    MODELS["wong_wang_ei"],
    LINEAR,
    WhiteNoise(("S_E", "S_I")),
    dt=2.5,
    duration=75_000.0,
    burn_in=15_000.0,
    monitors=(Bold("S_E", TR, step=10.0),),
    space=Space((STRENGTH,)),
    values={"sigma": 0.01},
    scheme="heun",
)


def summarise(signals: dict[str, np.ndarray]) -> Features:
    """Shape and memory of BOLD, connectivity and its dynamics; nothing that has a unit."""
    bold = signals["bold"]
    shape = {name: v for name, v in moments(bold).items() if name.startswith(SHAPE)}
    return {
        **shape,
        **memory(bold),
        **connectivity(correlations(bold), NETWORK.weights),
        **dynamics(bold, window=16, step=4),
    }


CASE = Case(
    "wong_wang", "Wong-Wang E-I: G", "G ~ U(0, .5); 75 s of BOLD, TR 1.5 s", BRAIN, summarise
)
