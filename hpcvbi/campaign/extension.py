"""A study that grows on purpose: what may be added, what stays, and what is superseded by it.

Draws are numbered and seeds are derived from (study seed, person, round), so that further people,
rounds and draws leave what is there as it is, bit for bit. Superseded is what was learned or judged
without them: a later round replaces the posterior, further people the comparison with the others.
Everything superseded is computed again, and the store ends like that of a fresh run of the larger
study.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.campaign.identity import manifest_of
from hpcvbi.campaign.method import algorithm_of
from hpcvbi.campaign.subjects import subjects_of
from hpcvbi.campaign.together import NETWORK, ROUND, learners
from hpcvbi.campaign.whole import JUDGEMENT, data_sets_of, learned_rounds, rounds_of
from hpcvbi.cohort import Person
from hpcvbi.config import Study, check, is_choice
from hpcvbi.core.errors import ConfigError, StoreMismatch
from hpcvbi.store import ABSENT, Driver, Store, changes

GROWS = {
    "inference.rounds": "a further round learns from all draws before it",
    "inference.draws": "more draws of the prior; what was learned from fewer is superseded",
    "yardsticks.predictive": "more draws of the posterior are simulated again",
    "yardsticks.calibration": "more cases with known truth, all of them simulated again",
    "yardsticks.grid.points": "another grid",
    "yardsticks.grid.draws": "another grid",
    "yardsticks.grid.fresh": "more simulations of the best point",
}
"""Numbers in a study file that may become larger."""
MOVES = ("cohort.folder", "cohort.pseudonyms")
"""Keys that may change freely as long as everybody's data are the same."""


@dataclass(frozen=True)
class Extension:
    """What a larger study adds to a store.

    `changes` are lines for people; `people` come in. Everybody who is there loses the `superseded`
    groups, keeps the `kept` rounds, and gets more draws of the `grown` ones, as many as named.
    `stay` counts the draws of these, over all people, whose blocks are full and stay; `draws` what
    has to be simulated at most, per round, once all that the smaller study wants is there.
    """

    changes: tuple[str, ...]
    people: tuple[str, ...]
    superseded: tuple[str, ...]
    kept: tuple[str, ...]
    grown: Mapping[str, int]
    stay: Mapping[str, int]
    draws: Mapping[str, int]


def plan_extension(study: Study, people: tuple[Person, ...]) -> Extension:
    """Say what extending the store of a study to `study` would do; nothing is written.

    Raises
    ------
    ConfigError, DataError : what cannot run.
    StoreMismatch : it is no pure addition.
    """
    check(study, people)
    subjects_of(study, people)
    store = Store.open(study.output)
    manifest, sha256 = manifest_of(study, people)
    if store.sha256 == sha256:
        raise ConfigError(f"{study.output} holds exactly this study: there is nothing to extend")
    return extension_of(store, manifest)


def extend(study: Study, people: tuple[Person, ...]) -> Extension:
    """Let the larger study take over the store, durably; a run then computes what is missing."""
    check(study, people)
    manifest, sha256 = manifest_of(study, people)
    with Driver.open(Path(study.output).resolve()) as store:
        extension = extension_of(store, manifest)
        store.extend(manifest, sha256, extension.superseded)
    return extension


def extension_of(store: Store, given: Mapping[str, Any]) -> Extension:
    """Compare a store with the manifest of a larger study; StoreMismatch, with what is no addition,
    unless this one extends it.
    """
    stored = store.study
    if is_choice(stored):
        raise StoreMismatch(f"{store.folder} holds a choice between studies: write another output")
    lines, wrong, keys, newcomers = [], [], set[str](), []
    for key, was, now in changes(stored, given):
        line = f"{key}: {_shown(was)} in the store, {_shown(now)} in your study"
        kind, _, person = key.partition(".")
        if key == "people" and was == {}:
            continue  # all have withdrawn; whoever comes in has a line
        if kind == "people" and was is ABSENT:
            newcomers.append(person)
            lines.append(f"person {person} comes in")
        elif key in MOVES or (key in GROWS and now > was):
            keys.add(key)
            lines.append(line)
        else:
            wrong.append(_why(key, now, line))
    if wrong:
        raise StoreMismatch(
            "this is no pure addition, so the store cannot be extended to it:\n  "
            + "\n  ".join(wrong)
            + "\nNothing was touched. Larger may become: people, "
            + ", ".join(GROWS)
            + ". For anything else choose another `output:`."
        )
    old, new = (Study.from_dict(dict(side["study"])) for side in (stored, given))
    superseded = _superseded(old, keys, bool(newcomers))
    if "inference.draws" in keys and not _first_draws_stay(old, new):
        superseded.add(ROUND)
    before, after = rounds_of(old), rounds_of(new)
    people = list(stored["people"])
    took = [learned_rounds(old, store, person) for person in people]
    there = rounds_of(old, max(took, default=None))
    grown = {
        name: draws
        for name, (draws, _) in after.items()
        if name in before and name not in superseded and draws > before[name][0]
    }
    stay = {name: sum(_full(store, person, name) for person in people) for name in grown}
    again = {name for name in after if name in superseded or name not in before}

    def simulating(name: str) -> int:
        """How many people have to simulate draws of a round."""
        of = {*newcomers, *(people if name in again or name in grown else ())}
        if new.inference.cohort and name == ROUND:
            of &= learners(store, [*people, *newcomers])
        return len(of)

    return Extension(
        changes=tuple(lines),
        people=tuple(newcomers),
        superseded=tuple(sorted(superseded)),
        kept=tuple(name for name in there if name not in superseded and name not in grown),
        grown=grown,
        stay=stay,
        draws={
            name: draws * simulating(name) - stay.get(name, 0) for name, (draws, _) in after.items()
        },
    )


def _full(store: Store, person: str, round: str) -> int:
    draws, block = store.draws(person, round)
    return draws // block * block if block else 0


def _superseded(old: Study, keys: set[str], newcomers: bool) -> set[str]:
    if not newcomers and keys <= set(MOVES):
        return set()
    found = {JUDGEMENT}
    if keys & {"inference.rounds", "inference.draws"}:
        found |= {"posterior", "predictive", "posterior_predictive"}
        found |= {"calibration"} & rounds_of(old).keys()
    if "inference.draws" in keys:
        found |= {name for name in data_sets_of(old) if name.startswith("inference_")}
        found |= {NETWORK} if old.inference.cohort else set()
        found |= {name for name in rounds_of(old) if name.startswith("round_")} - {"round_000"}
    if "yardsticks.calibration" in keys:
        found |= {"calibration"} & rounds_of(old).keys()
    if "yardsticks.predictive" in keys:
        found.add("posterior_predictive")
    if keys & {"yardsticks.grid.points", "yardsticks.grid.draws"}:
        found |= {"grid", "grid_fresh"}
    return found


def _first_draws_stay(old: Study, new: Study) -> bool:
    """Whether the first round of the larger study begins with that of the smaller one: a factorial
    design does not.
    """

    def first(study: Study) -> np.ndarray:
        algorithm = algorithm_of(study)
        state = algorithm.init(len(study.parameters), np.zeros(len(study.features.names)))
        return algorithm.propose(state, study.inference.draws, 0)

    few = first(old)
    return np.array_equal(few, first(new)[: len(few)])


def _why(key: str, now: Any, line: str) -> str:
    kind, _, person = key.partition(".")
    if kind == "people" and now is ABSENT:
        return f"person {person} is missing in your study"
    if kind == "people":
        return f"the data of person {person} have changed"
    return f"{line} (it may only become larger)" if key in GROWS else line


def _shown(value: Any) -> str:
    return "absent" if value is ABSENT else str(value)
