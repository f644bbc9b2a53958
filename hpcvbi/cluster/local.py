"""An embedded Dask cluster: one single-threaded worker process per core, mutual TLS."""

import logging
import os
import warnings

import dask.config
from distributed import Client, LocalCluster, Security

from hpcvbi.cluster.executor import Executor
from hpcvbi.core.errors import ClusterError

ONE_THREAD = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
}
"""Set before a worker imports NumPy: parallelism is over blocks, never inside one."""

SETTINGS = {
    "distributed.nanny.pre-spawn-environ": ONE_THREAD,
    "distributed.scheduler.allowed-failures": 10,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.worker-saturation": 1.1,
    "distributed.comm.timeouts.connect": "30s",
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.comm.require-encryption": True,
    "distributed.admin.tick.limit": "30s",
}


def local_executor(folder: str, workers: int | None = None) -> Executor:
    """Start `workers` processes (one per usable core if None) for the store in `folder`."""
    count = workers or len(os.sched_getaffinity(0))
    for name in ("distributed", "distributed.worker", "distributed.nanny", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with dask.config.set(SETTINGS), warnings.catch_warnings():
        # Dask announces that it has picked another port when its favourite one is taken.
        warnings.filterwarnings("ignore", message="Port .* is already in use", category=UserWarning)
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                security=Security.temporary(),
                protocol="tls",
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
            )
        except OSError as error:
            raise ClusterError(f"cannot start {count} workers on this machine: {error}") from error
        client = Client(cluster, set_as_default=False)
    return Executor(client, folder, cluster.close)
