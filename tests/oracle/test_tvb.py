"""Trajectories of The Virtual Brain 2.10 whose history and weights were lifted to float64.

The files lie beside the repository, in ../shared/oracles/tvb; its README states the conventions:
delays rounded half to even, self-connections kept, a history that is jagged in time. `twins` says
which of our models and couplings is which of TVB's. One model and coupling are declared here, as a
user would.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy import exp
from twin_brains import brain_of, jagged_past, sampled, trajectory, values_of
from twins import COUPLED, MODELLED

from hpcvbi import Brain, Connectome, Coupling, Model, Param, State

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "oracles" / "tvb"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason=f"no oracle files in {FOLDER}")
SETTINGS = json.loads((FOLDER / "cases.json").read_text()) if FOLDER.exists() else {}
BACKENDS = ["reference", "cpu"]
JANSEN_RIT = ["A", "B", "a", "b", "v0", "nu_max", "r", "J", "a_1", "a_2", "a_3", "a_4", "mu"]


def stored(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"traj_{name}.npz", allow_pickle=False) as file:
        return dict(file)


def runs() -> list[tuple[str, str, str]]:
    """Name, delay and scheme of each stored trajectory."""
    names = {name: stored(name) for name in SETTINGS}
    words = [(name, *key.split("_")) for name, arrays in names.items() for key in arrays]
    return [
        (name, *which) for name, *which, kind in (w for w in words if len(w) == 4) if kind == "sub"
    ]


def connectome() -> Connectome:
    with np.load(FOLDER / "connectome76.npz", allow_pickle=False) as file:
        return Connectome(file["weights"], file["tract_lengths"], tuple(map(str, file["labels"])))


def times(name: str, delay: str, scheme: str) -> dict:
    settings = SETTINGS[name]
    dt, speed = settings["dt"], settings["speed"][delay]
    return {"dt": dt, "duration": settings["n_steps"] * dt, "speed": speed, "scheme": scheme}


def past(name: str, delay: str, model: Model) -> np.ndarray:
    settings = SETTINGS[name]
    rows = settings["horizon"][delay]
    return jagged_past(model, settings["hist_centre"], settings["hist_half"], rows, 76)


def check(x: np.ndarray, name: str, delay: str, scheme: str) -> None:
    """Compare our trajectory (step, state, region) with what is stored of theirs."""
    file = stored(name)
    sub, mean, snap = (file[f"{delay}_{scheme}_{kind}"] for kind in ("sub", "mean", "snap"))
    snaps = x[file["snap_steps"] - 1]
    largest = np.abs(sub).max(axis=(0, 2))
    for got, expected in ((x[:, :, file["sub"]], sub), (x.mean(axis=2), mean), (snaps, snap)):
        error = np.abs(got - expected)
        error = error.reshape(*error.shape[:2], -1).max(axis=(0, 2)) / largest
        assert error.max() <= 1e-11
    first = np.abs(snaps[0] - snap[0]).max(axis=1) / largest
    assert first.max() <= 1e-13


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "delay", "scheme"), runs())
def test_trajectories_agree_to_rounding(name, delay, scheme, backend):
    settings = SETTINGS[name]
    pair, coupled = MODELLED[settings["model"]], COUPLED[settings["coupling"]]
    values = values_of(pair, coupled, settings["params"], settings["coupling_params"])
    brain = brain_of(pair, coupled, connectome(), values, **times(name, delay, scheme))
    check(trajectory(brain, past(name, delay, brain.model), backend), name, delay, scheme)


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


def scaled_rates(total, own, strength, scale):
    return scale * total


def rate(y1, y2):
    """The rate that belongs to the potential y1 − y2."""
    return (0.005 / (1.0 + exp(0.56 * (6.0 - (y1 - y2)))),)


OWN_MODEL = Model(
    "own",
    jansen_rit_dfun,
    tuple(State(f"y{k}") for k in range(6)),
    ("c",),
    tuple(Param(name, 0.0) for name in JANSEN_RIT),
    ("y1", "y2"),
)
OWN_COUPLING = Coupling("own", scaled_rates, (Param("scale", 1.0),), pre=rate, channels=1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_user_declares_agrees_to_rounding(backend):
    run = ("JansenRit_sigmoidal", "delay4", "euler")
    settings, when = SETTINGS[run[0]], times(*run)
    values = {name: settings["params"][name] for name in JANSEN_RIT}
    brain = Brain(
        connectome(),
        OWN_MODEL,
        OWN_COUPLING,
        None,
        monitors=sampled(OWN_MODEL, when["dt"]),
        values=values | {"scale": settings["coupling_params"]["a"]},
        rounding="round",
        **when,
    )
    check(trajectory(brain, past(*run[:2], OWN_MODEL), backend), *run)
