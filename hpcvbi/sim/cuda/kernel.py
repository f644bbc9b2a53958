"""Makes CUDA kernels of the generated text; `sim.kernel` says what its arrays hold.

The text's function `run` becomes a device function. The kernel around it gives each thread block
the memory of its group: `work`, which begins with what `first` holds, and `seen`, which holds what
is wanted afterwards, the monitors' arrays and behind them the final state. Lane arrays are parts of
these two.
"""

import inspect
import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import cuda

from hpcvbi.sim.arrays import Argument
from hpcvbi.sim.cuda import device
from hpcvbi.sim.cuda.integers import NAMES, narrow
from hpcvbi.sim.cuda.noise import INCREMENTS, INCREMENTS_AND_AREAS
from hpcvbi.sim.cuda.registers import sink
from hpcvbi.sim.kernel import CONSTANTS, Kernel, declared
from hpcvbi.sim.source import source

ENTRY = """\
def kernel(first, work, seen, final, {parameters}):
    group = cuda.blockIdx.x
    mine = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    threads = cuda.blockDim.x * cuda.blockDim.y
    for n in range(mine, first.shape[1], threads):
        work[group, n] = first[group, n]
    for n in range(first.shape[1] + mine, work.shape[1], threads):
        work[group, n] = real(0.0)
    for n in range(mine, seen.shape[1], threads):
        seen[group, n] = real(0.0)
    barrier()
    run({arguments})
    barrier()
    for n in range(mine, X_size, threads):
        seen[group, final + n] = work[group, X_start + n]
"""

Role = Literal["number", "shared", "own", "work", "seen"]


@dataclass(frozen=True)
class Entry:
    """A plain function that becomes a CUDA kernel, and the role of each argument of `run`.

    "number" and "shared" arrays are passed as they are; "own" arrays as (group, element); of
    arrays in "work" and "seen", where they begin and their size are passed.
    """

    function: Callable
    roles: dict[str, Role]


def entry(kernel: Kernel, given: list[Argument]) -> Entry:
    """Return the function of a kernel; `given` are the arguments of any of its groups."""
    real = np.float64 if kernel.double else np.float32
    text = source(kernel)
    names = _names(kernel, real)
    exec(compile(narrow(sink(text)), "<kernel>", "exec"), names)
    arguments = list(inspect.signature(names["run"]).parameters)[1:]
    lanes = set(re.findall(r"\b(?:load|store|gather)\((\w+),", text))
    roles = {
        name: _role(name, argument.value, name in lanes, real)
        for name, argument in zip(arguments, given, strict=True)
    }
    names["run"] = device.bind(names["run"], real, names)
    parameters, values = ["steps"], ["steps"]
    for name, role in roles.items():
        parameters += [f"{name}_start", f"{name}_size"] if role in ("work", "seen") else [name]
        values.append(_value(name, role))
    exec(ENTRY.format(parameters=", ".join(parameters), arguments=", ".join(values)), names)
    return Entry(names["kernel"], roles)


def _names(kernel: Kernel, real: type) -> dict[str, Any]:
    """What the names of a kernel's text mean."""
    arithmetic = device.arithmetic(real)
    names: dict[str, Any] = {
        "cuda": cuda,
        "np": np,
        "Part": device.Part,
        "real": real,
        "to_double": np.float64,
        "four_normals": INCREMENTS[kernel.level],
        "normals_and_areas": INCREMENTS_AND_AREAS[kernel.level],
        **arithmetic,
        **{name: real(value) for name, value in CONSTANTS.items()},
        **NAMES,
    }
    for name, function in declared(kernel).items():
        names[name] = device.bind(function, real, arithmetic) if function else None
    # The simulator lets `cuda` mean the running thread in the globals of the kernel only.
    for primitive in device.OF_THE_THREAD:
        local = types.FunctionType(primitive.__code__, names, primitive.__name__)
        names[primitive.__name__] = device.compiled(local)
    return names


def _role(name: str, value, in_lanes: bool, real: type) -> Role:
    if np.ndim(value) == 0:
        return "number"
    if not in_lanes:
        return "shared"
    if value.dtype != real:
        return "own"
    return "seen" if re.fullmatch(r"O\d+", name) else "work"


def _value(name: str, role: Role) -> str:
    if role == "own":
        return f"Part({name}[group], 0, {name}.shape[1])"
    if role in ("work", "seen"):
        return f"Part({role}[group], {name}_start, {name}_size)"
    return name
