"""An embedded Dask cluster: one single-threaded worker process per core, mutual TLS."""

import logging
import os
import signal
import warnings
from contextlib import ExitStack

import dask.config
from distributed import Client, LocalCluster, Worker, WorkerPlugin

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.keys import keys_in_memory
from hpcvbi.cluster.settings import SETTINGS
from hpcvbi.core.errors import ClusterError

WHILE_IT_RUNS = {
    # Dask gives up a worker that dies and takes longer than 15 s to come back, as under load
    "distributed.deploy.lost-worker-timeout": "300s",
    "distributed.scheduler.no-workers-timeout": "300s",
    "distributed.worker.daemon": SETTINGS["distributed.worker.daemon"],
}
"""Settings that Dask looks up later than at the start, as when a worker comes back."""


class LeaveCtrlC(WorkerPlugin):
    """Ctrl-C reaches every process of a terminal; the driver alone is to act on it."""

    def setup(self, worker: Worker) -> None:
        """Ignore SIGINT in a worker's process."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def local_executor(
    folder: str, workers: int | None = None, seconds: float | None = None
) -> Executor:
    """Start `workers` processes (one per usable core if None) for the store in `folder`; a block
    may take `seconds`.
    """
    count = workers or len(os.sched_getaffinity(0))
    for name in ("distributed", "distributed.worker", "distributed.nanny", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.ERROR)
    running = ExitStack()
    running.enter_context(dask.config.set(WHILE_IT_RUNS))
    with dask.config.set(SETTINGS), warnings.catch_warnings():
        # Dask announces that it has picked another port when its favourite one is taken.
        warnings.filterwarnings("ignore", message="Port .* is already in use", category=UserWarning)
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                security=keys_in_memory(),
                protocol="tls",
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
            )
            running.callback(cluster.close)
            client = Client(cluster, set_as_default=False)
            client.register_plugin(LeaveCtrlC())
            return Executor(client, folder, running.close, seconds)
        except OSError as error:
            running.close()
            raise ClusterError(f"cannot start {count} workers on this machine: {error}") from error
        except BaseException:
            running.close()
            raise
