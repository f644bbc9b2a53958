"""Hands blocks and learning steps to workers, and tells what became of them.

Messages are small: a task is a folder and a block, its answer a BlockReport. Arrays go through the
store. A worker says when it begins a block, so that of several blocks that were with a worker when
it died only those at work are suspected, and so that a block that never ends is noticed.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.scheduler import NoValidWorkerError

from hpcvbi.cluster.deaths import Death, Deaths
from hpcvbi.cluster.fetch import Fetch
from hpcvbi.cluster.flight import Flight, Paces
from hpcvbi.cluster.learning import Learned, Learning
from hpcvbi.cluster.offers import Offers
from hpcvbi.cluster.outcome import Failure, Notice, Outcome
from hpcvbi.cluster.pages import pages
from hpcvbi.cluster.plugins import LeaveInTime, LoseQuietly, Unlock
from hpcvbi.cluster.settings import CPU, GPU, TASKS_PER_SLOT
from hpcvbi.cluster.task import BEGUN, simulate_block
from hpcvbi.cluster.versions import versions
from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import ClusterError
from hpcvbi.store import Reads, is_sealed, study_key

_TICK_S = 0.5
_RESTART_S = 60.0
"""How long a worker that hangs may take to stop and come back [s]."""
_SKEW_S = 60.0
"""How far a node's clock may be off without a word [s]."""
_Key = tuple[str, str, int]


class Executor:
    """Blocks and learning steps on a Dask cluster.

    `seconds` is the longest time that a block may take; then its worker is restarted, which needs
    Dask's nanny, for neither a thread nor compiled code can be stopped from outside. `notices`
    says what has happened to the jobs, or raises ClusterError. Blocks go to workers that offer
    `device`, CPU or GPU. With a `dashboard`, Dask's report on the run is kept beside the store.
    `task` is what workers do with the folder, a block and the driver's versions.
    """

    def __init__(
        self,
        client: Client,
        folder: str,
        close: Callable[[], object],
        seconds: float | None = None,
        notices: Callable[[], list[str]] = list,
        device: str = CPU,
        dashboard: bool = False,
        task: Callable[[str, Block, str], BlockReport] = simulate_block,
    ) -> None:
        self._client, self._folder, self._close = client, folder, close
        self._task = task
        self._seconds, self._notices, self._device = seconds, notices, device
        self._outcomes: queue.SimpleQueue[tuple[object, Outcome]] = queue.SimpleQueue()
        self._running: dict[_Key, Flight] = {}
        self._unsent: dict[tuple[bool, int], list[Flight]] = {}
        self._suspects: set[_Key] = set()
        self._deaths = Deaths(client)
        self._skewed: set[str] = set()
        self._paces = Paces()
        self._fetch = Fetch(client, self._hand_over)
        self._versions = versions()
        if is_sealed(Path(folder)):
            client.register_plugin(Unlock(folder, study_key(Path(folder))))
        client.register_plugin(LeaveInTime())
        client.register_plugin(LoseQuietly())
        self._offers = Offers(client)
        self._ticked = 0.0
        client.subscribe_topic(BEGUN, self._note)
        self._learning = Learning(
            client, folder, lambda done: self._outcomes.put((None, done)), self._judge
        )
        self._finish: Callable[[], None] = lambda: None
        if dashboard:
            where, self._finish = pages(client, folder)
            self._outcomes.put((None, Notice(where)))

    @property
    def slots(self) -> int:
        """Blocks that can be computed at once, by the workers that are there."""
        return int(sum(self._offers.of(self._device)))

    @property
    def free(self) -> int:
        """Blocks that may be submitted before the window is full."""
        return max(0, TASKS_PER_SLOT * max(1, self.slots) - len(self._running))

    @property
    def busy(self) -> bool:
        """Whether blocks are with the workers."""
        return bool(self._running)

    def submit(self, block: Block, priority: int = 0) -> None:
        """Hand out a block, with the next `wait`; a larger priority goes first."""
        alone = block.key in self._suspects
        flight = self._running[block.key] = Flight(block, [], alone)
        self._unsent.setdefault((alone, priority), []).append(flight)

    def learn(
        self, chain: str, label: str, function: Callable[..., Any], reads: Reads, attempts: int
    ) -> None:
        """Start a learning step, on workers that do not simulate if there are such; its outcome
        carries `chain`. See `Learning.submit`.
        """
        other = GPU if self._device == CPU else CPU
        where = {other if self._offers.of(other) else self._device: 1.0}
        self._learning.submit(chain, label, function, reads, attempts, where)

    def wait(self, timeout: float | None = None) -> list[Outcome]:
        """Wait for an outcome, and return all that are there; none after `timeout` [s].

        Raises
        ------
        ClusterError : no worker can be started any more.
        """
        end = None if timeout is None else time.monotonic() + timeout
        for (_, priority), flights in self._unsent.items():
            self._send(flights, priority)
        self._unsent.clear()
        while True:
            if time.monotonic() - self._ticked > _TICK_S:  # it takes as long as blocks are many
                self._ticked = time.monotonic()
                self._expire()
                self._back_up()
            for text in self._notices():
                self._outcomes.put((None, Notice(text)))
            left = _TICK_S if end is None else min(_TICK_S, max(0.0, end - time.monotonic()))
            outcomes = self._collect(left)
            if outcomes or (end is not None and time.monotonic() >= end):
                return outcomes

    def take_back(self) -> None:
        """Cancel the blocks that no worker has begun."""
        self._unsent.clear()
        waiting = [key for key, flight in self._running.items() if not flight.begun]
        self._client.cancel([c for key in waiting for c in self._running.pop(key).copies])

    def close(self, patience: float | None = None) -> None:
        """Stop the workers; wait no longer than `patience` [s] for those that are at work."""
        self._learning.close()
        self._fetch.stop()

        def stop() -> None:
            self._finish()
            self._client.close()
            self._close()

        if patience is None:
            stop()
            return
        stopping = threading.Thread(target=stop, daemon=True)
        stopping.start()
        stopping.join(patience)

    def _send(self, flights: list[Flight], priority: int, workers: list[str] | None = None) -> None:
        """Submit a copy of each block; those that are suspected need all that a worker offers."""
        amount = 1.0
        if flights[0].alone:
            amount = max(self._offers.of(self._device), default=1.0)
        count = len(flights)
        futures = self._client.map(  # one message for all
            self._task,
            [self._folder] * count,
            [flight.block for flight in flights],
            [self._versions] * count,
            pure=False,
            priority=priority,
            resources={self._device: amount},
            workers=workers,
        )
        for flight, future in zip(flights, futures, strict=True):
            flight.copies.append(future)
            self._fetch.follow(flight, future)

    def _note(self, event: tuple[float, Any]) -> None:
        """Remember which worker has begun a block, and when, by this process's own clock."""
        _, (chain, round, index, worker, host, clock) = event
        if flight := self._running.get((chain, round, index)):
            if len(flight.copies) < 2:  # if there was a worker before this one, it has left
                flight.begun.clear()
            flight.begun[worker] = time.monotonic()
        ahead = clock - time.time()
        if abs(ahead) > _SKEW_S and host not in self._skewed:
            self._skewed.add(host)
            words = f"the clock of {host} is {ahead:+.0f} s off the driver's: results do not "
            words += "depend on it, times in logs do"
            self._outcomes.put((None, Notice(words)))

    def _collect(self, timeout: float) -> list[Outcome]:
        found: list[tuple[object, Outcome]] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._outcomes.get(timeout=timeout))
            while True:
                found.append(self._outcomes.get_nowait())
        return [outcome for copy, outcome in found if self._counts(copy, outcome)]

    def _counts(self, copy: object, outcome: Outcome) -> bool:
        """Take the first answer of a block, and the last failure."""
        if isinstance(outcome, Learned | Notice):
            return True
        flight = self._running.get(outcome.block.key)
        if flight is None or copy not in flight.copies:  # it was taken back, or took too long
            return False
        flight.copies.remove(copy)
        if isinstance(outcome, Failure) and flight.copies:
            flight.begun = {w: begin for w, begin in flight.begun.items() if w in self._offers()}
            return False
        if flight.copies:
            self._client.cancel(flight.copies)
        del self._running[outcome.block.key]
        if isinstance(copy, Future):
            copy.release()
        if isinstance(outcome, BlockReport):
            self._paces.note(outcome)
            self._suspects.discard(outcome.block.key)
        return True

    def _expire(self) -> None:
        """Restart the workers of blocks that take too long."""
        for flight in list(self._running.values()) if self._seconds else []:
            for worker, begin in list(flight.begun.items()):
                if time.monotonic() - begin > (self._seconds or 0.0):
                    copies, flight.copies, flight.begun = flight.copies, [late := object()], {}
                    args = worker, copies, late, flight.block
                    threading.Thread(target=self._restart, args=args, daemon=True).start()
                    break

    def _restart(self, worker: str, copies: list[Any], late: object, block: Block) -> None:
        """Stop the worker first: what it was computing must not be written any more."""
        self._deaths.excuse(worker)
        with contextlib.suppress(Exception):  # it may have died by itself, or be out of reach
            self._client.cancel(copies)
            self._client.restart_workers([worker], timeout=_RESTART_S, raise_for_error=False)
        cause = f"no end within {self._seconds:g} s"
        self._outcomes.put((late, Failure(block, TimeoutError(cause), cause)))

    def _back_up(self) -> None:
        """Give late blocks a second copy on another worker, where some have nothing to do."""
        idle = self.slots - sum(len(flight.copies) for flight in self._running.values())
        for flight in list(self._running.values()):
            if idle > 0 and len(flight.copies) == 1 and self._paces.is_late(flight):
                offers = self._offers()
                others = [w for w in offers if self._device in offers[w] and w not in flight.begun]
                if others and not flight.alone:
                    self._send([flight], 1, others)
                    idle -= 1

    def _hand_over(self, flight: Flight, future: Future, report: BlockReport | None) -> None:
        try:
            outcome = report or self._outcome(flight, future)
        except Exception as error:  # nobody else would say what became of the block
            outcome = Failure(flight.block, error, _words(error), blamed=False)
        self._outcomes.put((future, outcome))

    def _judge(self, worker: Any) -> Death:
        return self._deaths.judge(worker, list(self._running.values()))

    def _outcome(self, flight: Flight, future: Future) -> Outcome:
        block = flight.block
        try:
            if future.status == "finished":
                return future.result()
            if future.status != "error":
                raise RuntimeError(f"the task is {future.status}")
            error = future.exception()
            assert isinstance(error, BaseException)
        except Exception as gone:  # the answer was lost on its way
            return Failure(block, gone, _words(gone), blamed=False)
        if isinstance(error, KilledWorker):
            death = self._judge(error.last_worker)
            at_work = block.key in death.at_work
            if at_work and death.crowded:
                self._suspects.add(block.key)
            return Failure(block, error, death.cause, at_work and not death.crowded)
        if isinstance(error, NoValidWorkerError):
            error = ClusterError(
                "all workers are gone and none came back: look for what ends them, then run the "
                "same command again; what is finished is kept"
            )
        return Failure(block, error, _words(error))


def _words(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    return f"{type(error).__name__}: {error}"[:200]
