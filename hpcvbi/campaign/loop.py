"""One loop over all chains: the others' blocks keep the workers busy while one learns."""

import heapq
import itertools
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hpcvbi.campaign import record
from hpcvbi.campaign.chain import infer
from hpcvbi.campaign.follower import Outcome, Progress
from hpcvbi.campaign.limits import Attempts, too_many_lost
from hpcvbi.campaign.plan import bits_of, block_size, bytes_per_draw, check_blocks
from hpcvbi.campaign.stop import WALL_TIME, Stop
from hpcvbi.campaign.subjects import Subject, subjects_of
from hpcvbi.campaign.whole import lacking
from hpcvbi.campaign.wishes import Chain, Learn, Simulate, Together, Wish
from hpcvbi.cluster import Executor, Failure, Learned, Notice
from hpcvbi.cohort import Person
from hpcvbi.config import Study
from hpcvbi.core.block import Block, BlockReport, blocks_of
from hpcvbi.core.errors import HpcvbiError, OutOfTime, Stopped, StoreMismatch, TooFewSurvivors
from hpcvbi.store import Driver, check_room

TICK_S = 0.5
"""How often the loop looks whether it is asked to stop [s]."""
GRACE_S = 10.0
"""How long a run that is asked to stop waits for blocks at work, and for workers to end [s]."""


def run(
    study: Study,
    people: tuple[Person, ...],
    store: Driver,
    start_executor: Callable[[], Executor],
    progress: Progress,
    stop: Stop,
) -> Outcome:
    """Run the study to its end; Stopped if `stop` says so."""
    subjects = subjects_of(study, people)
    check_blocks(study, subjects)
    loop = Loop(study, {s.name: s for s in subjects}, store, start_executor, progress, stop)
    left = lacking(study, store, [s.name for s in subjects])
    for name in (name for name in left if not left[name]):
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
        stop: Stop,
        wanted: Callable[[Block], bool] = lambda block: True,
    ) -> None:
        self.study, self.subjects, self.store, self.progress = study, subjects, store, progress
        for subject in subjects.values():
            store.describe(subject.name, record.permissions(subject.person))
        self.stop, self.computed = stop, 0
        self.failed: dict[str, HpcvbiError] = {}
        self.different: list[Block] = []
        self._wanted = wanted
        self._start_executor = start_executor
        self._executor: Executor | None = None
        self._queue: list[tuple[int, int, Block]] = []
        self._order = itertools.count()
        self._left: dict[tuple[str, str], set[int]] = {}
        self._chains: dict[str, Chain] = {}
        self._waiting: dict[str, Wish] = {}
        self._lost: dict[tuple[str, str], int] = {}
        self._draws: dict[tuple[str, str], int] = {}
        self._attempts = Attempts(study.limits.attempts)

    @property
    def executor(self) -> Executor:
        """The cluster, started when there is something to compute."""
        if self._executor is None:
            self._executor = self._start_executor()
        return self._executor

    def close(self) -> None:
        """Stop the workers, if any were started."""
        if self._executor:
            self._executor.close(GRACE_S if self.stop.signal else None)

    def run(self, chains: dict[str, Chain]) -> None:
        """Drive every chain to its end."""
        self._chains.update(chains)
        for name in chains:
            self._advance(name, None)
        while self._waiting:
            if self.stop.signal:
                self._wind_down()
            if wishes := self._together():
                wish = wishes[min(wishes)]
                self._chains[wish.chain] = wish.tell()
                self._advance(wish.chain, None)
                continue
            while self._queue and self.executor.free:
                priority, _, block = heapq.heappop(self._queue)
                self.executor.submit(block, -priority)
            outcomes = self.executor.wait(TICK_S)
            self._mark([o for o in outcomes if isinstance(o, BlockReport)])
            for outcome in outcomes:
                if isinstance(outcome, Failure):
                    self._retry(outcome)
                elif isinstance(outcome, Learned):
                    self._hand_over(outcome)
                elif isinstance(outcome, Notice):
                    self.progress.notice(outcome.text)
            for name, wish in list(self._waiting.items()):
                if isinstance(wish, Simulate) and not self._left[name, wish.round]:
                    del self._waiting[name]
                    self._advance(name, self._read(name, wish))

    def _wind_down(self) -> None:
        """Take no block any more, mark what is finished, stop."""
        self.progress.stopping(self.stop.signal, GRACE_S)
        end = time.monotonic() + GRACE_S
        if self._executor is not None:
            self._executor.take_back()
            while self._executor.busy and time.monotonic() < end:
                outcomes = self._executor.wait(TICK_S)
                self._mark([o for o in outcomes if isinstance(o, BlockReport)])
        kind = OutOfTime if self.stop.signal == WALL_TIME else Stopped
        raise kind(f"stopped by {self.stop.signal}; {self.computed} blocks are computed, marked")

    def _together(self) -> dict[str, Together]:
        """Who waits for a chain of everybody, if nobody waits for anything else."""
        found = {name: w for name, w in self._waiting.items() if isinstance(w, Together)}
        return found if len(found) == len(self._waiting) else {}

    def _advance(self, name: str, answer: Any) -> None:
        """Let a chain go on until it has to wait."""
        while True:
            try:
                wish = self._chains[name].send(answer)
                if isinstance(wish, Simulate):
                    self._prepare(name, wish)
            except StopIteration:
                self._end(name)
                return
            except (TooFewSurvivors, StoreMismatch) as error:
                self._set_aside(name, error)
                return
            if isinstance(wish, Together):
                self._waiting[name] = wish
                return
            if isinstance(wish, Learn):
                self._waiting[name] = wish
                attempts = self.study.limits.attempts
                self.executor.learn(name, wish.label, wish.function, wish.reads, attempts)
                return
            if name in self.failed:
                return
            if wish.background:
                answer = None
            elif self._left[name, wish.round]:
                self._waiting[name] = wish
                return
            else:
                answer = self._read(name, wish)

    def _end(self, name: str) -> None:
        """Say that a person is done, or wake those who waited for a chain of everybody."""
        if name in self.subjects:
            self.progress.judged(name)
        for person in sorted(self._wishing(name)):
            del self._waiting[person]
            self._advance(person, None)

    def _wishing(self, chain: str) -> list[str]:
        """Who waits for this chain of everybody."""
        wishes = self._waiting.items()
        return [n for n, w in wishes if isinstance(w, Together) and w.chain == chain]

    def _read(self, name: str, wish: Simulate) -> dict[str, np.ndarray]:
        return self.store.read(name, wish.round, wish.read)

    def _prepare(self, name: str, wish: Simulate) -> None:
        """Write the draws of a round and queue the blocks that the store lacks."""
        if (name, wish.round) in self._left:
            return
        study, subject = wish.by or (self.study, self.subjects[name])
        brain, features = subject.brain, study.features.names
        labels, bits = brain.connectome.labels, bits_of(study, wish.round)
        outputs = record.outputs(wish.keep, features, labels, subject.times_s, bits)
        # a round that is there keeps its blocks, however many draws the study has by now
        block = self.store.draws(name, wish.round)[1] or block_size(
            study, subject, len(wish.theta), wish.keep
        )
        theta = self.store.prepare(name, wish.round, wish.theta, brain.space.params, outputs, block)
        blocks = blocks_of(name, wish.round, len(theta), block)
        missing = [block for block in self.store.missing(blocks) if self._wanted(block)]
        size = sum(b.size for b in missing) * bytes_per_draw(study, subject, set(wish.keep))
        check_room(self.store.folder, size, len(missing) * (1 + len(outputs)))
        self._left[name, wish.round] = {block.index for block in missing}
        self._draws[name, wish.round] = len(theta)
        self._lost[name, wish.round] = self.store.lost_draws(name, wish.round)
        self.progress.planned(name, wish.round, blocks, len(missing))
        self._check_lost(name, wish.round)
        for block in missing:
            if (cause := self.store.failed_before(block)) is not None:
                self._fail(block, cause)
            else:
                heapq.heappush(self._queue, (int(wish.background), next(self._order), block))

    def _mark(self, reports: list[BlockReport]) -> None:
        """Mark blocks that lie in the store, and count them."""
        same = [report for report in reports if self.store.as_before(report)]
        self.different += [report.block for report in reports if report not in same]
        self.store.mark(*same)
        for report in reports:
            block = report.block
            self.computed += 1
            self._left[block.chain, block.round].discard(block.index)
            self._lost[block.chain, block.round] += report.diverged + report.failed
            self.progress.computed(report)
            try:
                self._check_lost(block.chain, block.round, report.cause)
            except TooFewSurvivors as error:
                self._set_aside(block.chain, error)

    def _check_lost(self, name: str, round: str, cause: str = "") -> None:
        """Raise TooFewSurvivors where more draws of a round are lost than may be."""
        allowed = self.study.limits.lost
        if self._lost[name, round] <= allowed * self._draws[name, round]:
            return
        found = self.store.read(name, round, ["theta", "status"])
        names = self.subjects[name].brain.space.names
        words = too_many_lost(names, found["theta"], found["status"], allowed, cause)
        raise TooFewSurvivors(f"{round}: {words}")

    def _retry(self, failure: Failure) -> None:
        """Queue a block again, or record that it has failed."""
        if isinstance(failure.error, HpcvbiError):  # of the store or the study, for every block
            raise failure.error
        block = failure.block
        if self.stop.signal or block.chain in self.failed:
            return
        if not self._attempts.exhausted(failure):
            heapq.heappush(self._queue, (0, next(self._order), block))
            return
        self._fail(block, failure.cause)

    def _fail(self, block: Block, cause: str) -> None:
        digests, host = self.store.fail_block(block), socket.gethostname()
        self._mark([BlockReport(block, 0, 0.0, host, digests, block.size, cause=cause)])

    def _set_aside(self, name: str, error: HpcvbiError) -> None:
        """Go on without a person whose draws do not suffice; without all who waited for a chain of
        everybody.
        """
        if name in self.failed:
            return
        if people := self._wishing(name):
            for person in sorted(people):
                self._set_aside(person, error)
            return
        self.failed[name] = error
        self._waiting.pop(name, None)
        self._queue = [entry for entry in self._queue if entry[2].chain != name]
        heapq.heapify(self._queue)
        self.store.append("failed", chain=name, error=str(error))
        self.progress.failed(name, error)

    def _hand_over(self, learned: Learned) -> None:
        wish = self._waiting.pop(learned.chain, None)
        if learned.chain in self.failed:
            return
        if isinstance(learned.error, TooFewSurvivors):
            self._set_aside(learned.chain, learned.error)
            return
        if learned.error is not None:
            raise learned.error
        assert isinstance(wish, Learn)
        name, took = learned.chain, learned.seconds
        spent = {"seconds": took, "occupied": learned.end - learned.begin, "host": learned.host}
        self.store.append("learned", chain=name, label=wish.label, **spent)
        self.progress.learned(name, wish.label, took)
        self._advance(name, learned.result)
