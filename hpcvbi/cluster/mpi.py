"""One MPI launch as a cluster: rank 0 schedules, rank 1 drives, the others work.

MPI starts the processes, agrees on the study, hands out the keys, which lie on no disk, and ends
all together; what is computed goes over Dask's own connections. Each working rank is Dask's nanny,
so that a worker that is killed comes back. A rank that is killed ends the launch, as MPI does it.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import dask.config
from distributed import Client, Nanny, Scheduler, Security

from hpcvbi.cluster.devices import VISIBLE, device_of, node_of
from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.keys import keys_in_memory
from hpcvbi.cluster.launch import Launch
from hpcvbi.cluster.node import (
    check_interface,
    free_port,
    memory_share,
    ports_of,
    scratch_of,
    threads_of,
)
from hpcvbi.cluster.settings import CPU, GPU, LOOPBACK, SETTINGS, quieten, serving, while_it_runs
from hpcvbi.config import Study
from hpcvbi.config.clusters import Mpi
from hpcvbi.core.errors import ClusterError, HpcvbiError

SCHEDULER, DRIVER, FIRST_WORKER = 0, 1, 2
_START_S = 120.0
"""How long workers may take to come [s]."""
_BACK_S = 300.0
"""How long there may be no worker at all [s]."""
_END_S = 15.0
"""How long the ranks may take to end when the driver has [s]; then MPI ends them."""
_KILL_S = 2.0
"""How long a worker at work is asked to end before it is killed [s]."""
_POLITE_S = 2.0
"""How long a rank that says nothing leaves the one that speaks [s], or a launcher might end it."""
_WRONG = 2


@contextmanager
def entered(read: Callable[[], Study], launch: Launch) -> Iterator[Study]:
    """Give the driver's rank the study that all ranks `read`; on the others, work and exit.

    What is wrong is raised on one rank only; the others exit with the same code.
    """
    try:
        comm = _world(launch)
    except ClusterError:
        if launch.rank == 0:
            raise
        time.sleep(_POLITE_S)
        sys.exit(_WRONG)
    if comm.rank != DRIVER:  # SLURM and mpiexec signal every rank, and the driver decides
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    with _together(comm):
        study, options = _agree(comm, read)
        _configure(comm.bcast(keys_in_memory() if comm.rank == SCHEDULER else None), study)
        if comm.rank == SCHEDULER:
            asyncio.run(_schedule(comm, options))
        else:
            from dask_mpi import initialize

            initialize(comm=comm, exit=False, **options)
        if comm.rank != DRIVER:
            _finish(comm)
            sys.exit(0)
    try:
        yield study
    except BaseException as error:
        _dismiss(comm, error)
        raise
    _dismiss(comm)


def mpi_executor(
    cluster: Mpi, folder: str, seconds: float | None = None, device: str = CPU
) -> Executor:
    """Return the workers of this launch for the store in `folder`; a block may take `seconds`.

    They stay when the executor is closed; `entered` ends them.
    """
    address = dask.config.get("scheduler-address", None)
    if address is None:
        raise ClusterError("cluster: {kind: mpi} is for `hpcvbi run` in an MPI launch")
    client = Client(address, security=Security(), set_as_default=False)
    try:
        client.wait_for_workers(_comm().size - FIRST_WORKER, timeout=_START_S)
    except TimeoutError:
        if not client.nthreads():
            client.close()
            raise ClusterError(
                f"no worker came within {_START_S:g} s: can the nodes reach {address}? "
                "cluster.interface names the network, cluster.ports what a firewall lets through"
            ) from None
    return Executor(
        client, folder, lambda: None, seconds, device=device, dashboard=cluster.dashboard
    )


def _comm() -> Any:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ClusterError(
            f"cluster: {{kind: mpi}} needs mpi4py and an MPI library: pip install 'hpcvbi[mpi]', "
            f"and what loads your site's MPI (module load openmpi). [{error}]"
        ) from None
    return MPI.COMM_WORLD


def _world(launch: Launch) -> Any:
    """Return the communicator of all ranks; ClusterError where there are not enough."""
    comm = _comm()
    if comm.size == 1 < launch.size:
        raise ClusterError(
            f"this command was launched {launch.size} times, and each process believes to be the "
            "only one: the launcher must belong to the MPI library that mpi4py has loaded. Use "
            "its own mpiexec, or srun --mpi=pmi2 (MPICH, Intel MPI), srun --mpi=pmix (Open MPI); "
            "or no MPI at all: cluster: {kind: srun}"
        )
    return comm


def _agree(comm: Any, read: Callable[[], Study]) -> tuple[Study, dict[str, Any]]:
    """Return the study and this rank's part; an error of any rank is raised by the first one."""
    nodes = comm.allgather(node_of())
    study, options, wrong = None, {}, None
    try:
        study = read()
        if not isinstance(study.cluster, Mpi):
            raise ClusterError(
                f"this command was launched {comm.size} times at once, and cluster.kind is "
                f"{study.cluster.kind}: write cluster: {{kind: mpi}}, or launch it once"
            )
        if comm.size <= FIRST_WORKER:
            raise ClusterError(
                "cluster: {kind: mpi} takes 3 ranks or more, to schedule, to drive, to work; here "
                f"is {comm.size}: mpiexec -n 4 hpcvbi run STUDY"
            )
        options = _options(study.cluster, comm.rank, nodes)
    except HpcvbiError as error:
        wrong = error
    failed = [rank for rank, fails in enumerate(comm.allgather(wrong is not None)) if fails]
    if failed and comm.rank != failed[0]:
        sys.exit(_WRONG)
    if wrong is not None:
        raise wrong
    assert study is not None
    return study, options


def _options(cluster: Mpi, rank: int, nodes: list[str]) -> dict[str, Any]:
    """Return what a rank's server is made with, after a look at its node."""
    check_interface(cluster.interface)
    options: dict[str, Any] = {"interface": cluster.interface, "protocol": "tls"}
    if rank == SCHEDULER:
        shown = {"dashboard": cluster.dashboard, "dashboard_address": LOOPBACK}
        return {**options, **shown, "port": free_port(cluster.ports)}
    if rank == DRIVER:
        return options
    threads = 1 if cluster.gpus else threads_of(cluster.cpus)
    if cluster.gpus:
        os.environ[VISIBLE] = device_of(nodes[FIRST_WORKER:rank].count(nodes[rank]))
    ports = ports_of(cluster.ports)
    return {
        **options,
        "nthreads": threads,
        "memory_limit": memory_share(nodes.count(nodes[rank]), threads_of(cluster.cpus)),
        "local_directory": scratch_of(cluster.scratch),
        "worker_class": "distributed.Nanny",
        "worker_options": {
            "dashboard_address": LOOPBACK,
            "death_timeout": _START_S,
            "silence_logs": logging.ERROR,
            "port": ports,
            "worker_port": ports,
            "resources": {GPU: 1} if cluster.gpus else {CPU: threads},
        },
    }


def _configure(security: Security, study: Study) -> None:
    """Set Dask's settings and keys in this process; a nanny hands them on to its worker."""
    os.environ["DASK_LOGGING__DISTRIBUTED"] = "error"
    quieten()
    keys = {"distributed.comm.tls.ca-file": security.tls_ca_file}
    for role in ("client", "scheduler", "worker"):
        keys[f"distributed.comm.tls.{role}.cert"] = getattr(security, f"tls_{role}_cert")
        keys[f"distributed.comm.tls.{role}.key"] = getattr(security, f"tls_{role}_key")
    pages = serving(study.cluster.dashboard)
    dask.config.set({**SETTINGS, **while_it_runs(_START_S, _BACK_S), **pages, **keys})


async def _schedule(comm: Any, options: dict[str, Any]) -> None:
    """Schedule until the driver says that it is done; as dask-mpi does, with a port of our own."""
    async with Scheduler(**options) as scheduler:
        comm.bcast(scheduler.address, root=SCHEDULER)
        comm.Barrier()
        await scheduler.finished()


def _dismiss(comm: Any, error: BaseException | None = None) -> None:
    """End the other ranks, by Dask's means or else by MPI's, and leave MPI."""
    asked = threading.Thread(target=_shut_down, daemon=True)
    asked.start()
    asked.join(_END_S)
    if _finish(comm, _END_S):
        if error:  # its code is the launch's only if no other rank is left to be killed for it
            time.sleep(_POLITE_S)
        return
    print(f"error: {error or 'the other ranks do not end'}", file=sys.stderr, flush=True)
    comm.Abort(1)


def _shut_down() -> None:
    with suppress(Exception):  # whoever does not hear it is ended by MPI
        address = dask.config.get("scheduler-address")
        with Client(address, security=Security(), set_as_default=False) as client:
            client.run(_leave, nanny=True, wait=False)
            client.shutdown()


async def _leave(dask_worker: Nanny) -> None:
    """End a worker, be it at work or not."""
    task = asyncio.ensure_future(dask_worker.close(timeout=_KILL_S, reason="the driver is done"))
    _LEAVING.add(task)


_LEAVING: set[Any] = set()
"""Tasks that somebody has to hold on to."""


def _finish(comm: Any, patience: float | None = None) -> bool:
    """Wait, without spinning, for all ranks to come here, and leave MPI; False after `patience`."""
    from mpi4py import MPI

    end = None if patience is None else time.monotonic() + patience
    everybody = comm.Ibarrier()
    while not everybody.Test():
        if end is not None and time.monotonic() > end:
            return False
        time.sleep(0.05)
    MPI.Finalize()
    return True


@contextmanager
def _together(comm: Any) -> Iterator[None]:
    """End all ranks where one fails: the others would wait for it for ever."""
    try:
        yield
    except (SystemExit, HpcvbiError):  # all ranks leave, or all have agreed on it
        raise
    except BaseException:
        _abort(comm)


def _abort(comm: Any) -> NoReturn:
    print(f"error: rank {comm.rank} on {node_of()} failed:", file=sys.stderr)
    traceback.print_exc()
    sys.stderr.flush()
    comm.Abort(_WRONG)
    raise AssertionError
