"""Pairs of declarations: a model or coupling of The Virtual Brain (2.10) and ours.

Each pair says how our parameters follow from those of TVB: our name, and TVB's name or a function
whose arguments are names of TVB. What no entry takes is not in TVB's equations, or `fixed`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from hpcvbi import MODELS

Value = float | np.ndarray
Formulas = Mapping[str, str | Callable[..., Value]]


@dataclass(frozen=True)
class CouplingTwin:
    """A coupling of both, with TVB's parameters at the values that the cases use."""

    theirs: str
    ours: str
    to_ours: Formulas
    values: Mapping[str, float]


@dataclass(frozen=True)
class ModelTwin:
    """A model of both.

    `centre` and `half` span the history of each state variable. `couplings` are names in COUPLED
    with the parameters of TVB that differ from those there. `fixed` are parameters of TVB that are
    not drawn at random; `spatial` is one that differs between regions. `sends` says what our model
    sends where its default is not what TVB sends.
    """

    theirs: str
    ours: str
    to_ours: Formulas
    centre: tuple[float, ...]
    half: tuple[float, ...]
    dt: float
    sigma: float
    spatial: str
    couplings: Mapping[str, Mapping[str, float]]
    fixed: Mapping[str, Value] = field(default_factory=dict)
    sends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def same(names: str) -> dict[str, str]:
    """Parameters that have one name in both."""
    return {name: name for name in names.split()}


def ours_from(formulas: Formulas, theirs: Mapping[str, Value]) -> dict[str, Value]:
    """Our parameters from those of TVB."""
    found = {}
    for name, formula in formulas.items():
        if isinstance(formula, str):
            found[name] = theirs[formula]
        else:
            found[name] = formula(*(theirs[key] for key in inspect.signature(formula).parameters))
    return found


COUPLED = {
    pair.theirs: pair
    for pair in (
        CouplingTwin("Linear", "linear", {"G": "a", "offset": "b"}, {"a": 0.1, "b": 0.01}),
        CouplingTwin("Difference", "difference", {"G": "a"}, {"a": 0.1}),
        CouplingTwin("Kuramoto", "kuramoto", {"G": "a"}, {"a": 0.1}),
        CouplingTwin(
            "SigmoidalJansenRit",
            "sigmoidal",
            {"G": "a", "steepness": "r"} | same("cmin cmax midpoint"),
            {"a": 1.3, "cmin": 0.0003, "cmax": 0.006, "midpoint": 5.5, "r": 0.5},
        ),
        CouplingTwin(
            "Sigmoidal",
            "sigmoidal_after",
            {"G": lambda: 1.0, "steepness": lambda a, sigma: a / sigma}
            | same("cmin cmax midpoint"),
            {"a": 1.1, "cmin": -0.1, "cmax": 0.15, "midpoint": 0.2, "sigma": 0.7},
        ),
        CouplingTwin(
            "HyperbolicTangent",
            "hyperbolic_tangent",
            {"G": "a", "slope": "b", "shift": "midpoint", "scale": "sigma"},
            {"a": 0.05, "b": 0.8, "midpoint": 0.2, "sigma": 0.9},
        ),
    )
}
LINEAR: Mapping[str, Mapping[str, float]] = {"Linear": {}}

MODELLED = {
    pair.theirs: pair
    for pair in (
        ModelTwin(
            "ReducedWongWang",
            "reduced_wong_wang",
            {"tau": "tau_s", "J": "J_N", "I0": "I_o"} | same("w gamma a b d"),
            centre=(0.3,),
            half=(0.25,),
            dt=0.5,
            sigma=0.02,
            spatial="I_o",
            couplings={**LINEAR, "HyperbolicTangent": {}, "Sigmoidal": {}},
            fixed={"sigma_noise": 0.0},
        ),
        ModelTwin(
            "SupHopf",
            "stuart_landau",
            same("a omega"),
            centre=(0.1, -0.05),
            half=(0.4, 0.5),
            dt=0.1,
            sigma=0.02,
            spatial="omega",
            couplings={"Difference": {}, "Linear": {}},
        ),
    )
    if pair.ours in MODELS
}
