"""Virtual Brain Inference on supercomputers."""

from typing import TYPE_CHECKING, Any

from hpcvbi.brain.brain import Brain
from hpcvbi.brain.connectome import Connectome
from hpcvbi.brain.coupling import (
    COUPLINGS,
    DIFFERENCE,
    HYPERBOLIC_TANGENT,
    KURAMOTO,
    LINEAR,
    SIGMOIDAL,
    SIGMOIDAL_AFTER,
    Coupling,
)
from hpcvbi.brain.model import Derived, Model, Output, State
from hpcvbi.brain.noise import OrnsteinUhlenbeck, WhiteNoise
from hpcvbi.brain.stimulus import FrozenNoise, Pulse, Ramp, Sine, Stimulus, Train, Waypoints
from hpcvbi.core.block import Status
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param, Space
from hpcvbi.models import MODELS
from hpcvbi.observe.bold import FRISTON_2003, STEPHAN_2007, Bold
from hpcvbi.observe.measurement import Recorded
from hpcvbi.observe.sampling import Average, Sample, samples
from hpcvbi.observe.summary import Fc, Moments, Spectrum
from hpcvbi.sim.inhibition import balance_inhibition
from hpcvbi.sim.simulate import Simulated, simulate

if TYPE_CHECKING:
    from hpcvbi.store.reading import gather, open_store

__all__ = [
    "COUPLINGS",
    "DIFFERENCE",
    "FRISTON_2003",
    "HYPERBOLIC_TANGENT",
    "KURAMOTO",
    "LINEAR",
    "MODELS",
    "SIGMOIDAL",
    "SIGMOIDAL_AFTER",
    "STEPHAN_2007",
    "Average",
    "Bold",
    "Brain",
    "Connectome",
    "Coupling",
    "Derived",
    "Fc",
    "FrozenNoise",
    "LogUniform",
    "Model",
    "Moments",
    "OrnsteinUhlenbeck",
    "Output",
    "Param",
    "Pulse",
    "Ramp",
    "Recorded",
    "Sample",
    "Simulated",
    "Sine",
    "Space",
    "Spectrum",
    "State",
    "Status",
    "Stimulus",
    "Train",
    "Uniform",
    "Waypoints",
    "WhiteNoise",
    "balance_inhibition",
    "gather",
    "open_store",
    "samples",
    "simulate",
]
__version__ = "0.1.0"

_READING = ("gather", "open_store")


def __getattr__(name: str) -> Any:
    """Import what needs xarray once it is asked for."""
    if name not in _READING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hpcvbi.store import reading

    return getattr(reading, name)
