"""Small brains that the engine's tests share, so that few kernels are compiled.

Every brain has the same directed network of ten regions, a parameter that differs between regions,
noise, and one monitor of each kind. The layouts are those that `sim.network` chooses between:
"dense" without delays, "long" delays of 8 to 24 steps (four steps per visit of a node) and "short"
ones of 2 to 6 steps (one step per visit).
"""

from dataclasses import replace

import numpy as np
from numpy import tanh

from hpcvbi import (
    DIFFERENCE,
    LINEAR,
    MODELS,
    STEPHAN_2007,
    Average,
    Bold,
    Brain,
    Connectome,
    Fc,
    FrozenNoise,
    Model,
    Moments,
    Output,
    Param,
    Pulse,
    Sample,
    Sine,
    Space,
    Spectrum,
    State,
    Stimulus,
    Uniform,
    WhiteNoise,
)
from hpcvbi.brain.brain import SPEED

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


def rich_dfun(x, y, c_x, c_level, a, tau, k):
    """FitzHugh-Nagumo with inputs on both variables."""
    return x - x * x * x * (1.0 / 3.0) - y + a + c_x, (k * x - y + c_level) * (1.0 / tau)


def rich_level(x, y, k):
    """What is watched and sent besides x."""
    return tanh(x - k * y)


RICH = Model(
    name="rich",
    dfun=rich_dfun,
    state=(
        State("x", "mV", init=0.3, low=-3.0, high=3.0, outside="soft", margin=2.5, start=(-1, 1)),
        State("y", "mV", init=0.1, low=-2.0, high=2.0, start=(-0.5, 1.5)),
    ),
    inputs=("c_x", "c_level"),
    sends=("x", "level"),
    params=(
        Param("a", 0.3, "mV/ms", -2.0, 2.0, Uniform(0.0, 0.5)),
        Param("tau", 8.0, "ms", 1.0, 100.0, Uniform(5.0, 10.0)),
        Param("k", 1.2, "1", 0.0, 5.0, Uniform(1.0, 1.5)),
    ),
    outputs=(Output("level", "1", rich_level),),
    time_constant=8.0,
)
SPAN_OF_SPEEDS = {"long": (2.0, 5.0), "short": (6.0, 40.0)}
WATCHERS = (
    Sample("level", 0.5),
    Average("x", 1.5, keep=False),
    Bold("level", 24.0, step=4.0, constants=STEPHAN_2007),
    Fc("average"),
    Moments("average"),
    Spectrum("average", 24.0, (40.0, 210.0)),
    Moments("bold", name="bold_moments"),
)


def rich_brain(layout: str, noise=None, **changes) -> Brain:
    """FitzHugh-Nagumo nodes with stimuli, a parameter that differs between regions, and monitors of
    every kind; draws set a stimulus, a parameter and, with delays, the speed.
    """
    speed = SPAN_OF_SPEEDS.get(layout)
    drawn = [Param("push", 1.0, prior=Uniform(0.0, 0.5)), Param("k", 1.0, prior=Uniform(1.0, 1.5))]
    if speed:
        drawn.insert(1, SPEED.with_prior(Uniform(*speed)))
    given = {
        "dt": 0.5,
        "duration": 120.0,
        "burn_in": 13.5,
        "monitors": WATCHERS,
        "space": Space(tuple(drawn)),
        "values": {"tau": np.linspace(6.0, 9.0, N), "G": 0.1, "rough": 0.05, "wave": 0.2},
        "speed": 5.0 if speed else None,
        "stimuli": (
            Stimulus("push", "a", np.linspace(0.0, 1.0, N), Pulse(-3.0, 30.0)),
            Stimulus("rough", "a", np.ones(N), FrozenNoise(3, 2.5)),
            Stimulus("wave", "y", np.arange(N) % 3, Sine(20.0, phase=0.4, start=-10.0)),
        ),
    }
    return Brain(connectome(), RICH, LINEAR, noise, **{**given, **changes})


def spread_theta(brain: Brain, draws: int) -> np.ndarray:
    """Draws spread over the prior."""
    return brain.space.sample(np.random.default_rng(3), draws)
