"""A SLURM allocation as a cluster, without MPI: this process schedules and drives, and srun starts
a worker for each of the allocation's tasks.

Each task is Dask's nanny, so that a worker that is killed comes back. The workers end with their
scheduler, however that ends.
"""

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dask.config
from distributed import Client, Scheduler, SpecCluster

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.keys import Keys, keys_in
from hpcvbi.cluster.node import check_interface, free_port, memory_share, threads_of
from hpcvbi.cluster.settings import (
    CPU,
    GPU,
    LOOPBACK,
    SETTINGS,
    THREADS,
    quieten,
    serving,
    while_it_runs,
)
from hpcvbi.config.clusters import Srun
from hpcvbi.core.errors import ClusterError
from hpcvbi.store import storage_faults

_START_S = 120.0
"""How long workers may take to come [s]; a worker without its scheduler ends after half of it."""
_BACK_S = 60.0
"""How long there may be no worker at all [s]."""
_END_S = 10.0
"""How long srun may take to end its tasks [s]; then it is killed, and SLURM ends them."""
_STARTS = 2
"""How often srun is started: again where it has ended with all its workers."""


def srun_executor(
    cluster: Srun, folder: str, seconds: float | None = None, device: str = CPU
) -> Executor:
    """Start a worker per task of this allocation for the store in `folder`; a block may take
    `seconds`. Only for whoever holds the lock of `folder`.
    """
    _check_allocation()
    check_interface(cluster.interface)
    quieten()
    with ExitStack() as started:
        with storage_faults(Path(folder)):
            keys = keys_in(Path(folder))
        started.callback(keys.remove)
        later, shown = while_it_runs(_START_S, _BACK_S), serving(cluster.dashboard)
        started.enter_context(dask.config.set({**SETTINGS, **later, **shown}))
        scheduler = _scheduler(cluster, keys)
        started.callback(scheduler.close)
        step = Step(_words(cluster, scheduler.scheduler_address, keys), _environment())
        started.callback(step.end)
        client = Client(scheduler, security=keys.security, set_as_default=False)
        started.callback(client.close)
        _wait_for_workers(client, step)
        running = started.pop_all()
        return Executor(
            client, folder, running.close, seconds, device=device, dashboard=cluster.dashboard
        )


class Step:
    """The step of all workers, started again once where it ends before it should."""

    def __init__(self, words: list[str], environ: dict[str, str]) -> None:
        self._words, self._environ = words, environ
        self._said: deque[str] = deque(maxlen=20)
        self._ending, self._process = threading.Event(), self._start()
        self.ended = threading.Event()
        threading.Thread(target=self._watch, name="srun", daemon=True).start()

    @property
    def said(self) -> str:
        """What srun and its tasks have said last."""
        return "\n".join(self._said)

    def end(self) -> None:
        """End the workers, be they at work or not."""
        self._ending.set()
        if self._process.poll() is None:
            self._process.terminate()
        if not self.ended.wait(_END_S):
            self._process.kill()
            self.ended.wait(_END_S)

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._words,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the driver
        )

    def _watch(self) -> None:
        for start in range(1, _STARTS + 1):
            if start > 1:
                self._process = self._start()
            assert self._process.stdout is not None
            self._said.extend(line.rstrip() for line in self._process.stdout)
            code = self._process.wait()
            if self._ending.is_set() or code == 2:  # what does not fit does not fit again
                break
            again = "; it is started again" if start < _STARTS else ""
            logging.getLogger(__name__).warning("srun ended with code %s%s", code, again)
        self.ended.set()


def _check_allocation() -> None:
    if "SLURM_JOB_ID" not in os.environ:
        raise ClusterError(
            "cluster: {kind: srun} is for the inside of a SLURM allocation, and this is none: "
            "sbatch jobs/srun.sh STUDY, or salloc first; from a login node, cluster: {kind: slurm}"
        )
    if shutil.which("srun") is None:
        raise ClusterError("cluster: {kind: srun} needs srun, and it is not in PATH")


def _scheduler(cluster: Srun, keys: Keys) -> SpecCluster:
    options = {
        "protocol": "tls",
        "security": keys.security,
        "interface": cluster.interface,
        "port": free_port(cluster.ports),
        "dashboard": cluster.dashboard,
        "dashboard_address": LOOPBACK,
    }
    spec = {"cls": Scheduler, "options": options}
    try:
        return SpecCluster(workers={}, scheduler=spec, security=keys.security)
    except (RuntimeError, OSError) as error:
        raise ClusterError(f"cannot start the scheduler: {error}") from error


def _words(cluster: Srun, address: str, keys: Keys) -> list[str]:
    """Return srun's command line. It shares the cores with the step that the driver may be in."""
    threads = 1 if cluster.gpus else threads_of(cluster.cpus)
    cores = threads_of(None)
    tasks = os.environ.get("SLURM_NTASKS_PER_NODE", "1").split("(")[0]
    memory = memory_share(max(1, int(tasks) if tasks.isdecimal() else 1), cores)
    words = ["srun", "--kill-on-bad-exit=0", "--wait=0", "--overlap", "--export=ALL"]
    words += ["--mpi=none", "--unbuffered", "--job-name=hpcvbi-workers", "--input=none"]
    if "SLURM_CPUS_PER_TASK" in os.environ:  # which srun takes from its command line only
        words += [f"--cpus-per-task={cores}"]
    words += [sys.executable, "-m", "hpcvbi.cluster.work"]
    words += ["--gpu"] if cluster.gpus else []
    words += ["--interface", cluster.interface] if cluster.interface else []
    words += ["--scratch", cluster.scratch] if cluster.scratch else []
    words += ["--", address, "--nanny", "--nthreads", str(threads)]
    words += ["--memory-limit", str(memory), "--death-timeout", f"{_START_S / 2:g}"]
    words += ["--dashboard-address", LOOPBACK, "--no-dashboard"]
    words += ["--tls-ca-file", str(keys.certificate), "--tls-cert", str(keys.certificate)]
    words += ["--tls-key", str(keys.key)]
    words += ["--resources", f"{GPU}=1" if cluster.gpus else f"{CPU}={threads}"]
    if cluster.ports:
        ports = cluster.ports.replace("-", ":")
        words += ["--worker-port", ports, "--nanny-port", ports]
    return words


def _environment() -> dict[str, str]:
    """Return srun's environment, which its tasks inherit: threads and Dask's settings."""
    settings = dask.config.serialize({**SETTINGS, "logging": {"distributed": "error"}})
    return {**os.environ, **THREADS, "DASK_INTERNAL_INHERIT_CONFIG": settings}


def _wait_for_workers(client: Client, step: Step) -> None:
    """Wait for all workers; ClusterError, with what srun says, where none comes."""
    wanted = int(os.environ.get("SLURM_NTASKS") or os.environ.get("SLURM_NNODES") or 1)
    end = time.monotonic() + _START_S
    workers: Any = client.nthreads
    while len(workers()) < wanted and time.monotonic() < end:
        if step.ended.is_set():
            raise ClusterError(f"srun cannot start the workers; it says:\n{step.said}")
        time.sleep(0.1)
    if not workers():
        raise ClusterError(
            f"no worker came within {_START_S:g} s: can the nodes reach the driver's, and is the "
            "output folder on a file system that they share? cluster.interface names the network, "
            f"cluster.ports what a firewall lets through\n{step.said}"
        )
