"""Brains of ours that should do what networks of The Virtual Brain do."""

import inspect
from collections.abc import Mapping

import numpy as np
from twins import CouplingTwin, Formulas, ModelTwin, Value

from hpcvbi import COUPLINGS, MODELS, Brain, Connectome, Model, Sample, WhiteNoise, simulate


def ours_from(formulas: Formulas, theirs: Mapping[str, Value]) -> dict[str, Value]:
    """Our parameters from those of TVB."""
    found = {}
    for name, formula in formulas.items():
        if isinstance(formula, str):
            value = theirs[formula]
        else:
            value = formula(*(theirs[key] for key in inspect.signature(formula).parameters))
        found[name] = value if np.size(value) > 1 else float(np.squeeze(value))
    return found


def values_of(
    pair: ModelTwin,
    coupled: CouplingTwin,
    params: Mapping[str, Value],
    coupling_params: Mapping[str, Value],
) -> dict[str, Value]:
    """All our parameters from those of TVB's model and coupling."""
    coupling = ours_from(coupled.to_ours, coupling_params)
    if pair.gain:
        gain = float(np.squeeze(params[pair.gain]))
        coupling |= {name: gain * coupling[name] for name in ("G", "offset")}
    return ours_from(pair.to_ours, params) | coupling


def brain_of(
    pair: ModelTwin,
    coupled: CouplingTwin,
    person: Connectome,
    values: Mapping[str, Value],
    noise: WhiteNoise | None = None,
    **settings,
) -> Brain:
    """Our brain, every state variable sampled at every step."""
    model = MODELS[pair.ours]
    return Brain(
        person,
        model,
        COUPLINGS[coupled.ours],
        noise,
        monitors=sampled(model, settings["dt"]),
        values=values,
        rounding="round",
        sends=coupled.sends or pair.sends,
        **settings,
    )


def sampled(model: Model, dt: float) -> tuple[Sample, ...]:
    """Monitors that show every step of every state variable."""
    return tuple(Sample(name, dt, name=name) for name in model.state_names)


def jagged_past(model: Model, centre, half, rows: int, n: int) -> np.ndarray:
    """A past (state, history, region) that is jagged in time and space, so that an error in a delay
    shows at once.
    """
    d, node = np.arange(rows)[::-1, None], np.arange(n)
    found = []
    for k, state in enumerate(model.state):
        wave = (37 * node + 17 * k + 5 * d) % 101 / 50 - 1
        found.append(np.clip(centre[k] + half[k] * wave, state.low, state.high))
    return np.stack(found)


def trajectory(brain: Brain, past: np.ndarray, backend: str, seed: int = 0) -> np.ndarray:
    """Our states after every step, (step, state, region), in float64."""
    seen = simulate(
        brain,
        np.zeros((1, 0)),
        seed=seed,
        backend=backend,
        dtype="float64",
        initial=past,
        **({"width": 2} if backend == "cpu" else {}),
    )
    return np.stack([seen.signals[name][0] for name in brain.model.state_names], axis=1)


def deviation(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Largest error of each step, relative to the largest value of the state variable."""
    size = np.abs(expected).max(axis=(0, 2), keepdims=True)
    return (np.abs(got - expected) / size).max(axis=(1, 2))
