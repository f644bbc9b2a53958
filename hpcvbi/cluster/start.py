"""Starts the kind of cluster that a study names."""

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.local import local_executor
from hpcvbi.cluster.settings import CPU, GPU
from hpcvbi.cluster.slurm import slurm_executor
from hpcvbi.config import Study
from hpcvbi.config.clusters import Local, Slurm
from hpcvbi.core.errors import ClusterError


def start(study: Study, folder: str) -> Executor:
    """Start the workers of a study, for its store in `folder`.

    Raises
    ------
    ClusterError : they cannot be started as the study says.
    """
    cluster, seconds = study.cluster, study.limits.seconds
    device = GPU if study.simulation.backend == "cuda" else CPU
    if isinstance(cluster, Local):
        return local_executor(folder, cluster.workers, seconds, cluster, device)
    if isinstance(cluster, Slurm):
        return slurm_executor(cluster, folder, seconds, device)
    raise ClusterError(f"cluster: {cluster.kind} cannot be started here")
