"""The CPU backend: draws side by side in SIMD lanes, lane groups spread over threads."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import llvmlite.binding as llvm
import numpy as np

from hpcvbi.sim.arrays import Job, arguments, kernel_of, signals_of
from hpcvbi.sim.compiled import call, compiled
from hpcvbi.sim.kernel import Kernel
from hpcvbi.sim.network import Network, lay_out

MOST_HISTORY = 2**20
"""Bytes."""
MOST_STEPS = 32
"""Steps of one visit of a node: as many slots of each connection are read one after the other."""


@cache
def _vector_bytes() -> int:
    return 64 if llvm.get_host_cpu_features().get("avx512f") else 32


def default_width(job: Job) -> int:
    """Lanes of two SIMD registers, which hide each other's latencies, unless the history of the
    channels would outgrow the processor's second cache.
    """
    brain, many = job.brain, len(job.brain.sent)
    connected = brain.connectome.weights != 0
    taps = int(brain.delays(job.theta)[:, connected].max(initial=0)) + 1
    width = 2 * _vector_bytes() // job.dtype.itemsize
    history = many * brain.connectome.n_regions * taps * width * job.dtype.itemsize
    return width if history <= MOST_HISTORY else width // 2


def sums(width: int, dtype: np.dtype) -> int:
    """Sums of a dense product that the SIMD registers hold, a few registers left for the rest."""
    most = 14 if _vector_bytes() == 64 else 12
    vectors = max(1, width * np.dtype(dtype).itemsize // _vector_bytes())
    return max(1, most // vectors)


def run(job: Job, *, width: int | None = None, threads: int = 1):
    """Simulate every draw of a job: signals by monitor, and whether the final state is finite."""
    width = width or default_width(job)
    network = lay_out(job.brain, job.theta, job.dtype, sums(width, job.dtype), MOST_STEPS)
    kernel = kernel_of(job, network, width)
    last = len(job.draws) - 1
    groups = [np.arange(s, s + width).clip(max=last) for s in range(0, last + 1, width)]

    def work(lanes: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        return _run_lanes(job, kernel, network, lanes)

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(work, groups)) if threads > 1 else list(map(work, groups))
    signals = {
        name: np.concatenate([part[0][name] for part in parts])[: last + 1] for name in parts[0][0]
    }
    return signals, np.concatenate([part[1] for part in parts])[: last + 1]


def _run_lanes(job: Job, kernel: Kernel, network: Network, lanes: np.ndarray):
    given = arguments(job, kernel, network, lanes)
    call(compiled(kernel), job.brain.n_steps, *(argument.value for argument in given))
    by_name = {argument.name: argument.value for argument in given}
    outputs = [by_name[f"O{m}"] for m in range(len(job.monitors))]
    finite = np.isfinite(by_name["X"]).reshape(-1, kernel.width).all(axis=0)
    return signals_of(job, kernel, outputs), finite
