"""Steps of the judgement that take seconds: functions that a worker's process is told to call."""

from typing import Any

import numpy as np

from hpcvbi.core.seeds import derive_seed
from hpcvbi.core.space import Space
from hpcvbi.evaluate.calibration_check import Cases, calibration_check
from hpcvbi.evaluate.recording_check import MOST, recording_check
from hpcvbi.infer import Algorithm, calibration
from hpcvbi.infer.steps import Arrays, learnable


def check_calibration(
    algorithm: Algorithm[Any], space: Space, seed: int, **arrays: Arrays
) -> dict[str, np.ndarray]:
    """Return the numbers of `CALIBRATION`, from a round of cases and what `infer.calibration.cases`
    needs.
    """
    found = calibration.cases(algorithm, space, seed, **arrays)
    return calibration_check(Cases(**found), derive_seed("checks", seed))


def check_recording(
    names: tuple[str, ...], seed: int, observed: Arrays, prior: Arrays | None = None
) -> tuple[dict[str, np.ndarray], str]:
    """Return the numbers of `RECORDING`, and the warning, from draws of the prior."""
    draws = np.empty((0, len(names))) if prior is None else learnable(prior)[:MOST]
    return recording_check(observed["features"], draws, names, seed)
