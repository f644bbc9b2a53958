"""The script of a SLURM job: one worker with its nanny, for the cores of a node or for one GPU."""

import shlex
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from dask.utils import parse_bytes
from dask_jobqueue.slurm import SLURMJob
from distributed.core import Status

from hpcvbi.cluster.keys import Keys
from hpcvbi.cluster.settings import CPU, DEATH_TIMEOUT_S, GPU, JOB_ENDS, LOOPBACK, environment
from hpcvbi.config.clusters import Slurm

LOGS = "jobs"
"""Folder, inside the study's output, of what the jobs print."""
SOME_ADDRESS = "tls://SCHEDULER:PORT"


class Job(SLURMJob):
    """A SLURM job that says when it is closed, which Dask asks at the end."""

    async def close(self) -> None:
        """Cancel the job."""
        await super().close()
        self.status = Status.closed


@dataclass(frozen=True)
class Group:
    """Jobs that are alike; a job with a GPU computes one block at a time."""

    name: str
    jobs: int
    gpus: int
    section: Slurm

    @property
    def slots(self) -> int:
        """Blocks at once in a job."""
        return 1 if self.gpus else self.section.cpus


def groups_of(section: Slurm) -> tuple[Group, ...]:
    """Return the groups of jobs that a study asks for."""
    main = Group(GPU.lower() if section.gpus else CPU.lower(), section.jobs, section.gpus, section)
    more = section.gpu_jobs
    if more is None:
        return (main,)
    given = {k: v for k, v in more.model_dump().items() if v is not None and k != "jobs"}
    return main, Group("gpu-jobs", more.jobs, 1, section.model_copy(update=given))


def job_scripts(section: Slurm, folder: str) -> dict[str, str]:
    """Return the scripts that would be submitted for the store in `folder`, by their group."""
    keys = Keys(Path(folder) / ".cluster-KEYS")
    return {
        group.name: job(group, folder, keys, SOME_ADDRESS, "NAME").job_script()
        for group in groups_of(section)
    }


def job(group: Group, folder: str, keys: Keys, scheduler: str, name: str) -> Job:
    """Return one job, not submitted."""
    return Job(scheduler, name, **job_options(group, folder, keys))


def job_options(group: Group, folder: str, keys: Keys) -> dict[str, Any]:
    """Return what dask-jobqueue makes a job of the group from."""
    section = group.section
    resource = f"{GPU}=1" if group.gpus else f"{CPU}={group.slots}"
    arguments = ["--resources", resource, "--dashboard-address", LOOPBACK, "--no-dashboard"]
    arguments += ["--tls-ca-file", shlex.quote(str(keys.certificate))]
    arguments += ["--tls-cert", shlex.quote(str(keys.certificate))]
    arguments += ["--tls-key", shlex.quote(str(keys.key))]
    if section.ports is not None:
        ports = section.ports.replace("-", ":")
        arguments += ["--worker-port", ports, "--nanny-port", ports]
    return {
        "config_name": "slurm",
        "queue": section.partition,
        "account": section.account,
        "walltime": section.walltime,
        "cores": group.slots,
        "job_cpu": section.cpus,
        "memory": section.memory,
        # else dask-jobqueue would ask for whole GiB
        "job_mem": f"{ceil(parse_bytes(section.memory) / 2**20)}M",
        "processes": 1,
        "nanny": True,
        "protocol": "tls",
        "interface": section.interface,
        "death_timeout": DEATH_TIMEOUT_S,
        "local_directory": section.scratch,
        "worker_extra_args": arguments,
        "job_extra_directives": _directives(group, folder),
        "job_script_prologue": _prologue(section),
        "shebang": "#!/usr/bin/env bash",
        "python": section.python or shlex.quote(sys.executable),
        "job_name": "hpcvbi",
    }


def _directives(group: Group, folder: str) -> list[str]:
    section = group.section
    given = list(section.directives)
    own = ["--no-requeue", f'--output="{Path(folder) / LOGS}/%j.log"']
    if section.qos is not None:
        own.append(f"--qos={section.qos}")
    if group.gpus and not any("gres" in line or "--gpus" in line for line in given):
        own.append("--gres=gpu:1")
    return own + given


def _prologue(section: Slurm) -> list[str]:
    exports = {**environment(), JOB_ENDS: f"$(($(date +%s) + {seconds_of(section.walltime)}))"}
    return [
        "umask 077",
        *(f"export {name}={value}" for name, value in exports.items()),
        *section.setup,
    ]


def seconds_of(walltime: str) -> int:
    """Return the seconds of `[days-]hours:minutes:seconds`."""
    days, _, rest = walltime.rpartition("-")
    hours, minutes, seconds = map(int, rest.split(":"))
    return ((24 * int(days or 0) + hours) * 60 + minutes) * 60 + seconds
