"""What every kind of cluster has in common: Dask's settings, and the threads of the libraries."""

import logging
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

CPU, GPU = "CPU", "GPU"
"""Dask's resources: a worker offers one CPU per block at once, or one GPU; a block takes one."""

TASKS_PER_SLOT = 3
"""Blocks handed out per block at once: one runs, the others hide the way to the scheduler."""
DEATH_TIMEOUT_S = 60
"""How long a worker looks for its scheduler before it ends [s]."""
JOB_ENDS = "HPCVBI_JOB_ENDS"
"""Environment variable: when a worker's job ends [s since 1970, by the clock of its node]."""
LOOPBACK = "127.0.0.1:0"
"""Where pages are served, if any: not covered by TLS, so not beyond the machine."""


def quieten() -> None:
    """Keep Dask's own log down to errors: what happens to workers is said in hpcvbi's words. The
    scheduler calls each block an error that was with a worker when that died.
    """
    for name in ("distributed", "distributed.worker", "distributed.nanny"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("distributed.scheduler").setLevel(logging.CRITICAL)


def while_it_runs(lost_s: float, alone_s: float | None = None) -> dict[str, Any]:
    """Return settings that Dask looks up later than at the start: how long a lost worker may take
    to come back, and how long there may be no worker at all (null: as long as a queue takes) [s].
    """
    return {
        "distributed.deploy.lost-worker-timeout": f"{lost_s:g}s",
        "distributed.scheduler.no-workers-timeout": alone_s and f"{alone_s:g}s",
        "distributed.worker.daemon": SETTINGS["distributed.worker.daemon"],
    }


def serving(dashboard: bool) -> dict[str, Any]:
    """Return which pages the scheduler serves."""
    return {} if dashboard else {"distributed.scheduler.http.routes": []}


def environment() -> dict[str, str]:
    """Return what a worker that is not this process's child needs in its environment."""
    words = {
        f"DASK_{key.upper().replace('.', '__').replace('-', '_')}": str(value)
        for key, value in SETTINGS.items()
        if not isinstance(value, dict) and ".scheduler." not in key
    }
    return {**THREADS, **words}
