"""What every kind of cluster has in common: Dask's settings, and the threads of the libraries."""

from typing import Any

THREADS = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
    )
}
"""Set before a worker imports NumPy: parallelism is over blocks, never inside one. torch reads
OMP_NUM_THREADS.
"""

SETTINGS: dict[str, Any] = {
    "distributed.nanny.pre-spawn-environ": THREADS,
    # the campaign counts attempts; here a block that kills its worker would take others with it
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.worker-saturation": 1.1,
    "distributed.comm.timeouts.connect": "30s",
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.comm.require-encryption": True,
    "distributed.admin.tick.limit": "30s",
    # a worker has children that learn, which a daemon may not
    "distributed.worker.daemon": False,
    # what is learned of people passes through a worker's memory, and never onto its disk
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
}
