"""The CUDA backend: groups of 32 draws, one thread block each, as many at a time as the device's
memory holds.

What is here for speed (workers, sums in registers) was chosen by what the assembler reports, not
measured on a device.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numba import cuda

from hpcvbi.core.errors import ConfigError
from hpcvbi.sim.arrays import Argument, Job, arguments, kernel_of, signals_of
from hpcvbi.sim.cuda.device import SIMULATED
from hpcvbi.sim.cuda.kernel import Entry, entry
from hpcvbi.sim.kernel import Kernel
from hpcvbi.sim.network import lay_out

WARP = 32
"""Lanes of a group: what a device executes in lockstep and loads from memory at once."""
WORKERS, MOST_THREADS = 8, 512
"""Warps that share a group's regions; threads of a block."""
SUMS = 12
"""Sums of a dense product that a thread holds in registers."""
MOST_REGISTERS = 128
"""Registers of a thread, so that 512 threads fit a multiprocessor."""
SHARE_OF_MEMORY = 0.8
"""Share of the free memory that one batch may take."""
REACH = 2**32
"""Numbers in one group's memory that 32-bit indices reach."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The arrays of several groups as their kernel wants them; see `sim.cuda.kernel`.

    `first` (group, element) is what `work` begins with; `sizes` are the elements of a group's
    `work` and `seen`, in which the final state begins at `final`. `passed` are the arguments behind
    those, `spans` says where each lane array lies, (start, size).
    """

    first: np.ndarray
    sizes: tuple[int, int]
    final: int
    passed: list
    spans: dict[str, tuple[int, int]]

    @property
    def bytes(self) -> int:
        """Bytes that it takes on a device, without what the groups share."""
        own = sum(value.nbytes for value in self.passed if np.ndim(value) == 2)
        return self.first.nbytes + len(self.first) * sum(self.sizes) * self.first.itemsize + own


def pack(made: Entry, groups: list[list[Argument]], real: np.dtype) -> Batch:
    """Lay out the arrays of several groups."""
    columns = {
        name: [group[place].value for group in groups] for place, name in enumerate(made.roles)
    }
    spans: dict[str, tuple[int, int]] = {}

    def place(names: list[str], start: int) -> int:
        for name in names:
            spans[name] = (start, columns[name][0].size)  # type: ignore[union-attr]
            start += spans[name][1]
        return start

    work, seen = ([n for n, r in made.roles.items() if r == role] for role in ("work", "seen"))
    # What is zero at first is made on the device, not copied to it.
    filled = [n for n in work if any(np.any(value) for value in columns[n])]
    begun = place(filled, 0)
    end = place([name for name in work if name not in filled], begun)
    final = place(seen, 0)
    first = np.empty((len(groups), begun), real)
    for name in filled:
        start, size = spans[name]
        for row, value in zip(first, columns[name], strict=True):
            row[start : start + size] = value
    passed = []
    for name, role in made.roles.items():
        if role in ("work", "seen"):
            # Offsets are unsigned in the kernel, but numba passes signed integers.
            passed += list(np.array(spans[name], np.uint32).view(np.int32))
        else:
            values = columns[name]
            passed.append(_narrowed(np.stack(values) if role == "own" else values[0]))
    return Batch(first, (end, final + spans["X"][1]), final, passed, spans)


def _narrowed(value):
    """Signed whole numbers in 32 bits; others pass."""
    if isinstance(value, int | np.integer):
        return np.int32(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "i":
        return value.astype(np.int32)
    return value


_COMPILED: dict[Kernel, tuple[Entry, Callable]] = {}


def compiled(kernel: Kernel, given: list[Argument]) -> tuple[Entry, Callable]:
    """Return the CUDA kernel of `kernel`, which is compiled when it is first launched."""
    if kernel not in _COMPILED:
        made = entry(kernel, given)
        options = {} if SIMULATED else {"max_registers": MOST_REGISTERS}
        _COMPILED[kernel] = made, cuda.jit(**options)(made.function)
    return _COMPILED[kernel]


def _free_memory() -> int:
    return 2**30 if SIMULATED else int(cuda.current_context().get_memory_info()[0])


def _check(width: int, workers: int) -> None:
    if not cuda.is_available():
        raise ConfigError(
            "backend cuda: no usable GPU was found; `hpcvbi doctor` says what is missing, and "
            "backend cpu needs none"
        )
    if not 0 < width * workers <= MOST_THREADS:
        raise ConfigError(
            f"backend cuda: width x workers must be from 1 to {MOST_THREADS}, "
            f"got {width} x {workers}"
        )


def run(
    job: Job, *, width: int = WARP, workers: int = WORKERS, memory: int | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Simulate every draw of a job: signals by monitor, and whether the final state is finite.

    `width` (lanes of a group) and `workers` do not change a bit of the result; `memory` [byte] is
    what a batch may take, by default most of what is free on the device.
    """
    _check(width, workers)
    network = lay_out(job.brain, job.theta, job.dtype, SUMS)
    kernel = kernel_of(job, network, width)
    last = len(job.draws) - 1
    groups = [np.arange(s, s + width).clip(max=last) for s in range(0, last + 1, width)]
    given = arguments(job, kernel, network, groups[0])
    made, launch = compiled(kernel, given)
    room = int(SHARE_OF_MEMORY * _free_memory()) if memory is None else memory
    many = max(1, room // pack(made, [given], job.dtype).bytes)
    parts = []
    for start in range(0, len(groups), many):
        batch = [arguments(job, kernel, network, g) for g in groups[start : start + many]]
        parts += _run_batch(job, kernel, launch, pack(made, batch, job.dtype), workers)
    signals = {
        name: np.concatenate([part[0][name] for part in parts])[: last + 1] for name in parts[0][0]
    }
    return signals, np.concatenate([part[1] for part in parts])[: last + 1]


def _run_batch(
    job: Job, kernel: Kernel, launch, batch: Batch, workers: int
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    if max(batch.sizes) >= REACH:
        raise ConfigError(
            f"backend cuda: {max(batch.sizes)} numbers for {kernel.width} draws are more than it "
            f"can address; watch fewer volumes (a longer period) or use backend cpu"
        )
    groups = len(batch.first)
    work, seen = (cuda.device_array((groups, n), job.dtype) for n in batch.sizes)
    first = cuda.to_device(batch.first)
    passed = [cuda.to_device(v) if isinstance(v, np.ndarray) else v for v in batch.passed]
    threads = kernel.width, min(workers, job.brain.connectome.n_regions)
    last = np.int32(batch.final), np.int32(job.brain.n_steps)
    launch[groups, threads](first, work, seen, *last, *passed)
    for row in seen.copy_to_host():
        outputs = [row[start : start + size] for start, size in _outputs(batch, job)]
        state = row[batch.final :].reshape(-1, kernel.width)
        yield signals_of(job, kernel, outputs), np.isfinite(state).all(axis=0)


def _outputs(batch: Batch, job: Job) -> list[tuple[int, int]]:
    return [batch.spans[f"O{m}"] for m in range(len(job.monitors))]
