"""The steps of model selection that are taken away from the driver, see `steps.py`; and what comes
of them.

`rounds` are named as `core.wave` says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpcvbi.core.space import Space
from hpcvbi.core.wave import wave_of
from hpcvbi.infer.choice import Choice
from hpcvbi.infer.choice_state import ChoiceState
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.history import Weighted
from hpcvbi.infer.metric import Measure
from hpcvbi.infer.steps import Arrays, learnable
from hpcvbi.infer.stored import refused
from hpcvbi.infer.table import distance_of


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


def generation(
    measure: Measure, models: Sequence[str], state: ChoiceState, rounds: Mapping[str, Arrays]
) -> Weighted:
    """Return the last generation of a state, of whose draws `rounds` are all: its particles with
    what was simulated there, model by model. StoreMismatch where they are of other draws.
    """
    parts, widest = [], state.particle_u.shape[1]
    for number, name in enumerate(models):
        for round, arrays in sorted(rounds.items()):
            if wave_of(round)[1] == name:
                drawn = np.asarray(arrays["theta"])
                wide = np.zeros((len(drawn), widest))
                wide[:, : drawn.shape[1]] = drawn
                parts.append((np.full(len(drawn), number), wide, learnable(arrays)[:]))
    model, theta, x = (np.concatenate(each) for each in zip(*parts, strict=True))
    metric = measure.plain(state.center, state.scale, state.weights)
    apart = distance_of(x, state.x_observed, metric)
    # the nearest ones, whatever the last bit of a distance on another processor
    rows = np.sort(np.argsort(apart, kind="stable")[: state.accepted[-1]])
    same = np.array_equal(model[rows], state.particle_model)
    if not (same and np.allclose(apart[rows], state.particle_distance, rtol=1e-9)):
        raise refused("its particles are not among the draws of its last generation")
    return Weighted(
        model[rows],
        theta[rows],
        x[rows],
        state.particle_weight,
        state.particle_distance,
        float(state.epsilon[-1]),
        int(state.simulated[-1]),
    )


def _draws_of(space: Space, model: str, rounds: Mapping[str, Arrays], features: int) -> Draws:
    found = [Draws.of(np.empty((0, len(space))), np.empty((0, features)))]
    for name, arrays in sorted(rounds.items()):
        wave, of = wave_of(name)
        if of == model:
            u = space.to_unit(np.asarray(arrays["theta"]))
            found.append(Draws.of(u, learnable(arrays), wave))
    return Draws.join(found)
