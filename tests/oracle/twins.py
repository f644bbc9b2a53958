"""Pairs of declarations: a model or coupling of The Virtual Brain (2.10) and ours.

Each pair says how our parameters follow from those of TVB: our name, and TVB's name or a function
whose arguments are names of TVB. What no entry takes is not in TVB's equations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

Value = float | np.ndarray
Formulas = Mapping[str, str | Callable[..., Value]]


@dataclass(frozen=True)
class CouplingTwin:
    """A coupling of both, with TVB's parameters at the values that the cases use.

    `sends` is what it takes if not what the model sends.
    """

    theirs: str
    ours: str
    to_ours: Formulas
    values: Mapping[str, float]
    sends: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelTwin:
    """A model of both.

    `centre` and `half` span the history of each state variable. `couplings` are names in COUPLED
    with the parameters of TVB that differ from those there. `base` holds parameters of TVB that are
    not at their default; `spatial` is one that differs between regions. `sends` is what TVB sends
    where our model sends something else by default. `gain` is a parameter of TVB's model that
    multiplies the coupling; ours is part of the coupling.
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
    base: Mapping[str, Value] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    gain: str | None = None


def same(names: str) -> dict[str, str]:
    """Parameters that have one name in both."""
    return {name: name for name in names.split()}


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
            sends=("psp",),
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
            {"G": "a", "gain": "b", "shift": "midpoint", "scale": "sigma"},
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
        ),
        ModelTwin(
            "ReducedWongWangExcInh",
            "wong_wang_ei",
            {"w_plus": "w_p", "target_rate": lambda: 0.003}
            | same("J_N I_o I_ext W_e a_e b_e d_e gamma_e tau_e W_i a_i b_i d_i gamma_i tau_i")
            | same("lamda J_i"),
            centre=(0.3, 0.2),
            half=(0.25, 0.15),
            dt=0.1,
            sigma=0.01,
            spatial="J_i",
            couplings=LINEAR,
            base={"lamda": 0.4},
            gain="G",
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
        ModelTwin(
            "JansenRit",
            "jansen_rit",
            same("A B a b v0 nu_max r J a_1 a_2 a_3 a_4 mu"),
            centre=(0.1, 10.0, 5.0, 0.0, 0.0, 0.0),
            half=(0.1, 8.0, 5.0, 0.5, 2.0, 1.0),
            dt=0.5,
            sigma=0.05,
            spatial="mu",
            couplings={"SigmoidalJansenRit": {}, "Linear": {"a": 0.001}},
            sends=("y1",),
        ),
        ModelTwin(
            "Epileptor",
            "epileptor",
            same("a b c d r x0 Iext slope Iext2 tau aa bb Kvf Kf Ks tt modification"),
            centre=(-0.5, -5.0, 3.5, -0.8, 0.3, -0.1),
            half=(1.2, 4.0, 1.0, 0.8, 0.3, 0.3),
            dt=0.02,
            sigma=0.01,
            spatial="x0",
            base={"Kvf": 0.2, "Kf": 0.3, "Ks": -0.4},
            couplings={"Difference": {}, "Linear": {}},
        ),
        ModelTwin(
            "Epileptor2D",
            "epileptor_2d_tvb",
            same("a b c d r x0 Iext slope Kvf Ks tt modification"),
            centre=(-0.5, 3.5),
            half=(1.2, 1.0),
            dt=0.02,
            sigma=0.02,
            spatial="x0",
            base={"Kvf": 0.2, "Ks": -0.4},
            couplings={"Difference": {}, "Linear": {}},
        ),
        ModelTwin(
            "MontbrioPazoRoxin",
            "montbrio_pazo_roxin",
            {"Gamma": lambda: 0.0} | same("tau I Delta J eta cr cv"),
            centre=(0.5, -0.5),
            half=(0.6, 1.0),
            dt=0.01,
            sigma=0.02,
            spatial="eta",
            base={"cv": 0.1},
            couplings={**LINEAR, "Difference": {}},
        ),
        ModelTwin(
            "WilsonCowan",
            "wilson_cowan",
            same("c_ee c_ei c_ie c_ii tau_e tau_i a_e b_e c_e theta_e a_i b_i theta_i c_i")
            | same("r_e r_i k_e k_i P Q alpha_e alpha_i shift_sigmoid"),
            centre=(0.4, 0.3),
            half=(0.4, 0.3),
            dt=0.5,
            sigma=0.01,
            spatial="P",
            couplings={**LINEAR, "Sigmoidal": {}},
        ),
        ModelTwin(
            "Kuramoto",
            "kuramoto",
            same("omega"),
            centre=(3.0,),
            half=(3.0,),
            dt=0.1,
            sigma=0.05,
            spatial="omega",
            couplings={"Kuramoto": {}},
        ),
        ModelTwin(
            "Generic2dOscillator",
            "generic_2d_oscillator",
            same("tau I a b c d e f g alpha beta gamma"),
            centre=(0.5, 0.0),
            half=(2.0, 4.0),
            dt=0.1,
            sigma=0.05,
            spatial="a",
            couplings={**LINEAR, "HyperbolicTangent": {}},
        ),
        ModelTwin(
            "Linear",
            "linear",
            same("gamma"),
            centre=(0.2,),
            half=(1.0,),
            dt=0.05,
            sigma=0.05,
            spatial="gamma",
            couplings={**LINEAR, "Difference": {}},
        ),
        ModelTwin(
            "LarterBreakspear",
            "larter_breakspear",
            same("gCa gK gL phi gNa TK TCa TNa VCa VK VL VNa d_K tau_K d_Na d_Ca aei aie b C ane")
            | same("ani aee Iext rNMDA VT d_V ZT d_Z QV_max QZ_max t_scale"),
            centre=(0.0, 0.1, 0.0),
            half=(0.6, 0.4, 0.5),
            dt=0.05,
            sigma=0.01,
            spatial="d_V",
            couplings={"HyperbolicTangent": {"a": 0.5}, "Linear": {}},
            sends=("V",),
        ),
    )
}
