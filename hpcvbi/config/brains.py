"""From a study to its people, and from a person to what is simulated and compared.

`check` builds everything once, so that what is impossible fails before anything is spent. A brain
is declared step by step, each step in the name of the key that it comes from.
"""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from hpcvbi.brain.brain import Brain
from hpcvbi.brain.connectome import Connectome
from hpcvbi.cohort import COHORTS, Person, allows
from hpcvbi.config.declare import (
    Declaration,
    bare_brain,
    declarations,
    maps_of,
    space_of,
    stimuli_of,
    treated,
    values_of,
)
from hpcvbi.config.sections import Tables
from hpcvbi.config.study import Study
from hpcvbi.core.errors import ConfigError, DataError, HpcvbiError
from hpcvbi.core.prior import check_width
from hpcvbi.features import Context
from hpcvbi.features import check as check_features
from hpcvbi.features.noise_floor import noise_ratio, noise_share
from hpcvbi.features.preprocess import bandpass_gain
from hpcvbi.observe.bold import HEMODYNAMICS, Bold
from hpcvbi.observe.measurement import Recorded

FEWEST_REGIONS = 3
"""Two regions have one correlation."""


def cohort_of(study: Study, people: Sequence[str] | None = None) -> tuple[Person, ...]:
    """Read the people of the study, or those of them that are named."""
    source = study.cohort.model_dump(exclude={"kind"})
    if people is not None:
        source["people"] = tuple(people)
    with study.at("cohort"):
        return COHORTS[study.cohort.kind](**source)


def taking_part(study: Study, withdrawn: Container[str] = ()) -> tuple[Person, ...]:
    """Read the people of the study who have not withdrawn, and whose consent covers its purpose.

    Raises
    ------
    ConfigError, DataError
        Somebody's consent does not cover the purpose, the study states none, or nobody is left.
    """
    _check_pseudonyms(study)
    named = study.cohort.people
    left = None if named == "all" else [person for person in named if person not in withdrawn]
    people = () if left == [] else cohort_of(study, left)
    people = tuple(person for person in people if person.id not in withdrawn)
    if not people:
        with study.at("cohort", "people"):
            raise DataError("everybody has withdrawn")
    for person in people:
        _check_consent(study, person)
    return people


def _check_consent(study: Study, person: Person) -> None:
    if not person.consent:
        return
    with study.at("purpose"):
        if study.purpose is None:
            raise ConfigError(
                f"{person.id} consented to certain purposes only ({person.consent}): say what this "
                "study is for, e.g. purpose: epilepsy research"
            )
        if not allows(person.consent, study.purpose):
            raise DataError(
                f"{person.id} consented to {person.consent!r}, not to {study.purpose!r}: leave the "
                "person out of cohort.people"
            )


def _check_pseudonyms(study: Study) -> None:
    if isinstance(study.cohort, Tables) and study.cohort.pseudonyms is not None:
        key = Path(study.cohort.pseudonyms).resolve()
        if key.is_relative_to(Path(study.output).resolve()):
            with study.at("cohort", "pseudonyms"):
                raise ConfigError("lies in the output folder: keep it apart from the results")


def connectome_of(study: Study, person: Person) -> Connectome:
    """Return the person's connectome as it is simulated."""
    with study.at("connectome"), _about(person):
        return treated(person.connectome, study.connectome)


def brain_of(study: Study, person: Person) -> Brain:
    """Return the person's brain network model, watched for as long as the person was recorded.

    Its space holds the inferred parameters in the order in which the brain declares them, whatever
    their order in the study file.
    """
    brain = bare_brain(study, connectome_of(study, person))
    for key, changes in _declarations(study, person):
        with study.at(*key), _about(person):
            brain = replace(brain, **changes)
    if Recorded.noise_scale.name in study.parameters and study.measurement_noise is None:
        with study.at("parameters", Recorded.noise_scale.name):
            raise ConfigError("needs the section `measurement_noise: {}`")
    return replace(brain, space=space_of(study, brain, study.parameters, ("parameters",)))


def reliability_of(study: Study, person: Person) -> np.ndarray:
    """Share of each recorded region's variance that is no white measurement noise, (region,)."""
    recording = _recording(person)
    if study.measurement_noise is None:
        return np.ones(recording.shape[1])
    with study.at("measurement_noise", "above"), _about(person):
        return 1.0 - noise_share(recording, person.tr_s, study.measurement_noise.above)


def context_of(study: Study, person: Person) -> Context:
    """Return what features of this person need besides the signal."""
    weights = connectome_of(study, person).weights
    with study.at("features"), _about(person):
        return Context(person.tr_s, weights, person.homotopic, study.features.band)


def check(study: Study, people: Sequence[Person]) -> None:
    """Raise ConfigError or DataError, naming file, line, key and person, unless the study can run
    on these people.
    """
    for person in people:
        brain_of(study, person)
        with study.at("cohort"), _about(person):
            _check_regions(person)
        _check_features(study, person)
    _check_labels(study, people)
    brain = brain_of(study, people[0])
    for p in brain.space.params:
        with study.at("parameters", p.name):
            assert p.prior is not None
            check_width(p.prior)
    _check_grid(study, brain)


def _check_grid(study: Study, brain: Brain) -> None:
    grid = study.yardsticks.grid
    drawn = {p.name: p for p in brain.space.params}
    for key, name in (("over", grid.over), *(("at", name) for name in grid.at)):
        if name not in drawn:
            with study.at("yardsticks", "grid", key):
                raise ConfigError(
                    f"{name!r} is not among the inferred parameters: {', '.join(drawn)}"
                )
    for name, value in grid.at.items():
        with study.at("yardsticks", "grid", "at", name):
            if name == grid.over:
                raise ConfigError("is what the grid runs over: leave it out here")
            drawn[name].check(value)


def _check_regions(person: Person) -> None:
    if (regions := len(person.connectome.labels)) < FEWEST_REGIONS:
        raise DataError(
            f"{regions} regions are too few: {FEWEST_REGIONS} at least, for the FC of fewer has no "
            "pattern that can be compared"
        )


def _check_features(study: Study, person: Person) -> None:
    context = context_of(study, person)
    with study.at("features", "names"), _about(person):
        check_features(study.features.names, context)
    if study.features.band is not None:
        with study.at("features", "band"), _about(person):
            bandpass_gain(len(_recording(person)), person.tr_s, *study.features.band)


def _check_labels(study: Study, people: Sequence[Person]) -> None:
    # One person's FC is a yardstick for another's: the pairs have to be the same.
    for person in people[1:]:
        if person.connectome.labels != people[0].connectome.labels:
            with study.at("cohort"):
                raise DataError(
                    f"people {people[0].id} and {person.id} have different regions: use one "
                    f"parcellation, in one order, for the whole cohort"
                )


def _declarations(study: Study, person: Person) -> Iterator[Declaration]:
    """Keys of the study file, and what each of them changes in the brain."""
    yield from declarations(study, study.simulation, study.simulation.burn_in)
    with study.at("cohort"), _about(person):
        volumes = len(_recording(person))
    bold = Bold(study.bold.of, person.tr_ms, study.bold.step, HEMODYNAMICS[study.bold.constants])
    yield ("bold",), {"duration": person.tr_ms * volumes, "monitors": (bold,)}
    if study.measurement_noise is not None:
        ratio = noise_ratio(1.0 - reliability_of(study, person))
        yield ("measurement_noise",), {"monitors": (bold, Recorded(ratio, of=bold.name))}
    with _about(person):
        yield from maps_of(study, person.maps)
    yield from stimuli_of(study, person.connectome.labels)
    yield from values_of(study)


def _recording(person: Person) -> np.ndarray:
    if person.bold is None:
        raise DataError("there is no recording: add bold.csv or another table, (time, region)")
    return person.bold


@contextmanager
def _about(person: Person) -> Iterator[None]:
    try:
        yield
    except HpcvbiError as error:
        raise type(error)(f"{error} (person {person.id})") from error
