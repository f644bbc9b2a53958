"""Starts the kind of cluster that a study names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.launch import launched
from hpcvbi.cluster.local import local_executor
from hpcvbi.cluster.settings import CPU, GPU
from hpcvbi.cluster.slurm import slurm_executor
from hpcvbi.cluster.srun import srun_executor
from hpcvbi.config import Study
from hpcvbi.config.clusters import Local, Mpi, Slurm, Srun
from hpcvbi.core.errors import ConfigError


@contextmanager
def enter(read: Callable[[], Study]) -> Iterator[Study]:
    """Give the process that drives the study that `read` returns.

    Of an MPI launch, that is one rank; on the others this works for it, and exits.

    Raises
    ------
    HpcvbiError : what `read` raises, on one rank only.
    ClusterError : the launch does not fit the study's cluster.
    """
    launch = launched()
    if launch.size == 1:
        study = read()
        if not isinstance(study.cluster, Mpi):
            yield study
            return
        read = lambda: study  # noqa: E731
    from hpcvbi.cluster import mpi  # MPI is loaded where it is asked for, and nowhere else

    with mpi.entered(read, launch) as study:
        yield study


def start(study: Study, folder: str) -> Executor:
    """Start the workers of a study, for its store in `folder`.

    Raises
    ------
    ClusterError : they cannot be started as the study says.
    """
    cluster, seconds = study.cluster, study.limits.seconds
    device = _device_of(study)
    if isinstance(cluster, Local):
        return local_executor(folder, cluster.workers, seconds, cluster, device)
    if isinstance(cluster, Slurm):
        return slurm_executor(cluster, folder, seconds, device)
    if isinstance(cluster, Srun):
        return srun_executor(cluster, folder, seconds, device)
    from hpcvbi.cluster.mpi import mpi_executor

    return mpi_executor(cluster, folder, seconds, device)


def check_offer(study: Study) -> None:
    """Raise ConfigError where none of the study's workers would simulate."""
    cluster, device = study.cluster, _device_of(study)
    more = isinstance(cluster, Slurm) and cluster.gpu_jobs is not None
    if device == GPU and not (cluster.gpus or more):
        raise ConfigError(
            "simulation.backend is cuda, and the cluster has no GPU: write cluster.gpus: 1, or "
            "backend: cpu"
        )
    cores = cluster.workers != 0 if isinstance(cluster, Local) else not cluster.gpus
    if device == CPU and not cores:
        raise ConfigError(
            "simulation.backend is cpu, and the cluster has GPUs only: write backend: cuda, or "
            "cluster.gpus: 0"
        )


def _device_of(study: Study) -> str:
    return GPU if study.simulation.backend == "cuda" else CPU
