"""The brains that hpcvbi simulates in the benchmark, with the parameters of `workloads`."""

from dataclasses import replace

import numpy as np
from synthetic import SPEED, connectome
from workloads import Workload

from hpcvbi import (
    DIFFERENCE,
    LINEAR,
    MODELS,
    SIGMOIDAL,
    Bold,
    Brain,
    Connectome,
    Sample,
    Space,
    Uniform,
    WhiteNoise,
)


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
            MODELS["jansen_rit"],
            SIGMOIDAL,
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
    values = {"G": 0.1, "eta": -4.6, "J": 14.5, "Delta": 0.7, "tau": 1.0, "sigma": 0.02}
    made["montbrio_pazo_roxin"] = (
        MODELS["montbrio_pazo_roxin"],
        LINEAR,
        ("r", "V"),
        "r",
        values,
    )
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
        coupling_step=workload.held or None,
        scheme=scheme,  # type: ignore[arg-type]
        # The peers couple the mean field through its rate alone.
        sends=("r", None) if workload.model == "montbrio_pazo_roxin" else (),
        **drawn,
    )


def theta_of(workload: Workload, draws: int) -> np.ndarray:
    """Rows of parameters: coupling strengths in a sweep, otherwise nothing."""
    if workload.sweep:
        return np.linspace(0.05, 0.15, draws)[:, None]
    return np.zeros((draws, 0))
