"""One network for all people of a study, from the draws of the prior that its store has of each: a
further person costs no simulations.

    cohort = learn_together(load("study.yaml"))
    for name, found in cohort.infer(load("further_people.yaml")).items():
        found.theta, found.place.warning()

A person is known to the network by covariates: the summary of the connectome as it is simulated
(`hpcvbi.campaign.together.NAMES`). Nothing is written: with `inference.cohort` a study does the
same by itself, and its store knows what a withdrawal takes along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.campaign.chain import POSTERIOR_DRAWS
from hpcvbi.campaign.reuse import ROUND, check_person, check_simulations, differences
from hpcvbi.campaign.subjects import Subject, people_of, subjects_of
from hpcvbi.campaign.together import covariates_of_subject
from hpcvbi.campaign.wishes import TRAINING
from hpcvbi.config import Study
from hpcvbi.core.errors import ConfigError, StoreError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.core.space import Space
from hpcvbi.infer import Draws, Neural, Npe, steps
from hpcvbi.infer.amortised import Amortised, AmortisedInfo, AmortisedState, Member, Place
from hpcvbi.store import Store
from hpcvbi.store.current import IN_MEMORY


@dataclass(frozen=True, eq=False)
class Inferred:
    """A person's posterior draws (draw, param) in natural units, and how far the person lies from
    those that the network learned from.
    """

    theta: np.ndarray
    place: Place


@dataclass(frozen=True, eq=False)
class Cohort:
    """What was learned from the people of a study; parameters are those of `space`."""

    study: Study
    people: tuple[str, ...]
    space: Space
    amortised: Amortised
    state: AmortisedState
    info: AmortisedInfo

    def infer(self, study: Study, draws: int = POSTERIOR_DRAWS) -> dict[str, Inferred]:
        """Return the posteriors of the people of a study, this one or another one of the same
        model, priors and features; nothing is simulated or written.

        Raises
        ------
        ConfigError, DataError
            The study simulates something else, or its people's data cannot be used.
        """
        if wrong := differences(self.study.canonical(), study.canonical()):
            raise ConfigError(
                "the network was learned from simulations of something else:\n  "
                + "\n  ".join(wrong)
            )
        found = {}
        for subject in subjects_of(study, people_of(study)):
            x, c = subject.recorded.features[0], _covariates(study, subject)
            seed = derive_seed(self.study.seed, subject.name, "posterior of a cohort")
            u = self.amortised.posterior(self.state, x, c, draws, seed)
            place = self.amortised.place(self.state, x, c)
            found[subject.name] = Inferred(self.space.from_unit(u), place)
        return found


def learn_together(study: Study, algorithm: Neural | None = None) -> Cohort:
    """Learn one network from everybody's first round; `algorithm` is a neural one of one round, NPE
    by default.

    Raises
    ------
    ConfigError
        The algorithm has more rounds, people differ by maps, which have no summary, or the store's
        simulations are not those of the study.
    DataError
        People's data are not those that the store was started with.
    StoreError
        The study's store cannot be read, or nobody's first round is finished.
    """
    amortised = Amortised(Npe() if algorithm is None else algorithm)
    store = Store.open(study.output)
    check_simulations(store, study)
    whole = store.whole_rounds()
    people = tuple(person for person in people_of(study) if (person.id, ROUND) in whole)
    if not people:
        raise StoreError(f"{study.output} has finished {ROUND} of nobody: run the study first")
    for person in people:
        check_person(store, person)
    subjects = subjects_of(study, people)
    space = subjects[0].brain.space
    draws = _draws(store, space, [subject.name for subject in subjects])
    members = [
        Member(draws[s.name], _covariates(study, s), s.recorded.features[0]) for s in subjects
    ]
    state, info = amortised.update(members, derive_seed(study.seed, "learn together"))
    return Cohort(study, tuple(draws), space, amortised, state, info)


def _covariates(study: Study, subject: Subject) -> np.ndarray:
    if study.model.maps:
        with study.at("model", "maps"):
            raise ConfigError(
                "people differ by regional maps, which a network for a cohort is not told of: "
                "infer each person alone"
            )
    return covariates_of_subject(subject)


def _draws(store: Store, space: Space, people: Sequence[str]) -> Mapping[str, Draws]:
    """Everybody's draws of the prior; features stay in the store where all do not fit."""
    found = {name: dict(store.rows(name, ROUND, TRAINING)) for name in people}
    small = sum(getattr(of["features"], "nbytes", 0) for of in found.values()) <= IN_MEMORY
    for of in found.values():
        for key in TRAINING if small else ("theta", "status"):
            of[key] = np.asarray(of[key][:])
    return {
        name: Draws.of(space.to_unit(np.asarray(of["theta"])), steps.learnable(of))
        for name, of in found.items()
    }
