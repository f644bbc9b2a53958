"""Starts the kind of cluster that a study names."""

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.local import local_executor
from hpcvbi.config.clusters import Cluster, Local
from hpcvbi.core.errors import ClusterError


def start(cluster: Cluster, folder: str, seconds: float | None) -> Executor:
    """Start the workers of the store in `folder`; a block may take `seconds`.

    Raises
    ------
    ClusterError : they cannot be started as `cluster` says.
    """
    if isinstance(cluster, Local):
        return local_executor(folder, cluster.workers, seconds)
    raise ClusterError(f"cluster: {cluster.kind} cannot be started here")
