"""The CUDA backend: groups of 32 draws, one thread block each, as many at a time as the device's
memory holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import cuda

from hpcvbi.core.errors import ConfigError
from hpcvbi.sim.arrays import Argument, Job, arguments, kernel_of, passes, signals_of
from hpcvbi.sim.cuda.device import SIMULATED
from hpcvbi.sim.cuda.kernel import Entry, entry
from hpcvbi.sim.kernel import Kernel
from hpcvbi.sim.network import lay_out

WARP = 32
"""Lanes of a group: what a device executes in lockstep and loads from memory at once."""
WORKERS = 8
"""Warps that share a group's regions."""
SUMS = 12
"""Sums of a dense product that a thread holds in registers."""
MOST_REGISTERS = 128
"""Registers of a thread, so that 16 warps fit a multiprocessor."""
SHARE_OF_MEMORY = 0.8
"""Share of the free memory that one batch may take."""
REACH = 2**32
"""Numbers in one group's memory that 32-bit indices reach."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The arrays of several groups, ready to be copied: see `sim.cuda.kernel`.

    `spans` says where in `work` or `seen` each lane array lies, (start, size); `sizes` are those of
    a group's `work` and `seen`, the final state included, which begins at `final`.
    """

    first: np.ndarray
    sizes: tuple[int, int]
    final: int
    passed: list
    spans: dict[str, tuple[int, int]]


def pack(made: Entry, groups: list[list[Argument]], real: np.dtype) -> Batch:
    """Lay the arrays of several groups out as their kernel wants them."""
    columns = dict(zip(made.roles, zip(*groups, strict=True), strict=True))
    spans: dict[str, tuple[int, int]] = {}

    def place(names: list[str], start: int) -> int:
        for name in names:
            size = columns[name][0].value.size  # type: ignore[union-attr]
            spans[name] = (start, size)
            start += size
        return start

    work = [name for name, role in made.roles.items() if role == "work"]
    filled = [n for n in work if any(a.value.any() for a in columns[n])]  # type: ignore[union-attr]
    begun = place(filled, 0)
    end = place([name for name in work if name not in filled], begun)
    final = place([name for name, role in made.roles.items() if role == "seen"], 0)
    first = np.empty((len(groups), begun), real)
    for name in filled:
        start, size = spans[name]
        for row, argument in zip(first, columns[name], strict=True):
            row[start : start + size] = argument.value
    passed = []
    for name, role in made.roles.items():
        if role in ("work", "seen"):
            passed += [np.int32(n) for n in _signed(spans[name])]
        elif role == "own":
            passed.append(np.stack([a.value for a in columns[name]]))  # type: ignore[arg-type]
        else:
            passed.append(_narrowed(columns[name][0].value))
    return Batch(first, (end, final + spans["X"][1]), final, passed, spans)


def _signed(numbers: tuple[int, int]) -> list[int]:
    # Offsets are unsigned in the kernel; numba's integers are signed.
    return [n - 2**32 if n >= 2**31 else n for n in numbers]


def _narrowed(value):
    """Whole numbers as 32-bit integers."""
    if isinstance(value, int | np.integer):
        return np.int32(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "i":
        return value.astype(np.int32)
    return value


_ENTRIES: dict[Kernel, tuple[Entry, object]] = {}


def compiled(kernel: Kernel, given: list[Argument]) -> tuple[Entry, object]:
    """Return the CUDA kernel of `kernel`, which is compiled when it is first launched."""
    if kernel not in _ENTRIES:
        made = entry(kernel, given)
        options = {} if SIMULATED else {"max_registers": MOST_REGISTERS}
        _ENTRIES[kernel] = made, cuda.jit(**options)(made.function)
    return _ENTRIES[kernel]


@cache
def _check_device() -> None:
    if not cuda.is_available():
        raise ConfigError(
            "backend cuda: no usable GPU was found; `hpcvbi doctor` says what is missing, "
            "backend cpu needs none"
        )


def _free_memory() -> int:
    return 2**30 if SIMULATED else int(cuda.current_context().get_memory_info()[0])


def run(
    job: Job, *, width: int = WARP, workers: int = WORKERS, memory: int | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Simulate every draw of a job: signals by monitor, and whether the final state is finite.

    `width` (lanes of a group) and `workers` do not change a bit of the result; `memory` [byte] is
    what a batch may take, by default most of what is free on the device.
    """
    _check_device()
    network = lay_out(job.brain, job.theta, job.dtype, SUMS)
    kernel = kernel_of(job, network, width)
    last = len(job.draws) - 1
    groups = [np.arange(s, s + width).clip(max=last) for s in range(0, last + 1, width)]
    given = arguments(job, kernel, network, groups[0])
    made, launch = compiled(kernel, given)
    room = memory or int(SHARE_OF_MEMORY * _free_memory())
    many = max(1, room // _bytes(made, given))
    parts = []
    for start in range(0, len(groups), many):
        batch = [arguments(job, kernel, network, g) for g in groups[start : start + many]]
        parts += _run_batch(job, kernel, made, launch, batch, workers)
    signals = {
        name: np.concatenate([part[0][name] for part in parts])[: last + 1] for name in parts[0][0]
    }
    return signals, np.concatenate([part[1] for part in parts])[: last + 1]


def _bytes(made: Entry, given: list[Argument]) -> int:
    """Bytes of device memory per group, `first` and the final state included."""
    sizes = [
        2 * argument.value.nbytes  # type: ignore[union-attr]
        for role, argument in zip(made.roles.values(), given, strict=True)
        if role in ("work", "seen", "own")
    ]
    return sum(sizes)


def _run_batch(
    job: Job, kernel: Kernel, made: Entry, launch, groups: list[list[Argument]], workers: int
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    batch = pack(made, groups, job.dtype)
    if max(batch.sizes) >= REACH:
        raise ConfigError(
            f"backend cuda: {max(batch.sizes)} numbers for {kernel.width} draws are more than it "
            f"can address; watch fewer volumes (a longer period) or use backend cpu"
        )
    work, seen = (cuda.device_array((len(groups), n), job.dtype) for n in batch.sizes)
    first = cuda.to_device(batch.first)
    passed = [cuda.to_device(v) if isinstance(v, np.ndarray) else v for v in batch.passed]
    numbers = np.int32(batch.final), *passed
    workers = min(workers, job.brain.connectome.n_regions)
    launch[len(groups), (kernel.width, workers)](
        first, work, seen, numbers[0], np.int32(passes(job, kernel)), *numbers[1:]
    )
    for row in seen.copy_to_host():
        outputs = [
            row[s : s + n] for s, n in (batch.spans[f"O{m}"] for m in range(len(job.monitors)))
        ]
        state = row[batch.final :].reshape(-1, kernel.width)
        yield signals_of(job, kernel, outputs), np.isfinite(state).all(axis=0)
