"""Small brains for the CUDA backend: between them every shape of the kernel, scheme, kind of noise,
coupling and monitor.

A simulated device needs about a millisecond for each step of a region, so they have four regions
and few steps.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy import tanh

from hpcvbi import (
    DIFFERENCE,
    KURAMOTO,
    LINEAR,
    MODELS,
    SIGMOIDAL,
    Average,
    Bold,
    Brain,
    Connectome,
    Fc,
    Model,
    Moments,
    OrnsteinUhlenbeck,
    Param,
    Pulse,
    Ramp,
    Sample,
    Space,
    Spectrum,
    State,
    Stimulus,
    Uniform,
    WhiteNoise,
)

N = 4


def connectome() -> Connectome:
    """A directed network with unequal lengths [mm], one absent connection and self-connections."""
    rng = np.random.default_rng(7)
    weights = rng.lognormal(0.0, 1.0, (N, N))
    weights[1, 2] = 0.0
    lengths = rng.uniform(10.0, 20.0, (N, N))
    return Connectome(weights, lengths, tuple("abcd")).normalised("spectral_radius")


def _brain(model: str, coupling, noise, monitors, dt: float, steps: int, **rest) -> Brain:
    return Brain(
        connectome(),
        MODELS[model],
        coupling,
        noise,
        dt=dt,
        duration=steps * dt,
        monitors=monitors,
        **rest,
    )


def _drawn(brain: Brain, **ranges: tuple[float, float]) -> Brain:
    known = {p.name: p for p in brain.params}
    params = (known[name].with_prior(Uniform(*ends)) for name, ends in ranges.items())
    return replace(brain, space=Space(tuple(params)))


def dense() -> Brain:
    """No delays; every direct monitor, one of which is only seen through correlations."""
    monitors = (
        Sample("S_E", 0.5),
        Average("S_E", 2.0, keep=False),
        Bold("S_E", 2.0, step=1.0),
        Fc("average"),
    )
    noise = WhiteNoise(("S_E", "S_I"))
    brain = _brain("wong_wang_ei", LINEAR, noise, monitors, 0.5, 24, burn_in=2.0)
    return _drawn(brain, G=(0.0, 1.0), sigma=(0.001, 0.01))


def blocked() -> Brain:
    """Delays of 4 to 8 steps, Heun, a parameter that differs between regions."""
    values = {"omega": np.linspace(0.05, 0.3, N)}
    monitors = (Average("x", 2.0), Moments("average"))
    noise = WhiteNoise(("x", "y"))
    brain = _brain(
        "stuart_landau",
        DIFFERENCE,
        noise,
        monitors,
        0.5,
        16,
        scheme="heun",
        speed=5.0,
        values=values,
    )
    return _drawn(brain, G=(0.0, 0.05), a=(-0.1, 0.1))


def stepwise() -> Brain:
    """Delays of 1 and 2 steps, strong order 1.5."""
    noise = WhiteNoise(MODELS["montbrio_pazo_roxin"].state_names)
    monitors = (Sample("r", 0.1), Sample("V", 0.1, name="potential"))
    brain = _brain(
        "montbrio_pazo_roxin",
        LINEAR,
        noise,
        monitors,
        dt=0.05,
        steps=12,
        scheme="sra1",
        speed=140.0,
    )
    return _drawn(brain, G=(0.0, 0.5), sigma=(0.0, 0.1))


def held() -> Brain:
    """The coupling evaluated every 1 ms, coloured noise, a spectrum."""
    monitors = (Sample("psp", 0.5), Spectrum("sample", 4.0, (250.0, 500.0)))
    noise = OrnsteinUhlenbeck(("y4",))
    brain = _brain("jansen_rit", SIGMOIDAL, noise, monitors, 0.25, 32, speed=5.0, coupling_step=1.0)
    return _drawn(brain, sigma=(0.0, 0.1))


def own_delays() -> Brain:
    """Conduction speeds that differ between draws."""
    noise = WhiteNoise(("theta",))
    brain = _brain("kuramoto", KURAMOTO, noise, (Sample("theta", 0.5),), 0.5, 12, speed=5.0)
    return _drawn(brain, speed=(3.0, 12.0), G=(0.0, 0.1))


def stimulated() -> Brain:
    """Fourth-order Runge-Kutta, stimuli on a variable and on a parameter."""
    model = MODELS["generic_2d_oscillator"]
    state, param = model.state_names[0], model.params[0].name
    stimuli = (
        Stimulus("kick", state, np.linspace(0.0, 1.0, N), Pulse(1.0, 2.0)),
        Stimulus("drift", param, np.ones(N), Ramp(0.0, 5.0)),
    )
    brain = _brain(
        model.name,
        LINEAR,
        None,
        (Sample(state, 0.5),),
        0.5,
        12,
        scheme="rk4",
        stimuli=stimuli,
        burn_in=1.0,
    )
    return _drawn(brain, kick=(0.0, 0.1), drift=(0.0, 0.1))


def stiff_dfun(x, y, c, rate):
    """Decay towards the input, which x leaves at once where rate times dt exceeds 2."""
    return c - rate * x, tanh(x) - y


STIFF = Model(
    name="stiff",
    dfun=stiff_dfun,
    state=(
        State("x", init=1.0, low=-30.0, high=30.0, outside="diverge"),
        State("y", init=0.5, low=0.0, high=1.0, outside="soft", margin=0.25),
    ),
    inputs=("c",),
    sends=("x",),
    params=(Param("rate", 1.0, "1/ms", 0.0, 10.0),),
)


def refined() -> Brain:
    """Draws that diverge unless the step is halved once or twice, a soft bound."""
    brain = Brain(
        connectome(),
        STIFF,
        LINEAR,
        WhiteNoise(("x", "y")),
        dt=1.0,
        duration=12.0,
        monitors=(Sample("x", 1.0), Sample("y", 1.0, name="bounded")),
        values={"G": 0.1, "sigma": 0.3},
        scheme="sra1",
        refine=2,
    )
    return _drawn(brain, rate=(0.1, 6.5))


def many_parameters() -> Brain:
    """More parameters than registers should hold."""
    noise = WhiteNoise(("V",))
    brain = _brain("larter_breakspear", LINEAR, noise, (Sample("V", 0.5),), 0.5, 8)
    return _drawn(brain, C=(0.0, 0.3), sigma=(0.0, 0.01))


BRAINS: dict[str, tuple[Callable[[], Brain], str]] = {
    "dense": (dense, "float64"),
    "blocked": (blocked, "float32"),
    "stepwise": (stepwise, "float32"),
    "held": (held, "float64"),
    "own delays": (own_delays, "float32"),
    "stimulated": (stimulated, "float64"),
    "refined": (refined, "float32"),
    "many parameters": (many_parameters, "float32"),
}


def theta_of(brain: Brain, draws: int) -> np.ndarray:
    """Draws (draw, param) spread over the prior."""
    unit = np.random.default_rng(3).random((draws, len(brain.space.params)))
    return brain.space.from_unit(unit)
