"""What is learned of a person alone: rounds of simulating and learning."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpcvbi.campaign import record
from hpcvbi.campaign.method import algorithm_of
from hpcvbi.campaign.reuse import earlier_of
from hpcvbi.campaign.subjects import Subject
from hpcvbi.campaign.wishes import TRAINING, Learn, Simulate, Wish
from hpcvbi.config import Study
from hpcvbi.core.seeds import derive_seed
from hpcvbi.infer import Algorithm, steps
from hpcvbi.store import Driver, Reads


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a person's posterior is drawn from.

    `state` is read by every later step, `rounds` are the person's own, of which `number` were
    learned from; of `proposed` draws, `learned` were. `info` is of the last update.
    """

    algorithm: Algorithm[Any]
    state: Reads
    rounds: Reads
    number: int
    proposed: int
    learned: int
    info: Mapping[str, Any]

    @property
    def reads(self) -> Reads:
        """All that a posterior is drawn from."""
        return {**self.state, **(self.rounds if self.algorithm.by_draws else {})}

    @property
    def kind(self) -> str:
        """What the samples are."""
        return self.info.get("kind", record.POSTERIOR)


Learning = Generator[Wish, Any, Fitted]


def learn_alone(study: Study, subject: Subject, store: Driver, meanwhile: Simulate) -> Learning:
    """Learn from the person's own rounds; what is simulated `meanwhile` is wished first."""
    name, space, names = subject.name, subject.brain.space, study.features.names
    seed = partial(derive_seed, study.seed, name)
    earlier, proposed = dict[str, tuple[str, None]](), 0
    if study.inference.reuse is not None:
        if not store.has(name, steps.EARLIER):
            found = earlier_of(study, subject.person)
            store.put(name, steps.EARLIER, *record.earlier(found, space, names))
        earlier = {steps.EARLIER: (steps.EARLIER, None)}
        proposed = len(store.get(name, steps.EARLIER)[0]["theta"])
    yield meanwhile

    algorithm, observed = algorithm_of(study), ("observed_data", None)
    state, kind = algorithm.init(len(space), subject.recorded.features[0]), record.POSTERIOR
    rounds, last = dict[str, tuple[str, tuple[str, ...]]](), dict[str, tuple[str, None]]()
    info = dict[str, Any]()
    u = algorithm.propose(state, algorithm.draws, seed("propose", 0))
    for number in range(algorithm.rounds):
        draws, group = f"round_{number:03d}", f"inference_{number:03d}"
        yield Simulate(draws, space.from_unit(u), study.keep, read=())
        rounds, proposed = {**rounds, draws: (draws, TRAINING)}, proposed + len(u)
        if not store.has(name, group):
            update = partial(steps.update, algorithm, space, seed("update", number))
            reads = {"observed": observed, **last, **earlier, **rounds}
            arrays, info = yield Learn(group, update, reads)
            store.put(name, group, *record.inference(arrays), info)
        (arrays, info), last = store.get(name, group), {"state": (group, None)}
        state, kind = algorithm.from_arrays(arrays), info.get("kind", kind)
        if algorithm.done(state):
            break
        propose = partial(steps.propose, algorithm, seed("propose", number + 1))
        u = yield Learn(f"propose_{number + 1:03d}", propose, last)
    info, learned = {**info, "kind": kind}, int(info["rows"])
    return Fitted(algorithm, last, rounds, len(rounds), proposed, learned, info)
