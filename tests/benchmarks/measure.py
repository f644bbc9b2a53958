"""How an implementation is timed, in a process of its own: a warm-up, then the median of three.

Imported by the scripts in `peers` too, which run in environments of their own: NumPy and the
standard library only, and no syntax younger than Python 3.9. Import it before NumPy: it keeps every
thread pool at one thread, and the process on one core where BENCH_ONE_CORE is set.
"""

import json
import os
import resource
import statistics
import sys
import time

THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
os.environ.update(THREADS)
if hasattr(os, "sched_setaffinity") and os.environ.get("BENCH_ONE_CORE"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np
from synthetic import SPEED, connectome

__all__ = ["SPEED", "asked", "clock", "connectome", "cpu_seconds", "measure", "peak_mb", "report"]

REPEATS = 3


def cpu_seconds():
    """CPU seconds of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def peak_mb():
    """Largest resident memory of this process so far [MB], imports included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def clock(work, now=cpu_seconds):
    """Return seconds that `work` took by the clock `now`, and what it returned."""
    start = now()
    result = work()
    return now() - start, result


def measure(work, repeats=REPEATS):
    """First and median CPU seconds of `work`, whose result must be arrays of finite numbers."""
    wall = time.perf_counter()
    first, result = clock(work)
    wall = time.perf_counter() - wall
    seconds = [clock(work)[0] for _ in range(repeats)]
    arrays = result if isinstance(result, (list, tuple)) else [result]
    return {
        "first_cpu_seconds": first,
        "first_wall_seconds": wall,
        "cpu_seconds": statistics.median(seconds),
        "peak_mb": peak_mb(),
        "finite": all(bool(np.isfinite(np.asarray(a)).all()) for a in arrays),
        "moves": any(float(np.std(np.asarray(a, float))) > 0.0 for a in arrays),
    }


def report(work, *, steps, draws=1, scheme, dtype, note="", nodes=84, **more):
    """Measure `work`, which advances `draws` simulations by `steps` steps, and print its row."""
    row = {"steps": steps, "draws": draws, "nodes": nodes, "scheme": scheme, "dtype": dtype}
    row.update(note=note, **measure(work), **more)
    row["rate"] = steps * draws * nodes / row["cpu_seconds"]
    print(json.dumps(row), flush=True)


def asked(cases):
    """Return the function that the command line names, and the divisor of its steps.

    The scripts are called as SCRIPT WORKLOAD VARIANT [DIVISOR]; `cases` is a dict by
    (workload, variant).
    """
    workload, variant = sys.argv[1:3]
    divisor = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    return cases[workload, variant], divisor
