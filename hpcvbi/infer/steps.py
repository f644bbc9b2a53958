"""The steps of an inference that are learned away from the driver: module-level functions of
settings and stored arrays, so that both can be named to another process.

`observed` holds the features of the recording, `rounds` the simulated rounds by name, each with its
`theta` (draw, param), `status` (draw,) and `features` (draw, feature), `state` what `to_arrays` of
the algorithm gave.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcvbi.core.block import WHOLE
from hpcvbi.core.space import Space
from hpcvbi.infer.algorithm import Algorithm
from hpcvbi.infer.draws import ELSEWHERE, Draws, Masked, Rows

Arrays = Mapping[str, Any]
EARLIER = "earlier"
"""Name of draws of the prior that another study has simulated."""


def learnable(round: Arrays) -> Rows:
    """Return the features (draw, feature) of a round, NaN where a draw is not whole."""
    hold = np.isin(round["status"], WHOLE)
    masked = Masked(round["features"], hold)
    return masked[:] if isinstance(round["features"], np.ndarray) else masked


def whole(round: Arrays) -> np.ndarray:
    """Return which draws (draw,) of a round are whole and have finite features."""
    return Draws.of(np.zeros((len(round["status"]), 1)), learnable(round)).whole


def draws_of(space: Space, rounds: Mapping[str, Arrays]) -> Draws:
    """Return the draws of rounds that are named earlier, round_000, round_001, ..."""
    return Draws.join(
        [
            Draws.of(space.to_unit(found["theta"]), learnable(found), _number(name))
            for name, found in sorted(rounds.items())
        ]
    )


def update(
    algorithm: Algorithm[Any],
    space: Space,
    seed: int,
    observed: Arrays,
    state: Arrays | None = None,
    **rounds: Arrays,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Learn from all rounds so far: the next state as arrays, and its info."""
    if state is None:
        before = algorithm.init(len(space), observed["features"])
    else:
        before = algorithm.from_arrays(dict(state))
    after, info = algorithm.update(before, draws_of(space, rounds), seed)
    return algorithm.to_arrays(after), info.as_dict()


def propose(algorithm: Algorithm[Any], seed: int, state: Arrays) -> np.ndarray:
    """Draw the next round, shape (draw, param) in the unit cube."""
    return algorithm.propose(algorithm.from_arrays(dict(state)), algorithm.draws, seed)


def posterior(
    algorithm: Algorithm[Any],
    space: Space,
    n: int,
    seed: int,
    state: Arrays,
    observed: Arrays,
    **rounds: Arrays,
) -> np.ndarray:
    """Draw `n` samples (draw, param) given the recording."""
    learned = algorithm.from_arrays(dict(state))
    draws = draws_of(space, rounds) if rounds else None
    return algorithm.posterior(learned, observed["features"], n, seed, draws)


def twins(
    algorithm: Algorithm[Any],
    space: Space,
    n: int,
    seed: int,
    state: Arrays,
    predicted: Arrays,
    **rounds: Arrays,
) -> np.ndarray:
    """Draw `n` samples (case, draw, param) given each of the round's whole draws."""
    learned = algorithm.from_arrays(dict(state))
    draws = draws_of(space, rounds) if rounds else None
    return algorithm.posterior(learned, predicted["features"][whole(predicted)], n, seed, draws)


def _number(name: str) -> int:
    if name == EARLIER:
        return ELSEWHERE
    found = re.fullmatch(r"round_(\d+)", name)
    assert found, name
    return int(found[1])
