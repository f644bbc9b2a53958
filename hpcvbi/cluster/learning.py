"""Learning steps on the workers, each in a child process of the worker that takes it.

A worker may have many threads, and learning seeds generators that are global to a process; so a
step that has begun occupies one of the worker's slots and waits for a child. A child is kept for
the next step, for importing torch takes seconds; a worker has at most as many as it has slots. The
child reads from the store what it learns from, and its answer, plain arrays, goes to the driver.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future as ChildFuture
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, Worker, WorkerPlugin, get_worker
from distributed.protocol.pickle import dumps, loads
from distributed.scheduler import NoValidWorkerError

from hpcvbi.cluster.deaths import Death
from hpcvbi.core.errors import ClusterError, HpcvbiError
from hpcvbi.store import Reads, StudyKey, is_sealed, lengths, read_current, study_key, unlock

BEGUN = "hpcvbi learning begun"
"""Topic under which a worker says which task it has begun."""
PRIORITY = 10
"""Of a step before all blocks: a person waits for it."""
WAITED = 30
"""How often a step may lose its worker before it has begun, or with the worker's whole job; then
the cluster is to blame.
"""


@dataclass(frozen=True)
class Learned:
    """What became of a learning step of `chain`.

    `seconds` is CPU time; `begin` and `end` are by the clock of `host` [s].
    """

    chain: str
    result: Any
    error: BaseException | None
    seconds: float = 0.0
    host: str = ""
    begin: float = 0.0
    end: float = 0.0


@dataclass(frozen=True)
class Step:
    """What is to be learned: `function` gets as keywords what `reads` names of the chain."""

    chain: str
    label: str
    function: Callable[..., Any]
    reads: Reads


@dataclass(frozen=True)
class _Attempt:
    """A step that may be begun `allowed` times, with what its earlier attempts came to."""

    step: Step
    allowed: int
    resources: Mapping[str, float] | None
    begun: int = 0
    waited: int = 0


class Learning:
    """Submits steps to a cluster, again where a process died or an answer was lost.

    `tell` gets one outcome for each step, in a thread of its own; `judge` says of what a worker
    died.
    """

    def __init__(
        self,
        client: Client,
        folder: str,
        tell: Callable[[Learned], object],
        judge: Callable[[Any], Death],
    ) -> None:
        self._client, self._folder, self._tell, self._judge = client, folder, tell, judge
        self._running: dict[str, Future] = {}
        self._begun: dict[object, str] = {}
        self._closed = False
        client.register_plugin(Children())
        client.subscribe_topic(BEGUN, self._note)

    def submit(
        self,
        chain: str,
        label: str,
        function: Callable[..., Any],
        reads: Reads,
        attempts: int,
        resources: Mapping[str, float] | None = None,
    ) -> None:
        """Start the step that `chain` waits for, on a worker that has these Dask resources.

        `function` is of a module, or a partial of one. What it raises is the outcome's error, at
        once; after so many `attempts` that its processes did not survive, a ClusterError.
        """
        self._start(_Attempt(Step(chain, label, function, reads), attempts, resources))

    def close(self) -> None:
        """Tell no outcome any more."""
        self._closed = True

    def _note(self, event: tuple[float, Any]) -> None:
        _, (key, worker) = event
        self._begun[key] = worker

    def _start(self, attempt: _Attempt) -> None:
        future = self._client.submit(
            learn,
            self._folder,
            dumps(attempt.step),
            lengths(Path(self._folder)),
            pure=False,
            priority=PRIORITY,
            resources=attempt.resources,
        )
        self._running[attempt.step.chain] = future
        # Dask has one thread for all callbacks, and an answer may have to be computed again
        ended = threading.Thread(target=self._end, args=(attempt, future), daemon=True)
        future.add_done_callback(lambda _: ended.start())

    def _end(self, attempt: _Attempt, future: Future) -> None:
        """Tell the outcome, or try again."""
        try:
            outcome = self._outcome(attempt, future)
            if isinstance(outcome, _Attempt):
                if not self._closed:
                    self._start(outcome)
                return
        except Exception as error:  # the scheduler is out of reach
            outcome = _lost(attempt, f"of {_words(error)}")
        self._running.pop(attempt.step.chain, None)
        if not self._closed:
            self._tell(outcome)

    def _outcome(self, attempt: _Attempt, future: Future) -> Learned | _Attempt:
        begun = True
        try:
            if (learned := future.result()) is not None:
                return learned
            cause = "the process that learned was killed"
        except NoValidWorkerError:
            return _lost(attempt, "all workers are gone and none came back")
        except KilledWorker as error:
            worker = error.last_worker
            death = self._judge(worker)
            begun = self._begun.get(future.key) == worker.address and not death.outside
            cause = death.cause
        except Exception as error:
            cause = _words(error)
        finally:
            self._begun.pop(future.key, None)
        attempt = replace(attempt, begun=attempt.begun + begun, waited=attempt.waited + (not begun))
        if attempt.begun >= attempt.allowed:
            return _lost(attempt, f"{cause}, the last of {attempt.begun} times")
        if attempt.waited >= WAITED:
            return _lost(attempt, f"{WAITED} workers died before they began it, or with their jobs")
        return attempt


def _lost(attempt: _Attempt, cause: str) -> Learned:
    step = attempt.step
    error = ClusterError(
        f"{step.chain}: {step.label} cannot be learned: {cause}. Look for what ends the processes "
        "(memory, the system's log), then run the same command again; what is finished is kept"
    )
    return Learned(step.chain, None, error)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]


# ---- on a worker


class Children(WorkerPlugin):
    """The processes in which a worker's steps are learned, each taken by one step at a time.

    Each is a pool of its own, for with one of its processes a pool loses all of them.
    """

    name = "hpcvbi-children"
    _idle: "queue.LifoQueue[ProcessPoolExecutor]"

    def setup(self, worker: Worker) -> None:
        """Begin without any."""
        self._idle = queue.LifoQueue()

    def teardown(self, worker: Worker) -> None:
        """Kill them: a worker that is asked to end does not wait for what is learned."""
        for child in multiprocessing.active_children():
            child.kill()

    def run(self, function: Callable[..., Learned], *arguments: object) -> Learned:
        """Return what the function returns in a child; BrokenProcessPool if that dies."""
        child, future = self._submit(function, *arguments)
        try:
            learned = future.result()
        except BaseException:
            child.shutdown(wait=False)
            raise
        self._idle.put(child)
        return learned

    def _submit(self, *call: Any) -> tuple[ProcessPoolExecutor, ChildFuture[Learned]]:
        while True:
            try:
                child = self._idle.get_nowait()
            except queue.Empty:
                spawn = multiprocessing.get_context("spawn")
                child = ProcessPoolExecutor(1, spawn, initializer=_follow_the_worker)
                return child, child.submit(*call)
            with contextlib.suppress(BrokenProcessPool):  # it died since its last step
                return child, child.submit(*call)


def learn(folder: str, step: bytes, ledger: Mapping[str, int]) -> Learned | None:
    """Learn a pickled step in a child of this worker, which need not import what is learned with;
    None if the child died, of which Dask would print a traceback. An encrypted store's key goes
    there by the child's pipe.
    """
    worker = get_worker()
    worker.log_event(BEGUN, [worker.get_current_task(), worker.address])
    children = worker.plugins[Children.name]
    assert isinstance(children, Children)
    key = study_key(Path(folder)) if is_sealed(Path(folder)) else None
    try:
        return children.run(perform_pickled, folder, step, ledger, key)
    except BrokenProcessPool:
        return None


# ---- in a child


def _follow_the_worker() -> None:
    """End with the worker, however that ends, and leave Ctrl-C to the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()  # returns when the kernel closes the dead parent's end of a pipe
    os._exit(1)


def perform_pickled(
    folder: str, step: bytes, ledger: Mapping[str, int], key: StudyKey | None
) -> Learned:
    """Perform a step that came pickled."""
    return perform(folder, loads(step), ledger, key)


def perform(folder: str, step: Step, ledger: Mapping[str, int], key: StudyKey | None) -> Learned:
    """Read what the step needs, when the store's ledger is as long as `ledger` says, and learn."""
    begin, cpu = time.time(), time.process_time()
    result: Any = None
    error: Exception | None = None
    try:
        if key is not None:
            unlock(Path(folder), key)
        result = step.function(**read_current(Path(folder), step.chain, step.reads, ledger))
    except Exception as raised:
        if not isinstance(raised, HpcvbiError):
            raised.add_note(f"in {step.label} of {step.chain}\n{traceback.format_exc()}")
        error = raised
    seconds, host = time.process_time() - cpu, socket.gethostname()
    return Learned(step.chain, result, error, seconds, host, begin, time.time())
