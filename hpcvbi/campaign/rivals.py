"""Studies between which is chosen: the same people, recordings and features; each its own model.

Whatever differs between them is what the recordings decide on, priors included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.campaign.subjects import Subject, subjects_of
from hpcvbi.cluster import check_offer
from hpcvbi.cohort import Person
from hpcvbi.config import Study, check, identity_of_choice, named, taking_part
from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.core.space import Space
from hpcvbi.infer.choice import Choice
from hpcvbi.store import ABSENT, KeySource, Store, begin, changes, fingerprint, tombstones
from hpcvbi.store.parts import has_store

PRIOR = "prior"
"""Setting that gives rivals' prior probabilities, up to a factor; 1 where none is given."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """What a choice is between: `studies` and `subjects` (by person) of each rival, by its name.

    `lead` is the study whose cluster and limits count: the first that was named.
    """

    lead: Study
    studies: Mapping[str, Study]
    people: tuple[Person, ...]
    subjects: Mapping[str, Mapping[str, Subject]]
    choice: Choice
    prior: Mapping[str, float]
    folder: Path

    @property
    def seed(self) -> int:
        """Seed of the choice: any study's seed alters it."""
        return derive_seed("choice", *(study.seed for study in self.studies.values()))

    def spaces(self, person: str) -> dict[str, Space]:
        """Return the parameters of each rival."""
        return {name: of[person].brain.space for name, of in self.subjects.items()}

    def manifest(self) -> tuple[dict[str, Any], str]:
        """Return the manifest of the choice's store, and its identity.

        How many waves there are at most is no part of it: more of them go on where fewer ended.
        """
        section = self.lead.encryption
        if section is not None:
            with self.lead.at("encryption"):
                begin(self.folder, KeySource(section.key_file, section.key_variable))
        settings = {**asdict(self.choice), PRIOR: dict(self.prior)}
        del settings["rounds"]
        print_of = partial(fingerprint, self.folder)
        return identity_of_choice(self.studies, settings, self.people, print_of)


def rivals_of(
    studies: Sequence[Study], folder: Path | str, settings: Mapping[str, Any] | None = None
) -> Rivals:
    """Read the people of all studies, and check that there is one question to all of them.

    Raises
    ------
    ConfigError, DataError
        What cannot run; or people, their data, recordings or features differ: it says which.
    """
    rivals, folder = named(studies), Path(folder).resolve()
    for study in studies:
        if Path(study.output).resolve() == folder:
            raise ConfigError(
                f"{folder} is the output of {study.name}: a choice has a store of its own, write "
                "another --output"
            )
    choice, prior = settings_of(settings or {}, list(rivals))
    _check_features(rivals)
    _check_machines(rivals)
    gone = _withdrawn(studies, folder)
    people = {name: taking_part(study, gone) for name, study in rivals.items()}
    _check_people(people)
    subjects = {}
    for name, study in rivals.items():
        check(study, people[name])
        subjects[name] = {of.name: of for of in subjects_of(study, people[name])}
    _check_recordings(subjects)
    first = people[next(iter(rivals))]
    return Rivals(studies[0], rivals, first, subjects, choice, prior, folder)


def _withdrawn(studies: Sequence[Study], folder: Path) -> set[str]:
    """Return who has withdrawn from any of the studies; ConfigError while the choice has data of
    theirs.
    """
    here = set(tombstones(folder))
    known = Store.open(folder).study.get("people", {}) if has_store(folder) else {}
    there = {person: study for study in studies for person in tombstones(Path(study.output))}
    for person in sorted(there.keys() & set(known) - here):
        raise ConfigError(
            f"{person} has withdrawn from {there[person].output}: run `hpcvbi withdraw {folder} "
            f"{person}` too"
        )
    return here | there.keys()


def settings_of(given: Mapping[str, Any], rivals: Sequence[str]) -> tuple[Choice, dict[str, float]]:
    """Return the choice that settings describe, and every rival's prior; ConfigError where one is
    not known, or of another kind.
    """
    known = [field.name for field in fields(Choice)]
    for name in given:
        if name not in (*known, PRIOR):
            near = get_close_matches(name, [*known, PRIOR], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f". Known: {', '.join(known)}"
            raise ConfigError(f"a choice has no setting {name!r}{hint}")
    prior = given.get(PRIOR, {})
    if not isinstance(prior, Mapping):
        raise ConfigError(f"{PRIOR} must name rivals, such as {{{rivals[0]}: 2}}, got {prior!r}")
    for name, value in prior.items():
        if name not in rivals:
            raise ConfigError(f"{PRIOR}: there is no {name!r}; known: {', '.join(rivals)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ConfigError(f"{PRIOR}: that of {name} must be a number above 0, got {value!r}")
    plain = {name: value for name, value in given.items() if name != PRIOR}
    return Choice(**plain), {name: float(prior.get(name, 1.0)) for name in rivals}


def _check_features(rivals: Mapping[str, Study]) -> None:
    (first, one), *others = rivals.items()
    for name, other in others:
        sides = [{"features": study.features.model_dump(mode="json")} for study in (one, other)]
        if lines := [
            f"{key}: {_shown(was)} in {first}, {_shown(now)} in {name}"
            for key, was, now in changes(*sides)
        ]:
            raise ConfigError(
                "models are compared by the same features, and these differ:\n  "
                + "\n  ".join(lines)
            )


def _check_machines(rivals: Mapping[str, Study]) -> None:
    for what in ("backend", "encryption"):
        of = {
            name: study.simulation.backend if what == "backend" else study.encryption is not None
            for name, study in rivals.items()
        }
        if len(set(of.values())) > 1:
            said = ", ".join(f"{value} in {name}" for name, value in of.items())
            raise ConfigError(f"one cluster and one store serve all studies; {what}: {said}")
    for study in rivals.values():
        check_offer(study)


def _check_people(people: Mapping[str, tuple[Person, ...]]) -> None:
    (first, one), *others = people.items()
    known = {person.id: person for person in one}
    for name, found in others:
        ids = {person.id for person in found}
        lines = [f"{person} is in {first} only" for person in sorted(known.keys() - ids)]
        lines += [f"{person} is in {name} only" for person in sorted(ids - known.keys())]
        if lines:
            raise ConfigError("the people must be the same in all studies: " + "; ".join(lines))
        for person in found:
            if person.sha256 != known[person.id].sha256:
                raise DataError(
                    f"the data of {person.id} differ between {first} and {name}: read the same "
                    "connectome and recording in both (section cohort)"
                )


def _check_recordings(subjects: Mapping[str, Mapping[str, Subject]]) -> None:
    (first, one), *others = subjects.items()
    for name, found in others:
        for person, subject in found.items():
            here, there = (of.recorded.features[0] for of in (subject, one[person]))
            if not np.array_equal(here, there):
                raise ConfigError(
                    f"the recording of {person} has other features in {name} than in {first}: what "
                    "is measured in the recording must be the same"
                )


def _shown(value: Any) -> str:
    return "absent" if value is ABSENT else str(value)
