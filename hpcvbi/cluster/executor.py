"""Hands blocks and learning steps to workers, and tells what became of them.

Messages are small: a task is a folder and a block, its answer a BlockReport. Arrays go through the
store. A worker says when it begins a block, so that of several blocks that were with a worker when
it died only the one at work is blamed, and so that a block that never ends is noticed.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, WorkerPlugin
from distributed.scheduler import NoValidWorkerError

from hpcvbi.cluster.learning import Learned, Learning
from hpcvbi.cluster.task import BEGUN, simulate_block
from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import ClusterError
from hpcvbi.store import Reads, StudyKey, is_sealed, study_key, unlock

TASKS_PER_WORKER = 3
"""Blocks handed out per worker: one runs, the others hide the way to the scheduler and back."""
_TICK_S = 0.5
_RESTART_S = 60.0
"""How long a worker that hangs may take to stop and come back [s]."""
_Key = tuple[str, str, int]


@dataclass(frozen=True)
class Failure:
    """A block that raised, never ended, or lost its worker; `cause` says it in words.

    It is not `blamed` where it only waited its turn on a worker that died.
    """

    block: Block
    error: BaseException
    cause: str
    blamed: bool = True


Outcome = BlockReport | Failure | Learned


class Unlock(WorkerPlugin):
    """Gives every worker, also one that starts later, the key of an encrypted store: over the
    cluster's TLS, in no task's arguments and on no disk.
    """

    name = "hpcvbi-unlock"

    def __init__(self, folder: str, key: StudyKey) -> None:
        self._folder, self._key = folder, key

    def setup(self, worker: object) -> None:
        """Keep the key in the worker's memory."""
        unlock(Path(self._folder), self._key)


class Executor:
    """Blocks and learning steps on a Dask cluster.

    `seconds` is the longest time that a block may take; then its worker is restarted, which needs
    Dask's nanny, for neither a thread nor compiled code can be stopped from outside.
    """

    def __init__(
        self,
        client: Client,
        folder: str,
        close: Callable[[], object],
        seconds: float | None = None,
    ) -> None:
        self._client, self._folder, self._close = client, folder, close
        self._seconds = seconds
        self._outcomes: queue.SimpleQueue[tuple[object, Outcome]] = queue.SimpleQueue()
        self._running: dict[_Key, object] = {}
        self._blocks: dict[_Key, Block] = {}
        self._begun: dict[_Key, tuple[str, float]] = {}
        if is_sealed(Path(folder)):
            client.register_plugin(Unlock(folder, study_key(Path(folder))))
        threads: Any = client.nthreads()
        self.workers = max(1, len(threads))  # one that has just died comes back
        client.subscribe_topic(BEGUN, self._note)
        self._learning = Learning(client, folder, lambda done: self._outcomes.put((None, done)))

    @property
    def free(self) -> int:
        """Blocks that may be submitted before the window is full."""
        return max(0, TASKS_PER_WORKER * self.workers - len(self._running))

    @property
    def busy(self) -> bool:
        """Whether blocks are with the workers."""
        return bool(self._running)

    def submit(self, block: Block, priority: int = 0) -> None:
        """Start a block; a larger priority goes first."""
        future = self._client.submit(
            simulate_block, self._folder, block, pure=False, priority=priority
        )
        self._running[block.key], self._blocks[block.key] = future, block
        future.add_done_callback(
            lambda done: self._outcomes.put((done, self._outcome(block, done)))
        )

    def learn(
        self, chain: str, label: str, function: Callable[..., Any], reads: Reads, attempts: int
    ) -> None:
        """Start a learning step; its outcome carries `chain`. See `Learning.submit`."""
        self._learning.submit(chain, label, function, reads, attempts)

    def wait(self, timeout: float | None = None) -> list[Outcome]:
        """Wait for an outcome, and return all that are there; none after `timeout` [s]."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self._expire()
            left = _TICK_S if end is None else min(_TICK_S, max(0.0, end - time.monotonic()))
            outcomes = self._collect(left)
            if outcomes or (end is not None and time.monotonic() >= end):
                return outcomes

    def take_back(self) -> None:
        """Cancel the blocks that no worker has begun."""
        waiting = [key for key in self._running if key not in self._begun]
        futures = [self._running.pop(key) for key in waiting]
        self._client.cancel([future for future in futures if isinstance(future, Future)])

    def close(self, patience: float | None = None) -> None:
        """Stop the workers; wait no longer than `patience` [s] for those that are at work."""
        self._learning.close()

        def stop() -> None:
            self._client.close()
            self._close()

        if patience is None:
            stop()
            return
        stopping = threading.Thread(target=stop, daemon=True)
        stopping.start()
        stopping.join(patience)

    def _note(self, event: tuple[float, Any]) -> None:
        """Remember which worker has begun a block, and when, by this process's own clock."""
        _, (chain, round, index, worker) = event
        self._begun[chain, round, index] = worker, time.monotonic()

    def _collect(self, timeout: float) -> list[Outcome]:
        found: list[tuple[object, Outcome]] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._outcomes.get(timeout=timeout))
            while True:
                found.append(self._outcomes.get_nowait())
        outcomes: list[Outcome] = []
        for attempt, outcome in found:
            if not isinstance(outcome, Learned):
                key = outcome.block.key
                if self._running.get(key) is not attempt:  # it was taken back, or took too long
                    continue
                del self._running[key], self._blocks[key]
                self._begun.pop(key, None)
                if isinstance(attempt, Future):
                    attempt.release()
            outcomes.append(outcome)
        return outcomes

    def _expire(self) -> None:
        """Restart the workers of blocks that take too long."""
        if self._seconds is None:
            return
        for key, (worker, begin) in list(self._begun.items()):
            future = self._running.get(key)
            if time.monotonic() - begin > self._seconds and isinstance(future, Future):
                self._running[key] = late = object()
                args = worker, future, late, self._blocks[key]
                threading.Thread(target=self._restart, args=args, daemon=True).start()

    def _restart(self, worker: str, future: Future, late: object, block: Block) -> None:
        """Stop the worker first: what it was computing must not be written any more."""
        with contextlib.suppress(Exception):  # it may have died by itself, or be out of reach
            future.cancel()
            self._client.restart_workers([worker], timeout=_RESTART_S, raise_for_error=False)
        cause = f"no end within {self._seconds:g} s"
        self._outcomes.put((late, Failure(block, TimeoutError(cause), cause)))

    def _outcome(self, block: Block, future: Future) -> Outcome:
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
            worker, _ = self._begun.get(block.key, ("", 0.0))
            blamed = worker == error.last_worker.address
            return Failure(block, error, "its worker was killed", blamed)
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
