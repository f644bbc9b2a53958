"""Where it runs: workers, and the task that computes one block. The only home of dask."""

from hpcvbi.cluster.executor import Executor, Failure, Learned
from hpcvbi.cluster.local import local_executor
from hpcvbi.cluster.start import enter, start

__all__ = ["Executor", "Failure", "Learned", "enter", "local_executor", "start"]
