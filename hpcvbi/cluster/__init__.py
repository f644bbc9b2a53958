"""Where it runs: workers, and the task that computes one block. The only home of dask."""

from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.local import local_executor
from hpcvbi.cluster.outcome import Failure, Learned, Notice
from hpcvbi.cluster.slurm_job import job_scripts
from hpcvbi.cluster.start import start

__all__ = ["Executor", "Failure", "Learned", "Notice", "job_scripts", "local_executor", "start"]
