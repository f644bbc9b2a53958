"""Where it runs: workers, and the task that computes one block. The only home of dask."""

from hpcvbi.cluster.executor import Executor, Failure
from hpcvbi.cluster.learning import Learned
from hpcvbi.cluster.local import local_executor
from hpcvbi.cluster.start import start

__all__ = ["Executor", "Failure", "Learned", "local_executor", "start"]
