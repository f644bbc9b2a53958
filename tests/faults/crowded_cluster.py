"""A cluster on this machine whose workers compute several blocks at once."""

import warnings
from collections.abc import Callable

import dask.config
from distributed import Client, LocalCluster

from hpcvbi.cluster import Executor
from hpcvbi.cluster.keys import keys_in_memory
from hpcvbi.cluster.settings import CPU, LOOPBACK, SETTINGS, while_it_runs


def crowded(workers: int, threads: int) -> Callable[[str], Executor]:
    """Return what starts such a cluster for a store's folder."""

    def start(folder: str) -> Executor:
        dask.config.set(while_it_runs(300, 300))
        with dask.config.set(SETTINGS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=threads,
                security=keys_in_memory(),
                protocol="tls",
                host="127.0.0.1",
                dashboard_address=LOOPBACK,
                worker_dashboard_address=LOOPBACK,
                resources={CPU: threads},
            )
            return Executor(Client(cluster, set_as_default=False), folder, cluster.close)

    return start
