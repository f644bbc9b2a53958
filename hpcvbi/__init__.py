"""Virtual Brain Inference on supercomputers."""

from hpcvbi.brain.brain import Brain
from hpcvbi.brain.connectome import Connectome
from hpcvbi.brain.coupling import COUPLINGS, DIFFERENCE, LINEAR, Coupling, WhiteNoise
from hpcvbi.brain.model import Derived, Model, State
from hpcvbi.core.block import Status
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param, Space
from hpcvbi.models import MODELS
from hpcvbi.observe.bold import FRISTON_2003, STEPHAN_2007, Bold, Fc
from hpcvbi.observe.measurement import Recorded
from hpcvbi.observe.sampling import Average, Sample
from hpcvbi.sim.simulate import Simulated, simulate

__all__ = [
    "COUPLINGS",
    "DIFFERENCE",
    "FRISTON_2003",
    "LINEAR",
    "MODELS",
    "STEPHAN_2007",
    "Average",
    "Bold",
    "Brain",
    "Connectome",
    "Coupling",
    "Derived",
    "Fc",
    "LogUniform",
    "Model",
    "Param",
    "Recorded",
    "Sample",
    "Simulated",
    "Space",
    "State",
    "Status",
    "Uniform",
    "WhiteNoise",
    "simulate",
]
__version__ = "0.1.0"
