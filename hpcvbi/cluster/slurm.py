"""Workers in SLURM jobs, submitted and replaced by the driver through dask-jobqueue."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import dask.config
from distributed import Client, Scheduler, SpecCluster

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.keys import Keys, keys_in
from hpcvbi.cluster.node import free_port
from hpcvbi.cluster.settings import (
    CPU,
    LOOPBACK,
    SETTINGS,
    quieten,
    serving,
    while_it_runs,
)
from hpcvbi.cluster.slurm_job import LOGS, SOME_ADDRESS, Group, Job, groups_of, job, job_options
from hpcvbi.cluster.task import simulate_block
from hpcvbi.cluster.watch import Watch
from hpcvbi.config.clusters import Slurm
from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import ClusterError
from hpcvbi.store import storage_faults
from hpcvbi.store.durable import make_directory

NEEDED = ("sbatch", "squeue", "scancel")
_ANSWER_S = 60.0
"""How long a command of SLURM may take [s]."""
_LOST_S = 10.0
"""How long a worker's nanny may take to bring it back before its job is replaced [s]."""
_REMEDIES = (
    ("partition", "cluster.partition; `sinfo -s` lists those that there are"),
    ("account", "cluster.account; `sacctmgr show associations user=$USER` lists yours"),
    ("qos", "cluster.qos; `sacctmgr show associations user=$USER` lists yours"),
    ("time limit", "cluster.walltime; `sinfo -o '%P %l'` shows the limits"),
    (
        "node configuration",
        "cluster.cpus, memory, gpus; `sinfo -o '%P %c %m %G'` shows the nodes",
    ),
    ("memory", "cluster.memory; `sinfo -o '%P %m'` shows the nodes"),
    ("gres", "cluster.gpus or directives; `sinfo -o '%P %G'` shows the nodes"),
)


def slurm_executor(
    section: Slurm,
    folder: str,
    seconds: float | None = None,
    device: str = CPU,
    task: Callable[[str, Block, str], BlockReport] = simulate_block,
) -> Executor:
    """Submit the jobs for the store in `folder`; a block may take `seconds`, and is done by `task`.

    Raises
    ------
    ClusterError : SLURM is not here, or would not take such a job.
    """
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        raise ClusterError(
            f"cluster.kind is slurm, and there is no {missing[0]} here: start this on a login node "
            "or in a job, or write --cluster local"
        )
    quieten()
    running = ExitStack()
    settings = {**SETTINGS, **while_it_runs(_LOST_S), **serving(section.dashboard)}
    running.enter_context(dask.config.set(settings))
    try:
        with storage_faults(Path(folder)):
            keys = keys_in(Path(folder))
            running.callback(keys.remove)
            make_directory(Path(folder) / LOGS)
        groups = groups_of(section)
        for group in groups:
            check(group, folder, keys)
        cluster = SpecCluster(
            scheduler={"cls": Scheduler, "options": _scheduler(section, keys)},
            workers={},  # the watch adds them
            security=keys.security,
            silence_logs=False,
            name="hpcvbi",
        )
        running.callback(cluster.close, timeout=30)
        wanted = {
            f"{group.name}-{number}": {"cls": Job, "options": job_options(group, folder, keys)}
            for group in groups
            for number in range(group.jobs)
        }
        watch = Watch(cluster, wanted, Path(folder) / LOGS)
        running.callback(watch.stop)
        client = running.enter_context(Client(cluster, set_as_default=False))
        return Executor(
            client,
            folder,
            running.close,
            seconds,
            watch.notices,
            device,
            section.dashboard,
            task,
        )
    except BaseException:
        running.close()
        raise


def check(group: Group, folder: str, keys: Keys) -> None:
    """Ask SLURM whether it would take a job of the group; ClusterError with its words if not."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
        script.write(job(group, folder, keys, SOME_ADDRESS, "test").job_script())
        script.flush()
        try:
            done = subprocess.run(
                ["sbatch", "--test-only", script.name],
                capture_output=True,
                text=True,
                timeout=_ANSWER_S,
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(
                f"SLURM does not answer within {_ANSWER_S:g} s: try again when `squeue` answers"
            ) from None
    said = " ".join(f"{done.stderr} {done.stdout}".replace("sbatch: ", "").split())
    if done.returncode or "error" in said.lower() or "failure" in said.lower():
        look = [remedy for word, remedy in _REMEDIES if word in said.lower()]
        raise ClusterError(
            f"SLURM refuses the jobs ({group.jobs} of {group.section.cpus} cores, "
            f"{group.section.memory}, {group.section.walltime}): {said.removeprefix('error: ')}. "
            f"Look at {look[0] if look else 'cluster in the study or the profile'}"
        )


def _scheduler(section: Slurm, keys: Keys) -> dict[str, object]:
    return {
        "protocol": "tls",
        "security": keys.security,
        "interface": section.interface,
        "port": free_port(section.ports),
        "dashboard": section.dashboard,
        "dashboard_address": LOOPBACK,
    }
