"""Starts the kind of cluster that a study names."""

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.local import local_executor
from hpcvbi.cluster.settings import CPU, GPU
from hpcvbi.cluster.slurm import slurm_executor
from hpcvbi.config import Study
from hpcvbi.config.clusters import Cluster, Local, Slurm
from hpcvbi.core.errors import ClusterError, ConfigError


def start(study: Study, folder: str) -> Executor:
    """Start the workers of a study, for its store in `folder`.

    Raises
    ------
    ClusterError : they cannot be started as the study says.
    """
    cluster, seconds = study.cluster, study.limits.seconds
    device = GPU if study.simulation.backend == "cuda" else CPU
    _check_offer(cluster, device)
    if isinstance(cluster, Local):
        return local_executor(folder, cluster.workers, seconds, cluster, device)
    if isinstance(cluster, Slurm):
        return slurm_executor(cluster, folder, seconds, device)
    raise ClusterError(f"cluster: {cluster.kind} cannot be started here")


def _check_offer(cluster: Cluster, device: str) -> None:
    """Raise ConfigError where no worker would simulate."""
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
