"""Small brains that the engine's tests share, so that few kernels are compiled.

Every brain has the same directed network of ten regions, a parameter that differs between regions,
noise, and one monitor of each kind. The layouts are those that `sim.network` chooses between:
"dense" without delays, "long" delays of 8 to 24 steps (four steps per visit of a node) and "short"
ones of 2 to 6 steps (one step per visit).
"""

from dataclasses import replace

import numpy as np

from hpcvbi import (
    DIFFERENCE,
    LINEAR,
    MODELS,
    Average,
    Bold,
    Brain,
    Connectome,
    Fc,
    Sample,
    Space,
    Uniform,
    WhiteNoise,
)

N = 10
SPEEDS = {"dense": None, "long": 5.0, "short": 20.0}
CASES = [
    # Each model in each layout; each pair of model, layout, scheme and dtype occurs.
    ("wong_wang_ei", "dense", "euler", "float32"),
    ("wong_wang_ei", "long", "heun", "float64"),
    ("wong_wang_ei", "short", "euler", "float32"),
    ("reduced_wong_wang", "dense", "heun", "float64"),
    ("reduced_wong_wang", "long", "euler", "float32"),
    ("reduced_wong_wang", "short", "heun", "float32"),
    ("stuart_landau", "dense", "euler", "float64"),
    ("stuart_landau", "long", "heun", "float32"),
    ("stuart_landau", "short", "euler", "float64"),
]
WIDTHS = {"float32": 16, "float64": 8}


def connectome() -> Connectome:
    """A directed network with unequal lengths and a third of the connections absent."""
    rng = np.random.default_rng(7)
    weights = rng.lognormal(0.0, 1.0, (N, N)) * (rng.random((N, N)) < 0.67)
    lengths = rng.uniform(20.0, 60.0, (N, N))
    labels = tuple(f"region {i}" for i in range(N))
    return Connectome(weights, lengths, labels).normalised("spectral_radius")


def brain_of(model: str, layout: str, scheme: str, duration: float = 200.0) -> Brain:
    """One of the brains; its draws set G and one parameter of the model or the noise."""
    declared = MODELS[model]
    sends = declared.sends
    known = {p.name: p for p in (*declared.params, *LINEAR.params, WhiteNoise.sigma)}
    drawn = {
        "wong_wang_ei": {"G": Uniform(0.0, 1.0), "sigma": Uniform(0.001, 0.01)},
        "reduced_wong_wang": {"G": Uniform(0.0, 0.3), "sigma": Uniform(0.001, 0.01)},
        "stuart_landau": {"G": Uniform(0.0, 0.05), "a": Uniform(-0.1, 10.0)},
    }[model]
    values = {
        "wong_wang_ei": {},  # its derived J_i differs between regions
        "reduced_wong_wang": {"w": np.linspace(0.5, 0.9, N)},
        "stuart_landau": {"omega": np.linspace(0.05, 0.3, N), "sigma": 0.01},
    }[model]
    return Brain(
        connectome(),
        declared,
        DIFFERENCE if model == "stuart_landau" else LINEAR,
        WhiteNoise(sends),
        dt=0.5,
        duration=duration,
        burn_in=12.0,
        monitors=(
            Sample(sends[0], 0.5),
            Average(sends[0], 5.0),
            Bold(sends[0], 50.0),
            Fc("average"),
        ),
        space=Space(tuple(known[name].with_prior(prior) for name, prior in drawn.items())),
        values=values,
        speed=SPEEDS[layout],
        scheme=scheme,  # type: ignore[arg-type]
    )


def theta_of(brain: Brain, draws: int) -> np.ndarray:
    """Draws (draw, 2) spread over the prior, away from where Stuart-Landau explodes."""
    top = 0.02 if brain.model.name == "stuart_landau" else 1.0
    unit = np.random.default_rng(3).random((draws, 2)) * [1.0, top]
    return brain.space.from_unit(unit)


def with_recording(brain: Brain, monitor) -> Brain:
    """Return the brain with one more monitor."""
    return replace(brain, monitors=(*brain.monitors, monitor))
