"""Hands blocks to workers and learning steps to a thread, and tells what became of them.

Messages are small: a task is a folder and a block, its answer a BlockReport. Arrays go through the
store.
"""

import queue
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, Future, WorkerPlugin

from hpcvbi.cluster.task import simulate_block
from hpcvbi.core.block import Block, BlockReport
from hpcvbi.store import StudyKey, is_sealed, study_key, unlock

TASKS_PER_WORKER = 3
"""Blocks handed out per worker: one runs, the others hide the way to the scheduler and back."""


@dataclass(frozen=True)
class Failure:
    """A block that raised, or whose worker died too often."""

    block: Block
    error: BaseException


@dataclass(frozen=True)
class Learned:
    """The result of a learning step, by the label that it was submitted with."""

    label: str
    result: Any
    error: BaseException | None


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
    """Blocks on a Dask cluster, learning in one thread of the driver."""

    def __init__(self, client: Client, folder: str, close: Callable[[], object]) -> None:
        self._client, self._folder, self._close = client, folder, close
        self._outcomes: queue.Queue[Outcome] = queue.Queue()
        self._running: dict[tuple[str, str, int], Future] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="learn")
        if is_sealed(Path(folder)):
            client.register_plugin(Unlock(folder, study_key(Path(folder))))
        self.workers = len(client.scheduler_info()["workers"])

    @property
    def free(self) -> int:
        """Blocks that may be submitted before the window is full."""
        return max(0, TASKS_PER_WORKER * self.workers - len(self._running))

    def submit(self, block: Block, priority: int = 0) -> None:
        """Start a block; a larger priority goes first."""
        future = self._client.submit(
            simulate_block, self._folder, block, pure=False, priority=priority
        )
        self._running[block.key] = future
        future.add_done_callback(lambda done: self._outcomes.put(_outcome(block, done)))

    def learn(self, label: str, function: Callable[[], Any]) -> None:
        """Start a learning step; its outcome carries `label`."""

        def finished(done: ThreadFuture) -> None:
            error = done.exception()
            self._outcomes.put(Learned(label, None if error else done.result(), error))

        self._thread.submit(function).add_done_callback(finished)

    def wait(self, timeout: float | None = None) -> list[Outcome]:
        """Wait for an outcome, and return all that are there; none after `timeout` [s]."""
        try:
            outcomes = [self._outcomes.get(timeout=timeout)]
        except queue.Empty:
            return []
        while not self._outcomes.empty():
            outcomes.append(self._outcomes.get())
        for outcome in outcomes:
            if not isinstance(outcome, Learned):
                self._running.pop(outcome.block.key).release()
        return outcomes

    def close(self) -> None:
        """Stop the workers."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._client.close()
        self._close()


def _outcome(block: Block, future: Future) -> Outcome:
    if future.status == "finished":
        return future.result()
    error = future.exception()
    if not isinstance(error, BaseException):
        error = RuntimeError(f"the task is {future.status}")
    return Failure(block, error)
