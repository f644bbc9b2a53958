"""What a section `cluster` asks for, as numbers: workers, blocks at once, memory, wall time."""

import os
from dataclasses import dataclass

from dask.utils import parse_bytes

from hpcvbi.cluster.settings import CPU, GPU
from hpcvbi.cluster.slurm_job import groups_of, seconds_of
from hpcvbi.config.clusters import Cluster, Local, Slurm, Srun


@dataclass(frozen=True)
class Pool:
    """Workers that are alike; each computes `slots` blocks at once.

    `memory` of a worker [byte] and `walltime` [s] are None where nothing limits them.
    """

    workers: int
    slots: int
    memory: int | None = None
    walltime: int | None = None
    written: str = ""
    """The wall time as it was written."""


def pools_of(cluster: Cluster, backend: str) -> tuple[Pool, ...] | None:
    """Return the workers that compute blocks of `backend`: "cpu" on cores, "cuda" on GPUs.

    None where only the allocation knows, and this process is outside.
    """
    device = GPU if backend == "cuda" else CPU
    if isinstance(cluster, Local):
        cores = cluster.workers
        cores = len(os.sched_getaffinity(0)) if cores is None else cores
        pools = (Pool(cluster.gpus if device == GPU else cores, 1),)
    elif isinstance(cluster, Slurm):
        pools = tuple(
            Pool(
                group.jobs,
                group.slots,
                parse_bytes(group.section.memory),
                seconds_of(group.section.walltime),
                group.section.walltime,
            )
            for group in groups_of(cluster)
            if (device == GPU) == bool(group.gpus)
        )
    else:
        tasks = int(os.environ.get("SLURM_NTASKS", "0"))
        if not tasks:
            return None
        if (device == GPU) != bool(cluster.gpus):
            return ()
        cpus = cluster.cpus or int(os.environ.get("SLURM_CPUS_PER_TASK", "1"))
        workers = tasks if isinstance(cluster, Srun) else tasks - 2  # scheduler and driver
        pools = (Pool(workers, 1 if cluster.gpus else cpus),)
    return tuple(pool for pool in pools if pool.workers > 0)
