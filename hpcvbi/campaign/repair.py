"""Checks a store in full, and computes again exactly what is damaged.

A damaged block is simulated again from the stored draws, by the task that a run uses. Damaged draws
and data sets are derived again by telling the person's chain once more; what it learned is read
from the store where that is intact. The driver is exact: what does not come back with the content
that the ledger names is not marked, and said.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from hpcvbi.campaign.chain import infer
from hpcvbi.campaign.follower import Progress
from hpcvbi.campaign.loop import Loop
from hpcvbi.campaign.stop import listening
from hpcvbi.campaign.subjects import Subject, subjects_of
from hpcvbi.campaign.together import NETWORK, learn_network
from hpcvbi.campaign.whole import JUDGEMENT, data_sets_of, learned_rounds, rounds_of
from hpcvbi.campaign.wishes import Chain, Learn, Simulate, Together
from hpcvbi.cluster import local_executor
from hpcvbi.config import Study, cohort_of, is_choice
from hpcvbi.config.sections import Limits
from hpcvbi.core.block import Block
from hpcvbi.core.errors import DataError, HpcvbiError, StoreError, StoreMismatch
from hpcvbi.core.identifier import COHORT
from hpcvbi.models.load import file_of
from hpcvbi.report.verdict import RESULT
from hpcvbi.store import Damage, Driver, Store, Survey, fingerprint, survey

NO_MARK = "no mark"
_NO_LIMIT = Limits(lost=1.0)
"""Whoever is in the store was let in by the limits of the run, which the manifest does not hold."""
_NEEDS: dict[str, str] = dict.fromkeys(("twins", "check_calibration", "check_recording"), JUDGEMENT)
"""The data set that a learning step is for, where it bears another name."""


@dataclass(frozen=True)
class Repaired:
    """What a repair did.

    `simulated` blocks were computed again with the content that the ledger names; they have
    `files`, of which `equal` are equal byte for byte (others were encoded by other versions).
    `written` are rounds and data sets that were written again. `different` blocks came back
    otherwise, and `failed` people's data did not; `after` is how the store is now.
    """

    simulated: tuple[Block, ...]
    files: int
    equal: int
    written: tuple[str, ...]
    different: tuple[Block, ...]
    failed: Mapping[str, HpcvbiError]
    after: Survey


def verify(folder: Path) -> Survey:
    """Check a store in full; what a finished person has without a mark counts as damage too."""
    found = survey(folder)
    store = Store.open(folder)
    if is_choice(store.study):
        return found
    lost = _without_mark(store, _study_of(store), found)
    return replace(found, damage=(*found.damage, *lost))


def repair(
    folder: Path, progress: Progress, workers: int | None = None, trust_model: bool = False
) -> Repaired:
    """Compute again what is damaged, and nothing else.

    Where the model is a Python file, its text in the store is executed if `trust_model` says so.

    Raises
    ------
    StoreError : there is code to trust first; or it is the store of a choice, whose damage loses
        its marks, so that the choice computes it again.
    StoreBusy : another driver is at work there.
    DataError, StoreMismatch : the people's data are not there, or not the same any more.
    Stopped : SIGTERM, SIGINT or SIGHUP; what is mended is marked.
    """
    if is_choice(Store.open(folder).study):
        _let_go(folder)
    with Driver(folder, exact=True) as store, listening() as stop:
        study, damage = _study_of(store), verify(folder).damage
        people = sorted({d.chain for d in damage if d.group} - {COHORT})
        shared = any(d.chain == COHORT and d.group for d in damage)
        if people and not trust_model:
            _refuse_code(store, study)
        derived = {name for name in people if _is_derived(study, store, damage, name)}
        subjects = _subjects(store, study, people, everybody=shared or bool(derived))
        blocks = {(d.chain, d.group, d.block) for d in damage if d.block is not None}
        before = {key: store.digests(*key) for key in blocks}
        sets = {*data_sets_of(study), NETWORK}
        store.void(
            sorted(key for key in blocks if store.is_marked(*key)),
            sorted({(d.chain, d.group) for d in damage if d.group in sets and d.kind != NO_MARK}),
        )
        store.restore_people({d.chain for d in damage if d.chain and not d.group})
        whole = {name for name in derived if _is_finished(store, name)}
        loop = Loop(
            study,
            {s.name: s for s in subjects},
            store,
            partial(local_executor, str(folder.resolve()), workers),
            progress,
            stop,
            lambda block: block.key in blocks or block.chain in whole,
        )
        try:
            loop.run({s.name: _chain(study, store, s, damage, derived, whole)
                      for s in subjects if s.name in people})  # fmt: skip
            if shared and not store.has(COHORT, NETWORK):
                loop.run({COHORT: learn_network(study, subjects[0].brain.space, store)})
        finally:
            loop.close()
        marks = [record for record in store.written if record["kind"] == "block"]
        files = [(_key(r), name, d) for r in marks for name, d in r["digests"].items()]
        groups = {f"{r['chain']}/{r['group']}" for r in store.written
                  if r["kind"] in ("prepared", "put")}  # fmt: skip
        store.append("repaired", blocks=len(marks), groups=sorted(groups))
        store.finish()
    return Repaired(
        simulated=tuple(Block(*_key(r), r["start"], r["stop"]) for r in marks),
        files=len(files),
        equal=sum(before.get(key, {}).get(name) == digest for key, name, digest in files),
        written=tuple(sorted(groups)),
        different=tuple(loop.different),
        failed=loop.failed,
        after=verify(folder),
    )


def _let_go(folder: Path) -> NoReturn:
    """Take back the marks of what is damaged in the store of a choice, and of what rests on it."""
    with Driver(folder) as store:
        damage = survey(folder).damage
        people = {d.chain for d in damage if d.chain}
        blocks = {(d.chain, d.group, d.block) for d in damage if d.block is not None}
        groups = {(d.chain, d.group) for d in damage if d.group and d.block is None}
        # a damaged round is written again from the draws that are proposed again
        sets = {(person, group) for person, group in groups if group not in store.rounds(person)}
        sets |= {(person, RESULT) for person in people}
        store.restore_people(people)
        store.void(
            sorted(key for key in blocks if store.is_marked(*key)),
            sorted(key for key in sets if store.is_marked(*key)),
        )
    raise StoreError(
        f"{folder} holds a choice between studies: what is damaged of {', '.join(sorted(people))} "
        "has lost its marks; run the same `hpcvbi choose` again, which computes it to the same "
        "bytes"
    )


def _key(record: Mapping[str, Any]) -> tuple[str, str, int]:
    return record["chain"], record["group"], record["index"]


def _study_of(store: Store) -> Study:
    try:
        dict(store.study["people"])
        return Study.from_dict(store.study["study"]).model_copy(update={"limits": _NO_LIMIT})
    except (KeyError, TypeError, ValueError):
        raise StoreError(f"{store.folder} holds no study that hpcvbi wrote") from None


def _refuse_code(store: Store, study: Study) -> None:
    if file := file_of(study.model.name):
        raise StoreError(
            f"the model of {store.folder} is Python code, {file}, whose text in the store would be "
            f"executed with your rights. Read it in {store.folder}/MANIFEST.json (study.texts); if "
            "you trust it, add --trust-model"
        )


def _is_finished(store: Store, person: str) -> bool:
    return store.is_marked(person, JUDGEMENT) or store.was_marked(person, JUDGEMENT)


def _without_mark(store: Store, study: Study, found: Survey) -> Iterator[Damage]:
    judged = [n for n in store.study["people"] if _is_finished(store, n)]
    shared = study.inference.cohort and any(not store.is_stale(n, JUDGEMENT) for n in judged)
    if shared and not store.is_marked(COHORT, NETWORK):
        yield Damage(COHORT, NETWORK, None, "", NO_MARK, f"store.zarr/{COHORT}/{NETWORK}")
    for person in store.study["people"]:
        if not _is_finished(store, person):
            continue
        learned = learned_rounds(study, store, person)
        for group in (*data_sets_of(study, learned), *rounds_of(study, learned)):
            if not store.is_marked(person, group):
                yield Damage(person, group, None, "", NO_MARK, f"store.zarr/{person}/{group}")
            for block in found.unmarked.get((person, group), ()):
                yield Damage(person, group, block, "", NO_MARK, f"store.zarr/{person}/{group}")


def _is_derived(study: Study, store: Store, damage: Iterable[Damage], person: str) -> bool:
    """Whether something is damaged that neither stands in the store nor is simulated."""
    groups = {d.group for d in damage if d.chain == person and d.group and d.block is None}
    return bool(groups & set(data_sets_of(study))) or not all(
        store.has_theta(person, group) for group in groups
    )


def _subjects(store: Store, study: Study, people: Sequence[str], everybody: bool) -> list[Subject]:
    """Read and check the data of people; a judgement compares them with everybody."""
    known = store.study["people"]
    names = tuple(known) if everybody else tuple(people)
    if not names:
        return []
    try:
        found = cohort_of(study, names)
    except DataError as error:
        raise DataError(
            f"{error}. What is damaged is computed again from the people's data: start this in the "
            "working directory of the run, with the data where they were"
        ) from error
    for person in found:
        if fingerprint(store.folder, person.sha256) != known[person.id]:
            raise StoreMismatch(
                f"the data of {person.id} have changed since {store.folder} was started: with them "
                "nothing can be computed again to the same bytes. Restore them"
            )
    return subjects_of(study, found)


def _chain(
    study: Study,
    store: Driver,
    subject: Subject,
    damage: Iterable[Damage],
    derived: set[str],
    whole: set[str],
) -> Chain:
    name = subject.name
    if name in whole:
        return infer(study, subject, store)
    if name in derived:
        return _as_far(infer(study, subject, store), store, name)
    return _mend(study, store, name, sorted({d.group for d in damage if d.chain == name}))


def _mend(study: Study, store: Driver, person: str, rounds: Iterable[str]) -> Chain:
    """Simulate what is damaged of a person, from the draws that are stored."""
    known = rounds_of(study)
    for round in rounds:
        if not round:
            continue
        if round not in known:
            raise StoreMismatch(f"{person}/{round} is no round of the study")
        yield Simulate(round, store.theta(person, round), known[round][1], read=())


def _as_far(chain: Chain, store: Driver, person: str) -> Chain:
    """Tell the chain of an unfinished person as far as it had come, not farther."""
    answer: Any = None
    while True:
        try:
            wish = chain.send(answer)
        except StopIteration:
            return
        if isinstance(wish, Together):
            if not (store.is_marked(COHORT, NETWORK) or store.was_marked(COHORT, NETWORK)):
                return
        elif isinstance(wish, Learn):
            group = _NEEDS.get(wish.label, wish.label)
            known = store.is_marked(person, group) or store.was_marked(person, group)
            if not known and not wish.label.startswith("propose_"):
                return
        elif not store.is_marked(person, wish.round):
            return
        answer = yield wish
        if isinstance(wish, Simulate) and not wish.background and _pending(store, person, wish):
            return


def _pending(store: Driver, person: str, wish: Simulate) -> bool:
    return bool((store.read(person, wish.round, ["status"])["status"] == 0).any())
