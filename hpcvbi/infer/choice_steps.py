"""The steps of model selection that are taken away from the driver; see `steps.py`.

`rounds` are named `wave_000_<model>`, `wave_001_<model>`, ...; a wave need not have all models.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcvbi.core.space import Space
from hpcvbi.infer.choice import Choice
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.steps import Arrays, learnable

WAVE = "wave"


def round_of(number: int, model: str) -> str:
    """Return the name of the round of a model's draws in a wave."""
    return f"{WAVE}_{number:03d}_{model}"


def update(
    choice: Choice,
    spaces: Mapping[str, Space],
    prior: Mapping[str, float],
    seed: int,
    observed: Arrays,
    state: Arrays | None = None,
    **rounds: Arrays,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Learn from the rounds of a generation so far: the next state as arrays, and its info."""
    x = np.asarray(observed["features"], float)
    if state is None:
        sizes = [len(space) for space in spaces.values()]
        before = choice.init(sizes, x, [prior[model] for model in spaces])
    else:
        before = choice.from_arrays(dict(state))
    draws = [_draws_of(space, model, rounds, len(x)) for model, space in spaces.items()]
    after, info = choice.update(before, draws, seed)
    return choice.to_arrays(after), info.as_dict()


def propose(choice: Choice, seed: int, state: Arrays) -> list[np.ndarray]:
    """Draw the next wave: of each model (draw, param) in its unit cube."""
    return choice.propose(choice.from_arrays(dict(state)), seed)


def _draws_of(space: Space, model: str, rounds: Mapping[str, Arrays], features: int) -> Draws:
    found = [Draws.of(np.empty((0, len(space))), np.empty((0, features)))]
    for name, arrays in sorted(rounds.items()):
        _, number, of = name.split("_", 2)
        if of == model:
            u = space.to_unit(np.asarray(arrays["theta"]))
            found.append(Draws.of(u, learnable(arrays), int(number)))
    return Draws.join(found)
