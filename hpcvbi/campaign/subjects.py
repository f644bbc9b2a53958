"""The people of a study, with what is derived from their data before anything is simulated."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcvbi.brain.brain import Brain
from hpcvbi.campaign.method import algorithm_of, check_cohort
from hpcvbi.campaign.reuse import check_reuse
from hpcvbi.cohort import Person
from hpcvbi.config import Study, brain_of, context_of, reliability_of, taking_part
from hpcvbi.core.errors import DataError
from hpcvbi.features import CURVES, Measured, measure
from hpcvbi.store import tombstones


@dataclass(frozen=True, eq=False)
class Subject:
    """A person with what is derived from their data: brain, recorded features, all people's FC."""

    person: Person
    brain: Brain
    recorded: Measured
    reliability: np.ndarray
    cohort_fc: np.ndarray
    index: int

    @property
    def name(self) -> str:
        """The person's identifier."""
        return self.person.id

    @property
    def times_s(self) -> np.ndarray:
        """When each simulated volume ends [s]."""
        tr_s = self.person.tr_s
        return tr_s * np.arange(1, 1 + round(self.brain.duration / 1000.0 / tr_s))


def people_of(study: Study) -> tuple[Person, ...]:
    """Read the people of a study who have not withdrawn from its store, consent checked."""
    return taking_part(study, tombstones(Path(study.output)))


def subjects_of(study: Study, people: tuple[Person, ...]) -> list[Subject]:
    """Declare every person's brain and measure every recording; raises before anything is spent.

    They come in the order of their names, so that results do not depend on that of the study file.
    """
    algorithm = algorithm_of(study)
    check_reuse(study, algorithm)
    check_cohort(study, algorithm)
    people = tuple(sorted(people, key=lambda person: person.id))
    brains = [brain_of(study, person) for person in people]
    recorded = [_measure(study, person) for person in people]
    cohort_fc = np.concatenate([measured.fc for measured in recorded])
    return [
        Subject(person, brain, measured, reliability_of(study, person), cohort_fc, index)
        for index, (person, brain, measured) in enumerate(
            zip(people, brains, recorded, strict=True)
        )
    ]


def _measure(study: Study, person: Person) -> Measured:
    if person.bold is None:
        raise DataError(f"person {person.id} has no recording to infer from")
    context = context_of(study, person)
    return measure(study.features.names, person.bold[None], context, tuple(CURVES))
