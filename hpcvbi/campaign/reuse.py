"""Draws of the prior that an earlier study simulated for the same person, learned from again.

    inference: {reuse: results/earlier}

They are a person's own copy from then on, the data set `earlier`: the store needs no other, is
withdrawn from as a whole, and resumes to the same bytes wherever the earlier study has gone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.cohort import Person
from hpcvbi.config import Study
from hpcvbi.core.errors import ConfigError, DataError, StoreError
from hpcvbi.infer import Algorithm, Neural
from hpcvbi.store import LARGEST_CHUNK, Store, changes, fingerprint

ROUND = "round_000"
TAKEN = ("theta", "status", "features")
FREE = ("cohort", "inference", "yardsticks", "block", "keep", "bits", "encryption", "seed")
"""Sections that no simulation of a draw depends on, once the person's data are the same; the seed
alters a draw's noise, not what it is a draw of.
"""


def check_reuse(study: Study, algorithm: Algorithm[object]) -> None:
    """Raise ConfigError where the algorithm cannot learn from the draws of another study."""
    if study.inference.reuse is not None and not isinstance(algorithm, Neural):
        with study.at("inference", "reuse"):
            raise ConfigError(
                f"{study.inference.algorithm} learns from its own draws only: leave it out, or "
                "choose a neural algorithm"
            )


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return lines for people on what two studies, as `Study.canonical` gives them, simulate
    differently of the same person.
    """
    sides = [
        {"study": {key: value for key, value in of.items() if key not in FREE}}
        for of in (there, here)
    ]
    return [f"{key}: {was} there, {now} here" for key, was, now in changes(*sides)]


def earlier_of(study: Study, person: Person) -> dict[str, np.ndarray]:
    """Return theta (draw, param), status (draw,) and features (draw, feature) of the person's draws
    of the prior in the study that `inference.reuse` names.

    Raises
    ------
    ConfigError
        That study simulates something else, or with the same seed, hence the same draws.
    DataError
        The person is not in it, or their data were others.
    StoreError
        It cannot be read, or has not finished the person's first round.
    """
    assert study.inference.reuse is not None
    folder = Path(study.inference.reuse)
    with study.at("inference", "reuse"):
        store = Store.open(folder)
        _check_study(store, study)
        check_person(store, person)
        if (person.id, ROUND) not in store.whole_rounds():
            raise StoreError(f"{folder} has not finished {ROUND} of {person.id}: run it first")
        found = store.read(person.id, ROUND, TAKEN)
        if (size := max(array.nbytes for array in found.values())) > LARGEST_CHUNK:
            raise ConfigError(
                f"{folder} has {size / 1e9:.1f} GB of draws of {person.id}, at most "
                f"{LARGEST_CHUNK / 1e9:.1f} GB can be taken over"
            )
    return found


def check_simulations(store: Store, study: Study) -> None:
    """Raise ConfigError where the store has draws of something else than the study simulates."""
    if wrong := differences(store.study["study"], study.canonical()):
        raise ConfigError(
            f"{store.folder} simulates something else, so its draws teach nothing here:\n  "
            + "\n  ".join(wrong)
        )


def _check_study(store: Store, study: Study) -> None:
    check_simulations(store, study)
    if store.study["study"]["seed"] == study.seed:
        raise ConfigError(
            f"{store.folder} has the seed of this study, {study.seed}, and with it the same draws: "
            "write another `seed`"
        )


def check_person(store: Store, person: Person) -> None:
    """Raise DataError where the store was not started with these data of the person."""
    known = store.study["people"]
    if person.id not in known:
        raise DataError(f"{store.folder} has no person {person.id}: leave out `reuse`")
    if known[person.id] != fingerprint(store.folder, person.sha256):
        raise DataError(
            f"the data of {person.id} are not those that {store.folder} was started with, so its "
            "draws are of another brain"
        )
