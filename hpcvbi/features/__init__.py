"""From signals to named numbers. One rule: recording and simulation pass through the same code.

`compute` (features) and `measure` (features, FC and curves) are the entry points; FEATURES and
CURVES are the explicit lists of what they know.
"""

from hpcvbi.features.compute import (
    FEATURES,
    Measured,
    check,
    compute,
    groups_of,
    measure,
)
from hpcvbi.features.curves import CURVES, Curve
from hpcvbi.features.fc import functional_connectivity
from hpcvbi.features.fcd import fcd_stream, fcd_variance, functional_connectivity_dynamics
from hpcvbi.features.preprocess import bandpass
from hpcvbi.features.view import Context, Feature, View

__all__ = [
    "CURVES",
    "FEATURES",
    "Context",
    "Curve",
    "Feature",
    "Measured",
    "View",
    "bandpass",
    "check",
    "compute",
    "fcd_stream",
    "fcd_variance",
    "functional_connectivity",
    "functional_connectivity_dynamics",
    "groups_of",
    "measure",
]
