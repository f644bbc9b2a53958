"""What every worker is given when it joins: Dask's worker plugins."""

import asyncio
import logging
import os
import signal
import time
from pathlib import Path

from distributed import Worker, WorkerPlugin
from distributed.core import Status

from hpcvbi.cluster.settings import JOB_ENDS
from hpcvbi.store import StudyKey, unlock

RESERVE_S = 30.0
"""Time before the end of its job in which a worker begins nothing any more [s]."""
_LOOK_S = 1.0
_DELIVER_S = 10.0
"""How long the driver may take to fetch the last reports [s]."""


class LeaveCtrlC(WorkerPlugin):
    """Ctrl-C reaches every process of a terminal; the driver alone is to act on it."""

    name = "hpcvbi-leave-ctrl-c"

    def setup(self, worker: Worker) -> None:
        """Ignore SIGINT in a worker's process."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class LoseQuietly(WorkerPlugin):
    """A worker's heartbeat may find its scheduler gone before the worker hears that the run has
    ended. Dask logs that as an error, with a traceback; if something is wrong, the driver says it.
    """

    name = "hpcvbi-lose-quietly"

    def setup(self, worker: object) -> None:
        """Leave that line out of the worker's log."""
        logging.getLogger("distributed.worker").addFilter(_no_lost_heartbeat)


def _no_lost_heartbeat(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Failed to communicate with scheduler")


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


class LeaveInTime(WorkerPlugin):
    """A worker whose job nears its wall time takes no further block, finishes those that it has
    begun, and leaves: Dask's own `--lifetime` drops them.
    """

    name = "hpcvbi-leave-in-time"

    def setup(self, worker: Worker) -> None:
        """Watch the time, if the job has an end."""
        if JOB_ENDS in os.environ:
            self._watching = asyncio.ensure_future(self._watch(worker))

    async def _watch(self, worker: Worker) -> None:
        from hpcvbi.cluster.task import longest_block

        ends = float(os.environ[JOB_ENDS])
        while time.time() < ends - RESERVE_S - 1.5 * longest_block():
            await asyncio.sleep(_LOOK_S)
        worker.status = Status.closing_gracefully
        while worker.state.executing_count:
            await asyncio.sleep(_LOOK_S)
        delivered = time.monotonic() + _DELIVER_S
        while worker.data and time.monotonic() < delivered:
            await asyncio.sleep(_LOOK_S)
        await worker.close(reason="the job's wall time is near")
