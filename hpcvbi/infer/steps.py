"""The steps of an inference that are learned away from the driver: module-level functions of
settings and stored arrays, so that both can be named to another process.

`observed` holds the features of the recording, `draws` and `predicted` those of a simulated round
with its `theta` (draw, param) and `status` (draw,), `state` what `Tsnpe.to_arrays` gave.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcvbi.core.block import WHOLE
from hpcvbi.core.space import Space
from hpcvbi.infer.tsnpe import Tsnpe

Arrays = Mapping[str, np.ndarray]


def learnable(draws: Arrays) -> np.ndarray:
    """Return the features (draw, feature) of a round, NaN where a draw is not whole."""
    return np.where(np.isin(draws["status"], WHOLE)[:, None], draws["features"], np.nan)


def whole(predicted: Arrays) -> np.ndarray:
    """Return which draws (draw,) of a round are whole and have finite features."""
    return np.asarray(np.isfinite(learnable(predicted)).all(axis=1))


def update(
    algorithm: Tsnpe,
    space: Space,
    seed: int,
    observed: Arrays,
    draws: Arrays,
    state: Arrays | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Learn from a round and all before: the next state as arrays, and its info."""
    if state is None:
        before = algorithm.init(len(space), observed["features"])
    else:
        before = algorithm.from_arrays(dict(state))
    after, info = algorithm.update(before, space.to_unit(draws["theta"]), learnable(draws), seed)
    return algorithm.to_arrays(after), info.as_dict()


def propose(algorithm: Tsnpe, seed: int, state: Arrays) -> np.ndarray:
    """Draw the next round, shape (draw, param) in the unit cube."""
    return algorithm.propose(algorithm.from_arrays(dict(state)), algorithm.draws, seed)


def posterior(algorithm: Tsnpe, n: int, seed: int, state: Arrays, observed: Arrays) -> np.ndarray:
    """Draw `n` samples (draw, param) given the recording."""
    return algorithm.posterior(algorithm.from_arrays(dict(state)), observed["features"], n, seed)


def twins(algorithm: Tsnpe, n: int, seed: int, state: Arrays, predicted: Arrays) -> np.ndarray:
    """Draw `n` samples (case, draw, param) given each of the round's whole draws."""
    cases = predicted["features"][whole(predicted)]
    return algorithm.posterior(algorithm.from_arrays(dict(state)), cases, n, seed)
