"""One network for all people of a study, learned once from everybody's first round:

    inference: {algorithm: npe, rounds: 1, cohort: true}

Each person's chain simulates its draws of the prior, then wishes the network, which a chain of
everybody learns once all first rounds are whole. Of each person it is told the summary of the
connectome as it is simulated (`hpcvbi.brain.summary`), and what else of the person enters a
simulation (`OTHERS`). It is stored as data of `COHORT`, who is nobody: where one of those it was
learned from withdraws, it goes with them, and is learned again from the others.

Who it was learned from stands in the ledger. They are asked for no further draws, and nobody who
joins them later for any: the network answers for these too, and says how unlike the others they
are. People whose first round lost too many draws are set aside.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from hpcvbi.brain.summary import COVARIATES, covariates_of
from hpcvbi.campaign import record
from hpcvbi.campaign.method import algorithm_of, amortised_of
from hpcvbi.campaign.rounds import Fitted, Learning
from hpcvbi.campaign.subjects import Subject
from hpcvbi.campaign.wishes import TRAINING, Chain, Learn, Simulate, Together
from hpcvbi.config import Study
from hpcvbi.core.errors import TooFewSurvivors
from hpcvbi.core.identifier import COHORT
from hpcvbi.core.seeds import derive_seed
from hpcvbi.core.space import Space
from hpcvbi.infer.personal import Personal, placed, update_together
from hpcvbi.store import Driver, Reads, Store
from hpcvbi.store.parts import has_store

NETWORK, ROUND, DRAWN = "network", "round_000", "covariates"
"""The network's group; a person's groups that it is learned from."""
PLACE = "inference_000"
"""A person's group that says where they are among those learned from."""
LEARNED = "learned together"
"""Event of the ledger: which people a network is `of`, and who was set `aside`."""
TOLD = ("round", "draws", "rows", "epochs", "loss", "validation_loss", "curve")
"""What of the network's info is said of each person."""
OTHERS: dict[str, str] = {
    "noise_mean": "mean over regions of the share of measurement noise in the recording",
    "noise_sd": "its standard deviation over regions",
    "log_volumes": "natural logarithm of the number of volumes",
    "log_tr": "natural logarithm of the repetition time [s]",
}
"""What follows the summary of the connectome among a person's covariates."""
NAMES = (*COVARIATES, *OTHERS)
"""Of all covariates, in their order."""


@threadpool_limits.wrap(limits=1, user_api="blas")  # last bits depend on the number
def covariates_of_subject(subject: Subject) -> np.ndarray:
    """Return what distinguishes a person's simulations, (covariate,), as `NAMES` names it."""
    noise = 1.0 - subject.reliability
    others = [noise.mean(), noise.std(), np.log(len(subject.times_s)), np.log(subject.person.tr_s)]
    return np.concatenate([covariates_of(subject.brain.connectome), others])


def learn_with_all(study: Study, subject: Subject, store: Driver, meanwhile: Simulate) -> Learning:
    """Let all people's network be learned, from this person's draws too unless they came later.

    What is simulated `meanwhile` is wished when the person's draws are there: who is set aside for
    it was learned from in any case.
    """
    name, space = subject.name, subject.brain.space
    seed = partial(derive_seed, study.seed, name)
    if not store.has(name, DRAWN):
        store.put(name, DRAWN, *record.covariates(covariates_of_subject(subject), NAMES))
    covariates = store.get(name, DRAWN)[0][DRAWN]
    person = Personal(amortised_of(study, algorithm_of(study)), covariates)
    rounds = dict[str, tuple[str, tuple[str, ...]]]()
    if name in learners(store):
        state = person.init(len(space), subject.recorded.features[0])
        u = person.propose(state, person.draws, seed("propose", 0))
        yield Simulate(ROUND, space.from_unit(u), study.keep, read=())
        rounds = {ROUND: (ROUND, TRAINING)}
    yield meanwhile
    if not store.has(COHORT, NETWORK):
        yield Together(COHORT, partial(learn_network, study, space, store))
    shared: Reads = {"state": (NETWORK, None, COHORT)}
    about = store.get(COHORT, NETWORK)[1]
    if not store.has(name, PLACE) or store.is_stale(name, PLACE):
        reads: Reads = {"observed": ("observed_data", None), **shared}
        arrays, own = yield Learn(PLACE, partial(placed, person), reads)
        info = {**{key: about[key] for key in TOLD}, **own}
        store.put(name, PLACE, *record.inference(arrays), info)
    info, learned = store.get(name, PLACE)[1], int(about["rows"])
    return Fitted(person, shared, rounds, 1, int(about["draws"]), learned, info)


def learn_network(study: Study, space: Space, store: Driver) -> Chain:
    """Learn the network of all people whose first round is whole, and store it."""
    people, aside = _suffice(study, store)
    if not people:
        raise TooFewSurvivors(f"{ROUND}: nobody has enough draws to learn a network from")
    reads: Reads = {
        f"{name}/{group}": (group, arrays, name)
        for name in people
        for group, arrays in ((ROUND, TRAINING), (DRAWN, None), ("observed_data", None))
    }
    amortised = amortised_of(study, algorithm_of(study))
    seed = derive_seed(study.seed, "learn together")
    update = partial(update_together, amortised, space, people, seed)
    arrays, info = yield Learn(NETWORK, update, reads)
    store.append(LEARNED, of=list(people), aside=list(aside))
    store.put(COHORT, NETWORK, *record.network(arrays, people, NAMES), info)


def learners(store: Store, people: Iterable[str] | None = None) -> set[str]:
    """Return who of the study's people, or of `people`, simulates draws to learn from: those of the
    network that was learned last, as far as they are there, or everybody.
    """
    known = set(store.study["people"] if people is None else people)
    event = _last(store)
    drew = known & {*event.get("of", ()), *event.get("aside", ())}
    return drew or known


def joining(study: Study, people: Iterable[str]) -> set[str]:
    """Return who of these people would join a cohort whose network is in the study's store."""
    folder, names = Path(study.output), set(people)
    if not study.inference.cohort or not has_store(folder):
        return set()
    return names - learners(Store.open(folder), names)


def _suffice(study: Study, store: Driver) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who has draws enough to be learned from, and who of the learners has not; as it was, where
    the network has been lost.
    """
    event, people = _last(store), sorted(learners(store))
    if event and (store.is_marked(COHORT, NETWORK) or store.was_marked(COHORT, NETWORK)):
        return tuple(event["of"]), tuple(event["aside"])
    whole, allowed = store.whole_rounds(), study.limits.lost
    enough = {
        name
        for name in people
        if store.lost_draws(name, ROUND) <= allowed * whole.get((name, ROUND), -1)
    }
    return tuple(n for n in people if n in enough), tuple(n for n in people if n not in enough)


def _last(store: Store) -> Mapping[str, list[str]]:
    """What the ledger says of the network that was learned last."""
    events = store.events(LEARNED)
    return events[-1] if events else {}
