"""The algorithm that a study names, and what it can do."""

from dataclasses import fields
from difflib import get_close_matches
from typing import Any

import numpy as np

from hpcvbi.config import Study
from hpcvbi.core.errors import ConfigError
from hpcvbi.features import groups_of
from hpcvbi.infer import ALGORITHMS, Algorithm, Neural, calibration, weights_of
from hpcvbi.infer.amortised import Amortised


def algorithm_of(study: Study) -> Algorithm[Any]:
    """Return the study's algorithm; ConfigError where it or one of its settings is not known."""
    with study.at("inference"):
        name, settings = study.inference.algorithm, dict[str, Any](study.inference.as_settings())
        if name not in ALGORITHMS:
            raise ConfigError(f"there is no algorithm {name!r}. Known: {', '.join(ALGORITHMS)}")
        known = [field.name for field in fields(ALGORITHMS[name])]
        for setting in settings:
            if setting not in known:
                near = get_close_matches(setting, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f". Known: {', '.join(known)}"
                raise ConfigError(f"{name} has no setting {setting!r}{hint}")
            if isinstance(settings[setting], dict) and setting != "weights":
                raise ConfigError(f"{setting} must be one value, got {settings[setting]!r}")
        if "weights" in settings:
            groups = groups_of(study.features.names)
            settings["weights"] = weights_of(settings["weights"], groups)
        algorithm = ALGORITHMS[name](**settings)
        # what does not suit so many parameters and features is refused here
        algorithm.init(len(study.parameters), np.zeros(len(study.features.names)))
        return algorithm


def calibration_draws(study: Study) -> int:
    """Return how many cases with known truth a person's posterior is checked on."""
    return study.yardsticks.calibration if calibration.has_cases(algorithm_of(study)) else 0


def check_cohort(study: Study, algorithm: Algorithm[Any]) -> None:
    """Raise ConfigError where people cannot share a network of this algorithm."""
    if not study.inference.cohort:
        return
    if study.model.maps:
        with study.at("model", "maps"):
            raise ConfigError(
                "people differ by regional maps, which a network for a cohort is not told of: "
                "leave out inference.cohort"
            )
    with study.at("inference", "cohort"):
        if study.inference.reuse is not None:
            raise ConfigError(
                "draws of an earlier study belong to a person each, not to a cohort: leave out "
                "reuse or cohort"
            )
        together = amortised_of(study, algorithm)
        for told in range(1, together.components + 1):
            algorithm.init(len(study.parameters), np.zeros(len(study.features.names) + told))


def amortised_of(study: Study, algorithm: Algorithm[Any]) -> Amortised:
    """Return the algorithm for all people at once; ConfigError where it cannot be."""
    if not isinstance(algorithm, Neural):
        raise ConfigError(
            f"{study.inference.algorithm} infers each person alone: write cohort: false, or choose "
            "npe, nre, fmpe or npse"
        )
    return Amortised(algorithm)
