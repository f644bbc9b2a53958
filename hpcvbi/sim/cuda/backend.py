"""The CUDA backend: groups of 32 draws, one thread block each, as many at a time as the device's
memory holds.
"""

import inspect
from functools import cache

import numpy as np
from numba import cuda

from hpcvbi.brain.brain import Brain, Monitor
from hpcvbi.core.errors import ConfigError
from hpcvbi.sim import cpu
from hpcvbi.sim.cuda.device import SIMULATED
from hpcvbi.sim.cuda.kernel import MOST_REGISTERS, SHARED, entry, is_number, is_seen
from hpcvbi.sim.kernel import SPAN, Kernel
from hpcvbi.sim.network import lay_out
from hpcvbi.sim.noise import keys

WARP = 32
"""Lanes of a group: what a device executes in lockstep and loads from memory at once."""
WORKERS = 8
"""Warps that share a group's regions."""
SHARE_OF_MEMORY = 0.8
"""Share of the free memory that one batch may take."""
LONGEST = 2**32
"""Elements of one group's memory that 32-bit indices reach."""


@cache
def compiled(kernel: Kernel):
    """Return the CUDA kernel of `kernel`, compiled when it is first launched."""
    return cuda.jit(max_registers=MOST_REGISTERS)(entry(kernel))


def free_memory() -> int:
    """Bytes that are free on the device."""
    return 2**30 if SIMULATED else int(cuda.current_context().get_memory_info()[0])


def run(
    brain: Brain,
    theta: np.ndarray,
    *,
    monitors: tuple[Monitor, ...],
    seed: int,
    draws: np.ndarray,
    dtype: np.dtype,
    history: np.ndarray,
    width: int = WARP,
    workers: int = WORKERS,
    memory: int | None = None,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Simulate every row of `theta`: signals by monitor, and whether the final state is finite."""
    if not cuda.is_available():
        raise ConfigError("backend cuda: no GPU was found; `hpcvbi doctor` says what is missing")
    double = dtype == np.float64
    table = brain.parameters(theta)
    node = {name for name, value in table.items() if value.shape[1] > 1}
    network = lay_out(brain, width, dtype)
    kernel = cpu.kernel_of(brain, monitors, network, node, width, double)
    groups = [np.arange(s, s + width).clip(max=len(theta) - 1) for s in range(0, len(theta), width)]
