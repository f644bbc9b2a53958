"""The brains that hpcvbi simulates in the benchmark, with the parameters of `workloads`."""

from dataclasses import replace

import numpy as np
from numpy import exp
from synthetic import SPEED, connectome
from workloads import Workload

from hpcvbi import (
    DIFFERENCE,
    LINEAR,
    MODELS,
    Bold,
    Brain,
    Connectome,
    Coupling,
    Param,
    Sample,
    Space,
    Uniform,
    WhiteNoise,
)


def _rate(y1, y2):
    return (0.005 / (1.0 + exp(0.56 * (6.0 - (y1 - y2)))),)


def _scaled(total, own, strength, G):
    return G * total


STRENGTH = Param("G", 1.0, "1", low=0.0, high=10.0, prior=Uniform(0.0, 1.0))
OF_RATE = Coupling("of_rate", _scaled, (STRENGTH,), pre=_rate, channels=1)
"""Jansen-Rit's: a region sends the firing rate that belongs to its potential y1 - y2."""

_mean_field = MODELS["montbrio_pazo_roxin"].dfun if "montbrio_pazo_roxin" in MODELS else None


def _of_rate(r, V, c, tau, Delta, J, eta):
    return _mean_field(r, V, c, 0.0, tau, 0.0, Delta, J, eta, 0.0, 1.0, 0.0)  # type: ignore[misc]


def models():
    """Model, coupling, noisy variables, watched variable, values."""
    made = {
        "stuart_landau": (
            MODELS["stuart_landau"],
            DIFFERENCE,
            ("x", "y"),
            "x",
            {"G": 0.02, "sigma": 0.01},
        ),
        "reduced_wong_wang": (
            MODELS["reduced_wong_wang"],
            LINEAR,
            ("S",),
            "S",
            {"G": 0.1, "w": 0.6, "I0": 0.33, "sigma": 0.001},
        ),
        "wong_wang_ei": (
            MODELS["wong_wang_ei"],
            LINEAR,
            ("S_E", "S_I"),
            "S_E",
            {"G": 0.1, "sigma": 0.001},
        ),
        "jansen_rit": (
            replace(MODELS["jansen_rit"], sends=("y1", "y2")),
            OF_RATE,
            ("y4",),
            "y1",
            {"G": 0.1, "sigma": 1e-4},
        ),
        "epileptor_2d": (
            MODELS["epileptor_2d"],
            DIFFERENCE,
            ("x", "z"),
            "x",
            {"G": 0.1, "eta": -2.5, "sigma": 0.01},
        ),
    }
    field = MODELS["montbrio_pazo_roxin"]
    names = ("tau", "Delta", "J", "eta")
    # The peers couple through the rate alone.
    params = tuple(p for p in field.params if p.name in names)
    own = replace(field, dfun=_of_rate, inputs=("c",), sends=("r",), params=params)
    values = {"G": 0.1, "eta": -4.6, "J": 14.5, "Delta": 0.7, "sigma": 0.02}
    made["montbrio_pazo_roxin"] = (own, LINEAR, ("r", "V"), "r", values)
    return made


def network(n: int = 84) -> Connectome:
    """The benchmark's connectome as hpcvbi takes it."""
    weights, lengths = connectome(n)
    return Connectome(weights, lengths, tuple(f"r{i}" for i in range(n)))


def brain_of(
    workload: Workload, scheme: str = "euler", steps: int | None = None, n: int = 84
) -> Brain:
    """The brain of a workload, for another number of steps or regions where asked."""
    model, coupling, noisy, watched, values = models()[workload.model]
    steps = steps or workload.steps
    duration = steps * workload.dt
    if workload.bold:
        count = round(duration / workload.bold)
        # at most a hundred haemodynamic steps a volume, and whole volumes
        per_volume = next(k for k in range(min(100, count), 0, -1) if count % k == 0)
        period = per_volume * workload.bold
        monitors = (Bold(watched, period, step=workload.bold),)
    else:
        monitors = (Sample(watched, duration),)
    drawn = {}
    if workload.sweep:
        values = {name: value for name, value in values.items() if name != "G"}
        strength = next(p for p in coupling.params if p.name == "G")
        drawn = {"space": Space((replace(strength, low=0.0, prior=Uniform(0.0, 0.2)),))}
    return Brain(
        network(n),
        model,
        coupling,
        WhiteNoise(noisy),
        dt=workload.dt,
        duration=duration,
        monitors=monitors,
        values=values,
        speed=SPEED if workload.delays else None,
        scheme=scheme,  # type: ignore[arg-type]
        **drawn,
    )


def theta_of(workload: Workload, draws: int) -> np.ndarray:
    """Rows of parameters: coupling strengths in a sweep, otherwise nothing."""
    if workload.sweep:
        return np.linspace(0.05, 0.15, draws)[:, None]
    return np.zeros((draws, 0))
