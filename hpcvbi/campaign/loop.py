"""One loop over all chains: the others' blocks keep the workers busy while one learns."""

import heapq
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from hpcvbi.campaign import record
from hpcvbi.campaign.chain import Chain, Learn, Simulate, Subject, infer, subjects_of
from hpcvbi.campaign.plan import bits_of, block_size
from hpcvbi.campaign.whole import lacking
from hpcvbi.cluster import Executor, Failure, Learned
from hpcvbi.cohort import Person
from hpcvbi.config import Study
from hpcvbi.core.block import Block, BlockReport, blocks_of
from hpcvbi.core.errors import ClusterError, HpcvbiError, StoreMismatch, TooFewSurvivors
from hpcvbi.store import Driver

ATTEMPTS = 3
"""How often a block may fail before the study stops."""


class Progress(Protocol):
    """Somebody who is told how it goes."""

    def planned(self, chain: str, round: str, blocks: list[Block], missing: int) -> None:
        """A round of `blocks` was prepared; `missing` of them have to be computed."""
        ...

    def computed(self, report: BlockReport) -> None:
        """A block lies in the store."""
        ...

    def learned(self, chain: str, label: str, seconds: float) -> None:
        """A learning step is done."""
        ...

    def judged(self, chain: str) -> None:
        """A person is done."""
        ...

    def failed(self, chain: str, error: HpcvbiError) -> None:
        """A person cannot be inferred; the others go on."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How many blocks a run computed, and who could not be inferred, why."""

    blocks: int
    failed: Mapping[str, HpcvbiError]


def run(
    study: Study,
    people: tuple[Person, ...],
    store: Driver,
    start_executor: Callable[[], Executor],
    progress: Progress,
) -> Outcome:
    """Run the study to its end."""
    subjects = subjects_of(study, people)
    loop = Loop(study, {s.name: s for s in subjects}, store, start_executor, progress)
    left = lacking(study, store, [s.name for s in subjects])
    for name in left:
        if not left[name]:
            progress.judged(name)
    try:
        loop.run({s.name: infer(study, s, store) for s in subjects if left[s.name]})
    finally:
        loop.close()
    store.finish()
    return Outcome(loop.computed, loop.failed)


class Loop:
    """Interleaves all chains, so that while one learns the others' blocks keep the workers busy.

    `wanted` says which of the blocks that the store lacks are to be computed. `different` are those
    that were, and are not what an exact driver's ledger names.
    """

    def __init__(
        self,
        study: Study,
        subjects: Mapping[str, Subject],
        store: Driver,
        start_executor: Callable[[], Executor],
        progress: Progress,
        wanted: Callable[[Block], bool] = lambda block: True,
    ) -> None:
        self.study, self.subjects, self.store, self.progress = study, subjects, store, progress
        for subject in subjects.values():
            store.describe(subject.name, record.permissions(subject.person))
        self.computed = 0
        self.failed: dict[str, HpcvbiError] = {}
        self.different: list[Block] = []
        self._wanted = wanted
        self._start_executor = start_executor
        self._executor: Executor | None = None
        self._queue: list[tuple[int, int, Block]] = []
        self._order = itertools.count()
        self._left: dict[tuple[str, str], set[int]] = {}
        self._waiting: dict[str, Simulate | Learn] = {}
        self._attempts: dict[tuple[str, str, int], int] = {}

    @property
    def executor(self) -> Executor:
        """The cluster, started when there is something to compute."""
        if self._executor is None:
            self._executor = self._start_executor()
        return self._executor

    def close(self) -> None:
        """Stop the workers, if any were started."""
        if self._executor is not None:
            self._executor.close()

    def run(self, chains: dict[str, Chain]) -> None:
        """Drive every chain to its end."""
        for name, chain in chains.items():
            self._advance(name, chain, None)
        while self._waiting:
            while self._queue and self.executor.free:
                priority, _, block = heapq.heappop(self._queue)
                self.executor.submit(block, -priority)
            outcomes = self.executor.wait()
            reports = [outcome for outcome in outcomes if isinstance(outcome, BlockReport)]
            same = [report for report in reports if self.store.as_before(report)]
            self.different += [report.block for report in reports if report not in same]
            self.store.mark(*same)
            for report in reports:
                self._count(report)
            for outcome in outcomes:
                if isinstance(outcome, Failure):
                    self._retry(outcome)
                elif isinstance(outcome, Learned):
                    self._hand_over(outcome, chains)
            for name, wish in list(self._waiting.items()):
                if isinstance(wish, Simulate) and not self._left[name, wish.round]:
                    del self._waiting[name]
                    self._advance(name, chains[name], self._read(name, wish))

    def _advance(self, name: str, chain: Chain, answer: Any) -> None:
        """Let a chain go on until it has to wait."""
        while True:
            try:
                wish = chain.send(answer)
                if isinstance(wish, Simulate):
                    self._prepare(name, wish)
            except StopIteration:
                self.progress.judged(name)
                return
            except (TooFewSurvivors, StoreMismatch) as error:
                self._set_aside(name, error)
                return
            if isinstance(wish, Learn):
                self._waiting[name] = wish
                self.executor.learn(name, partial(_timed, wish.function))
                return
            if wish.background:
                answer = None
            elif self._left[name, wish.round]:
                self._waiting[name] = wish
                return
            else:
                answer = self._read(name, wish)

    def _read(self, name: str, wish: Simulate) -> dict[str, np.ndarray]:
        return self.store.read(name, wish.round, wish.read)

    def _prepare(self, name: str, wish: Simulate) -> None:
        """Write the draws of a round and queue the blocks that the store lacks."""
        if (name, wish.round) in self._left:
            return
        subject = self.subjects[name]
        brain, person = subject.brain, subject.person
        times = person.tr_s * np.arange(1, 1 + round(brain.duration / 1000.0 / person.tr_s))
        outputs = record.outputs(
            wish.keep,
            self.study.features.names,
            brain.connectome.labels,
            times,
            bits_of(self.study, wish.round),
        )
        # a round that is there keeps its blocks, however many draws the study has by now
        block = self.store.draws(name, wish.round)[1] or block_size(
            self.study, subject, len(wish.theta), wish.keep
        )
        theta = self.store.prepare(name, wish.round, wish.theta, brain.space.params, outputs, block)
        blocks = blocks_of(name, wish.round, len(theta), block)
        missing = [block for block in self.store.missing(blocks) if self._wanted(block)]
        self._left[name, wish.round] = {block.index for block in missing}
        self.progress.planned(name, wish.round, blocks, len(missing))
        for block in missing:
            heapq.heappush(self._queue, (int(wish.background), next(self._order), block))

    def _count(self, report: BlockReport) -> None:
        block = report.block
        self.computed += 1
        self._left[block.chain, block.round].discard(block.index)
        self.progress.computed(report)

    def _retry(self, failure: Failure) -> None:
        key = failure.block.key
        self._attempts[key] = self._attempts.get(key, 0) + 1
        if self._attempts[key] >= ATTEMPTS:
            raise ClusterError(
                f"block {key} failed {ATTEMPTS} times, last with: {failure.error!r}. "
                "What is finished is kept: run the study again once the cause is mended"
            ) from failure.error
        heapq.heappush(self._queue, (0, next(self._order), failure.block))

    def _set_aside(self, name: str, error: HpcvbiError) -> None:
        """Go on without a person whose draws do not suffice."""
        self.failed[name] = error
        self._queue = [entry for entry in self._queue if entry[2].chain != name]
        heapq.heapify(self._queue)
        self.store.append("failed", chain=name, error=str(error))
        self.progress.failed(name, error)

    def _hand_over(self, learned: Learned, chains: dict[str, Chain]) -> None:
        wish = self._waiting.pop(learned.label)
        if isinstance(learned.error, TooFewSurvivors):
            self._set_aside(learned.label, learned.error)
            return
        if learned.error is not None:
            raise learned.error
        assert isinstance(wish, Learn)
        result, seconds = learned.result
        self.store.append("learned", chain=learned.label, label=wish.label, seconds=seconds)
        self.progress.learned(learned.label, wish.label, seconds)
        self._advance(learned.label, chains[learned.label], result)


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result and the CPU seconds that it took."""
    begin = time.thread_time()
    return function(), time.thread_time() - begin
