"""Which of several studies' models: one ABC-SMC over all of them, in waves of blocks.

A person's choice is a chain as their inference is, in a store that is the choice's own: wave by
wave each rival's draws are a round, simulated by that rival's study, and what was learned from them
is a data set. So it resumes, stops, is verified and is withdrawn from as any study.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from hpcvbi.campaign import record
from hpcvbi.campaign.again import try_again
from hpcvbi.campaign.conduct import in_turns, noted, started, starter
from hpcvbi.campaign.follower import Outcome, Progress
from hpcvbi.campaign.limits import too_many_lost
from hpcvbi.campaign.loop import Loop
from hpcvbi.campaign.rivals import Rivals
from hpcvbi.campaign.stop import Stop, listening
from hpcvbi.campaign.wishes import TRAINING, Chain, Learn, Simulate
from hpcvbi.cluster import Executor, seconds_to_work
from hpcvbi.core.block import WHOLE
from hpcvbi.core.errors import TooFewSurvivors
from hpcvbi.core.seeds import derive_seed
from hpcvbi.core.space import Space
from hpcvbi.core.wave import round_of
from hpcvbi.evaluate.bayes_factors import bayes_factors, warnings_of
from hpcvbi.evaluate.told_apart import confused, told_apart
from hpcvbi.infer import choice_steps as steps
from hpcvbi.infer.choice_state import ChoiceState
from hpcvbi.infer.steps import learnable
from hpcvbi.infer.table import effective_size
from hpcvbi.report.verdict import RESULT
from hpcvbi.store import Driver

LOOKED_AT = ("status", "features")


def choose(
    rivals: Rivals, progress: Progress, retry_failed: bool = False, chain: bool = False
) -> Outcome:
    """Run or resume a choice; with `retry_failed`, failed draws are tried again. With `chain`, a
    driver whose job nears its wall time goes back into the queue.

    Raises
    ------
    StoreMismatch : the folder holds another choice, or a study.
    StoreBusy : another driver is at work there.
    StoreError : the store cannot be read or written.
    Stopped : SIGTERM, SIGINT, SIGHUP or the job's wall time; what is finished is marked.
    """
    return in_turns(chain, progress, partial(_conduct, rivals, progress, retry_failed))


def _conduct(rivals: Rivals, progress: Progress, retry_failed: bool) -> Outcome:
    folder, lead = str(rivals.folder), rivals.lead
    manifest, sha256 = rivals.manifest()
    with Driver.create(folder, manifest, sha256) as store, listening(seconds_to_work()) as stop:
        started(store, lead, rivals.people)
        if retry_failed:
            try_again(store)
        return noted(
            store, stop, partial(run, rivals, store, starter(lead, folder), progress, stop)
        )


def run(
    rivals: Rivals,
    store: Driver,
    start_executor: Callable[[], Executor],
    progress: Progress,
    stop: Stop,
) -> Outcome:
    """Run the choice to its end; Stopped if `stop` says so."""
    # whether too many draws are lost is said of a whole prior, not of a few draws of a later wave
    limits = rivals.lead.limits.model_copy(update={"lost": 1.0})
    study = rivals.lead.model_copy(update={"limits": limits})
    subjects = next(iter(rivals.subjects.values()))
    loop = Loop(study, subjects, store, start_executor, progress, stop)
    left = lacking(rivals, store, sorted(subjects))
    for name in sorted(subjects.keys() - set(left)):
        progress.judged(name)
    try:
        loop.run({name: weigh(rivals, name, store) for name in left})
    finally:
        loop.close()
    store.finish()
    return Outcome(loop.computed, loop.failed)


def lacking(rivals: Rivals, store: Driver, people: Sequence[str]) -> list[str]:
    """Return whose result after so many waves, or what it rests on, the store does not have."""
    whole, asked = store.whole_rounds(), rivals.choice.rounds

    def is_done(name: str) -> bool:
        if not store.has(name, RESULT) or store.get(name, RESULT)[1]["rounds_asked"] != asked:
            return False
        return all((name, wave) in whole for wave in store.rounds(name))

    return [name for name in people if not is_done(name)]


def weigh(rivals: Rivals, person: str, store: Driver) -> Chain:
    """Choose for one person: waves of simulating and learning, until the choice is done.

    What the store has is not learned again; writing again what it has changes nothing.
    """
    choice, prior, spaces = rivals.choice, rivals.prior, rivals.spaces(person)
    seed = partial(derive_seed, rivals.seed, person)
    subject = next(iter(rivals.subjects.values()))[person]
    x = subject.recorded.features[0]
    names, labels = rivals.lead.features.names, subject.brain.connectome.labels
    recorded = record.observed(subject.recorded, names, labels, subject.times_s)
    store.put(person, "observed_data", *recorded)
    observed, last = ("observed_data", None), dict[str, tuple[str, None]]()
    state = choice.init([len(space) for space in spaces.values()], x, list(prior.values()))
    drawn = choice.propose(state, seed("propose", 0))
    rounds = dict[str, tuple[str, tuple[str, ...]]]()
    while True:
        number, group = state.round, f"inference_{state.round:03d}"
        wave = {}
        for name, u in zip(spaces, drawn, strict=True):
            if len(u):
                by = rivals.studies[name], rivals.subjects[name][person]
                theta = spaces[name].from_unit(u)
                wave[name] = Simulate(round_of(number, name), theta, read=(), by=by)
        for wish in wave.values():
            yield replace(wish, background=True)
        for wish in wave.values():
            yield wish
        rounds |= {wish.round: (wish.round, TRAINING) for wish in wave.values()}
        if not number:
            _check_lost(rivals, store, person)
        if not store.has(person, group):
            update = partial(steps.update, choice, spaces, prior, seed("update", number))
            arrays, info = yield Learn(group, update, {"observed": observed, **last, **rounds})
            store.put(person, group, *record.inference(arrays), info)
        (arrays, _), last = store.get(person, group), {"state": (group, None)}
        state = choice.from_arrays(arrays)
        if state.since == state.round:  # a generation is complete: none of its draws counts again
            rounds.clear()
        if choice.done(state):
            break
        propose = partial(steps.propose, choice, seed("propose", state.round))
        drawn = yield Learn(f"propose_{state.round:03d}", propose, last)
    choice.check(state)
    first = {name: round_of(0, name) for name in spaces}
    reads = {r: (r, LOOKED_AT) for r in first.values() if store.is_marked(person, r)}
    confusion = yield Learn("told_apart", partial(tell_apart, tuple(first.values()), prior), reads)
    store.put(person, RESULT, *_result(rivals, spaces, state, confusion))


def tell_apart(
    rounds: Sequence[str], prior: Mapping[str, float], **draws: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return how well the rivals' first rounds are told apart, (model, other)."""
    features = [np.asarray(learnable(draws[name])[:]) if name in draws else None for name in rounds]
    width = max(x.shape[1] for x in features if x is not None)
    weights = np.array(list(prior.values()))
    return told_apart(
        [np.empty((0, width)) if x is None else x for x in features], weights / weights.sum()
    )


def _check_lost(rivals: Rivals, store: Driver, person: str) -> None:
    """Raise TooFewSurvivors where a rival loses more draws of its prior than its study allows."""
    for name, study in rivals.studies.items():
        round = round_of(0, name)
        if not store.is_marked(person, round):
            continue
        found, allowed = store.read(person, round, ("theta", "status")), study.limits.lost
        if (~np.isin(found["status"], WHOLE)).mean() > allowed:
            names = rivals.subjects[name][person].brain.space.names
            words = too_many_lost(names, found["theta"], found["status"], allowed, "")
            raise TooFewSurvivors(f"{round}: {words}")


def _result(
    rivals: Rivals, spaces: Mapping[str, Space], state: ChoiceState, confusion: np.ndarray
) -> tuple[*record.Dataset, dict[str, object]]:
    """What is written of a finished choice."""
    choice, probability = rivals.choice, state.probabilities[-1]
    effective = effective_size(state.particle_weight)
    factors, bound = bayes_factors(probability, state.prior, effective)
    asks = choice.epsilon == "list" or choice.min_epsilon > 0
    said = warnings_of(
        state.probabilities, state.errors, effective, choice.reached(state) or not asks
    )
    mine = [state.population(model)[1] for model in range(state.models)]
    numbers = {
        "probability": probability,
        "error": state.errors[-1],
        "prior": state.prior,
        "effective": np.array([effective_size(w) if len(w) else 0.0 for w in mine]),
        "bayes_factor": factors,
        "bound": bound,
        "told_apart": confusion,
        "epsilon": state.epsilon,
        "accepted": state.accepted,
        "simulated": state.simulated,
        "probabilities": state.probabilities,
        "errors": state.errors,
    }
    about = {
        "effective": effective,
        "rounds": state.round,
        "rounds_asked": choice.rounds,
        "priors": json.dumps({name: space.described() for name, space in spaces.items()}),
        "warnings": [*said, *confused(list(rivals.studies), confusion)],
    }
    return *record.choice(numbers, list(rivals.studies)), about
