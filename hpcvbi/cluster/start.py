"""Starts the kind of cluster that a study names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.local import local_executor
from hpcvbi.config import Study
from hpcvbi.config.clusters import Cluster, Local, Mpi, Srun
from hpcvbi.core.errors import ClusterError
from hpcvbi.core.launch import launched


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


def start(cluster: Cluster, folder: str, seconds: float | None) -> Executor:
    """Start the workers of the store in `folder`; a block may take `seconds`.

    Raises
    ------
    ClusterError : they cannot be started as `cluster` says.
    """
    if isinstance(cluster, Local):
        return local_executor(folder, cluster.workers, seconds)
    if isinstance(cluster, Srun):
        from hpcvbi.cluster.srun import srun_executor

        return srun_executor(cluster, folder, seconds)
    if isinstance(cluster, Mpi):
        from hpcvbi.cluster.mpi import mpi_executor

        return mpi_executor(cluster, folder, seconds)
    raise ClusterError(f"cluster: {cluster.kind} cannot be started here")
