"""Where it runs: workers, and the task that computes one block. The only home of dask."""

from hpcvbi.cluster.driver_job import check_chain, requeue, seconds_to_work
from hpcvbi.cluster.executor import Executor
from hpcvbi.cluster.learning import Learned
from hpcvbi.cluster.local import local_executor
from hpcvbi.cluster.outcome import Failure, Notice
from hpcvbi.cluster.slurm_job import job_scripts
from hpcvbi.cluster.start import check_offer, enter, start

__all__ = [
    "Executor",
    "Failure",
    "Learned",
    "Notice",
    "check_chain",
    "check_offer",
    "enter",
    "job_scripts",
    "local_executor",
    "requeue",
    "seconds_to_work",
    "start",
]
