"""An embedded Dask cluster: one single-threaded worker process per core and per GPU."""

import logging
import os
import warnings
from contextlib import ExitStack
from typing import Any

import dask.config
from distributed import Client, LocalCluster

from hpcvbi.cluster.devices import VISIBLE
from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.keys import keys_in_memory
from hpcvbi.cluster.node import free_port, scratch_of
from hpcvbi.cluster.plugins import LeaveCtrlC
from hpcvbi.cluster.settings import (
    CPU,
    GPU,
    LOOPBACK,
    SETTINGS,
    quieten,
    serving,
    while_it_runs,
)
from hpcvbi.config.clusters import Local
from hpcvbi.core.errors import ClusterError

BACK_S = 300.0
"""How long a worker may take to come back [s]: under load longer than Dask's 15 s."""
HOST = "127.0.0.1"


def local_executor(
    folder: str,
    workers: int | None = None,
    seconds: float | None = None,
    section: Local | None = None,
    device: str = CPU,
) -> Executor:
    """Start `workers` processes (one per usable core if None) for the store in `folder`, and what
    else `section` says; a block may take `seconds`.
    """
    section = section or Local(kind="local", dashboard=False)
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    quieten()
    running = ExitStack()
    running.enter_context(dask.config.set(while_it_runs(BACK_S, BACK_S)))
    settings = {**SETTINGS, **serving(section.dashboard)}
    with dask.config.set(settings), warnings.catch_warnings():
        # Dask announces that it has picked another port when its favourite one is taken.
        warnings.filterwarnings("ignore", message="Port .* is already in use", category=UserWarning)
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                security=keys_in_memory(),
                protocol="tls",
                host=HOST,
                scheduler_port=free_port(section.ports),
                dashboard_address=LOOPBACK,
                scheduler_kwargs={"dashboard": section.dashboard},
                # or each worker warns that its own profile is too deep to be measured
                silence_logs=logging.ERROR,
                local_directory=scratch_of(section.scratch),
                resources={CPU: 1},
            )
            running.callback(cluster.close)
            _add_gpus(cluster, section.gpus)
            client = Client(cluster, set_as_default=False)
            client.register_plugin(LeaveCtrlC())
            return Executor(
                client, folder, running.close, seconds, device=device, dashboard=section.dashboard
            )
        except OSError as error:
            running.close()
            raise ClusterError(f"cannot start {count} workers on this machine: {error}") from error
        except BaseException:
            running.close()
            raise


def _add_gpus(cluster: LocalCluster, gpus: int) -> None:
    """Start a worker for each GPU, which sees no other."""
    listed = os.environ.get(VISIBLE)
    devices = listed.split(",") if listed else [str(number) for number in range(gpus)]
    if len(devices) < gpus:
        raise ClusterError(
            f"cluster.gpus is {gpus}, and {VISIBLE} lists {len(devices)} here: {listed}"
        )
    template: dict[str, Any] = dict(cluster.new_spec or {})
    for device in devices[:gpus]:
        own = {"resources": {GPU: 1}, "env": {VISIBLE: device}}
        cluster.worker_spec[f"gpu-{device}"] = {
            "cls": template["cls"],
            "options": {**template["options"], **own},
        }
    if gpus:
        cluster.scale(len(cluster.worker_spec))
        cluster.wait_for_workers(len(cluster.worker_spec), timeout=BACK_S)
