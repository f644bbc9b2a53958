"""Trajectories of The Virtual Brain 2.10 (history and weights lifted to float64), six cases.

The files lie beside the repository, in ../shared/oracles/tvb; its README states the conventions.
Each case is declared here in this package's words: the right-hand sides of The Virtual Brain, its
rule for delays (rounding half to even) and its couplings.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy import exp

from hpcvbi import (
    DIFFERENCE,
    MODELS,
    Brain,
    Connectome,
    Coupling,
    Model,
    Param,
    Sample,
    State,
    simulate,
)

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "oracles" / "tvb"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason=f"no oracle files in {FOLDER}")

PI = np.pi
CMIN, CMAX, MIDPOINT, STEEPNESS = 0.0, 0.005, 6.0, 0.56


def scaled_sum(total, own, strength, scale, offset):
    """Linear coupling of The Virtual Brain."""
    return scale * total + offset


def potential_to_rate(y1, y2):
    """What SigmoidalJansenRit sends: the rate that belongs to the potential y1 − y2."""
    return (CMIN + (CMAX - CMIN) / (1.0 + exp(STEEPNESS * (MIDPOINT - (y1 - y2)))),)


SCALE, OFFSET = Param("scale", 1.0), Param("offset", 0.0)
SUM = Coupling("scaled sum", scaled_sum, (SCALE, OFFSET))
RATES = Coupling("rates", scaled_sum, (SCALE, OFFSET), pre=potential_to_rate, channels=1)


def linear_dfun(x, c, gamma):
    """Linear decay."""
    return (gamma * x + c,)


def mpr_dfun(r, V, c_r, c_V, tau, current, Delta, J, eta, cr, cv):
    """Montbrió, Pazó & Roxin (2015) with couplings through r and V."""
    dr = (Delta / (PI * tau) + 2.0 * V * r) / tau
    field = V * V - PI * PI * tau * tau * r * r + eta + J * tau * r + current
    return dr, (field + cr * c_r + cv * c_V) / tau


def jansen_rit_dfun(
    y0, y1, y2, y3, y4, y5, c, A, B, a, b, v0, nu_max, r, J, a_1, a_2, a_3, a_4, mu
):
    """Jansen & Rit (1995) in the order of The Virtual Brain."""
    s = 2.0 * nu_max / (1.0 + exp(r * (v0 - (y1 - y2))))
    s_1 = 2.0 * nu_max / (1.0 + exp(r * (v0 - a_1 * J * y0)))
    s_3 = 2.0 * nu_max / (1.0 + exp(r * (v0 - a_3 * J * y0)))
    return (
        y3,
        y4,
        y5,
        A * a * s - 2.0 * a * y3 - a * a * y0,
        A * a * (mu + a_2 * J * s_1 + c) - 2.0 * a * y4 - a * a * y1,
        B * b * a_4 * J * s_3 - 2.0 * b * y5 - b * b * y2,
    )


def declare(name, dfun, state, inputs, params, sends) -> Model:
    return Model(
        name, dfun, state, inputs, tuple(Param(p, 0.0) for p in params.split()), tuple(sends)
    )


JANSEN_RIT = "A B a b v0 nu_max r J a_1 a_2 a_3 a_4 mu"
POTENTIALS = tuple(State(f"y{k}") for k in range(6))
LINEAR_MODEL = declare("linear", linear_dfun, (State("x"),), ("c",), "gamma", "x")
MPR = declare(
    "montbrio_pazo_roxin",
    mpr_dfun,
    (State("r", low=0.0), State("V")),
    ("c_r", "c_V"),
    "tau current Delta J eta cr cv",
    "rV",
)
JR_RATES = declare("jr", jansen_rit_dfun, POTENTIALS, ("c",), JANSEN_RIT, ("y1", "y2"))
JR_POTENTIAL = declare("jr", jansen_rit_dfun, POTENTIALS, ("c",), JANSEN_RIT, ("y1",))

DECLARED = {
    # model, coupling, our names of The Virtual Brain's parameters (None: not in the equations)
    "ReducedWongWang": (
        MODELS["reduced_wong_wang"],
        SUM,
        {"tau_s": "tau", "J_N": "J", "I_o": "I0", "sigma_noise": None},
    ),
    "SupHopf": (MODELS["stuart_landau"], DIFFERENCE, {}),
    "Linear": (LINEAR_MODEL, SUM, {}),
    "MontbrioPazoRoxin": (MPR, SUM, {"I": "current", "Gamma": None}),
    "JansenRit_sigmoidal": (JR_RATES, RATES, {"p_min": None, "p_max": None}),
    "JansenRit_linear": (JR_POTENTIAL, SUM, {"p_min": None, "p_max": None}),
}


@dataclass(frozen=True)
class Case:
    """A stored trajectory and the brain that should reproduce it."""

    brain: Brain
    initial: np.ndarray
    stored: dict[str, np.ndarray]


def connectome() -> Connectome:
    with np.load(FOLDER / "connectome76.npz", allow_pickle=False) as file:
        return Connectome(file["weights"], file["tract_lengths"], tuple(map(str, file["labels"])))


def case_of(name: str, delay: str) -> Case:
    settings = json.loads((FOLDER / "cases.json").read_text())[name]
    model, coupling, renamed = DECLARED[name]
    values = {}
    for key, value in settings["params"].items():
        if (own := renamed.get(key, key)) is not None:
            values[own] = np.array(value) if np.ndim(value) else float(np.squeeze(value))
    strength = settings["coupling_params"]
    values["G" if coupling is DIFFERENCE else "scale"] = strength["a"]
    if "b" in strength:
        values["offset"] = strength["b"]
    brain = Brain(
        connectome(),
        model,
        coupling,
        None,
        dt=settings["dt"],
        duration=settings["n_steps"] * settings["dt"],
        monitors=tuple(Sample(s.name, settings["dt"], name=s.name) for s in model.state),
        values=values,
        speed=settings["speed"][delay],
        rounding="round",
    )
    with np.load(FOLDER / f"traj_{name}.npz", allow_pickle=False) as file:
        stored = {kind: file[f"{delay}_euler_{kind}"] for kind in ("sub", "mean", "snap")}
        stored |= {"nodes": file["sub"], "snap_steps": file["snap_steps"]}
    return Case(brain, past(settings, model, delay), stored)


def past(settings, model: Model, delay: str) -> np.ndarray:
    """The jagged history (state, history, region) that the README of the files defines."""
    d = np.arange(settings["horizon"][delay])[::-1, None]
    node = np.arange(76)
    rows = []
    for k, state in enumerate(model.state):
        wave = (37 * node + 17 * k + 5 * d) % 101 / 50 - 1
        row = settings["hist_centre"][k] + settings["hist_half"][k] * wave
        rows.append(np.clip(row, state.low, state.high))
    return np.stack(rows)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("delay", ["delay4", "nodelay"])
@pytest.mark.parametrize("name", DECLARED)
def test_trajectories_agree_to_rounding(name, delay, backend):
    case = case_of(name, delay)
    seen = simulate(
        case.brain,
        np.zeros((1, 0)),
        seed=0,
        backend=backend,
        dtype="float64",
        initial=case.initial,
        **({"width": 2} if backend == "cpu" else {}),
    )
    x = np.stack([seen.signals[s.name][0] for s in case.brain.model.state], axis=1)
    snaps = x[case.stored["snap_steps"] - 1]
    largest = np.abs(case.stored["sub"]).max(axis=(0, 2))
    for got, expected in (
        (x[:, :, case.stored["nodes"]], case.stored["sub"]),
        (x.mean(axis=2), case.stored["mean"]),
        (snaps, case.stored["snap"]),
    ):
        error = np.abs(got - expected)
        error = error.reshape(*error.shape[:2], -1).max(axis=(0, 2)) / largest
        assert error.max() <= 1e-11
    first = np.abs(snaps[0] - case.stored["snap"][0]).max(axis=1) / largest
    assert first.max() <= 1e-13
