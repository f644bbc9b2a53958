"""A part of a study: every N-th of its people, in a store of its own.

What is computed of a person depends on the study and the person alone, but for the judgement, which
compares people. So parts may run anywhere, at any time, each with a scheduler of its own.
"""

import re
from pathlib import Path

from hpcvbi.campaign.subjects import people_of, subjects_of
from hpcvbi.config import Study, check
from hpcvbi.core.errors import ConfigError
from hpcvbi.store import Store, parts_in, tombstones
from hpcvbi.store.parts import PARTS, has_store

_PART = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", re.ASCII)


def part_of(study: Study, which: str) -> Study:
    """Return part `which`, written K/N, as a study of its own: of the sorted people, those whose
    index is K - 1 modulo N, with a store in `parts/K-of-N` of the study's output folder.

    Whoever has withdrawn keeps their place, so that nobody moves to another part.

    Raises
    ------
    ConfigError, DataError : there is no such part, or the whole study cannot run.
    """
    found = _PART.fullmatch(which)
    if found is None or int(found[1]) > int(found[2]):
        raise ConfigError(f"{which!r} is no part of a study: write K/N with K from 1 to N, 1/4")
    check_alone(study)
    part, parts = int(found[1]), int(found[2])
    output = Path(study.output)
    people = people_of(study)
    names = {person.id for person in people}
    for folder in (output, *parts_in(output)):
        names |= tombstones(folder).keys()
    if study.cohort.people != "all":
        names &= set(study.cohort.people)
    if parts > len(names):
        raise ConfigError(
            f"{which} is no part of a study of {len(names)} people: there are at most "
            f"{len(names)} parts"
        )
    check(study, people)
    subjects_of(study, people)
    cohort = study.cohort.model_copy(update={"people": tuple(sorted(names)[part - 1 :: parts])})
    folder = output / PARTS / f"{part}-of-{parts}"
    return study.model_copy(update={"cohort": cohort, "output": str(folder)})


def check_alone(study: Study) -> None:
    """Raise ConfigError where people share a network, for then no part of them goes alone."""
    if study.inference.cohort:
        with study.at("inference", "cohort"):
            raise ConfigError(
                "one network is learned from all people, so the study has no parts: run it as a "
                "whole, or write cohort: false"
            )


def check_merged(folder: Path) -> None:
    """Raise ConfigError where a study's parts were run and its own store has not all of them."""
    # the events of the parts are what a merge copies last
    if parts_in(folder) and not (has_store(folder) and Store.open(folder).events()):
        raise ConfigError(
            f"{folder / PARTS} holds parts of this study: `hpcvbi merge STUDY` first, so that "
            "nothing is computed again; or choose another `output:`"
        )
