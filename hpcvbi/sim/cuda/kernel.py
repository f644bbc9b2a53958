"""Makes CUDA kernels of the generated text; `sim.kernel` says what its arrays hold.

The text's function `run` becomes a device function. The kernel around it hands each thread block its
own group's part of those arrays that differ between groups, which are two-dimensional here:
(group, element).
"""

import inspect
import types
from collections.abc import Callable
from functools import cache

import numpy as np
from numba import cuda

from hpcvbi.observe import bold
from hpcvbi.sim.cuda import device
from hpcvbi.sim.cuda.integers import NAMES, narrow
from hpcvbi.sim.cuda.noise import four_normals
from hpcvbi.sim.kernel import Kernel
from hpcvbi.sim.source import source

MOST_REGISTERS = 128
"""Registers per thread, so that 512 threads fit a multiprocessor."""
ENTRY = """\
def kernel(first, work, seen, key, {parameters}):
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
"""


def _hooked(text: str) -> str:
    import re
    text = re.sub(r"for i in range\(nodes\)", "for i in each(nodes)", text)
    text = re.sub(r"for block in range\(", "for block in each(", text)
    text = re.sub(r"nil \+ (sub|every)(\d)", r"nil + real(\1\2)", text)
    text = re.sub(r"\* (sub\d) \* 0", r"* real(\1) * 0", text)
    text = text.replace("old / count", "old / real(count)")
    lines, out = text.splitlines(), []
    stack = []
    for line in lines:
        spaces = len(line) - len(line.lstrip())
        while stack and line.strip() and spaces <= stack[-1]:
            out.append(" " * stack.pop() + "barrier()")
        out.append(line)
        if "in each(" in line:
            stack.append(spaces)
    return "\n".join(out) + "\n"


def declared(kernel: Kernel) -> dict[str, Callable]:
    """The plain functions that the text calls."""
    coupling = kernel.coupling
    functions = {
        "dfun": kernel.model.dfun,
        "post": coupling.post,
        "balloon": bold.balloon,
        "bold_signal": bold.bold_signal,
    }
    return functions | ({"pre": coupling.pre} if coupling.pre else {})


@cache
def entry(kernel: Kernel) -> Callable:
    """Return the plain function that becomes a CUDA kernel; its parameters are those of `run`."""
    real = np.float64 if kernel.double else np.float32
    text = narrow(_hooked(source(kernel)))
    names: dict = {
        "cuda": cuda,
        "np": np,
        "Part": device.Part,
        "LEAST_INFLOW": real(bold.LEAST_INFLOW),
        "four_normals": four_normals,
        "real": real,
        "to_double": np.float64,
        **device.ARITHMETIC,
        **NAMES,
    }
    for name, function in declared(kernel).items():
        names[name] = device.bind(function, real, device.ARITHMETIC)
    # The simulator lets `cuda` mean the running thread in the globals of the kernel only.
    for primitive in (device.load, device.spread, device.store, device.each, device.barrier):
        local = types.FunctionType(primitive.__code__, names)
        names[primitive.__name__] = device.compiled(local)
    exec(compile(text, "<kernel>", "exec"), names)
    arguments = inspect.signature(names["run"]).parameters
    names["run"] = device.bind(names["run"], real, names)
    own, values = [], []
    for n in arguments:
        if n in SHARED or is_number(n):
            own.append(n); values.append(n)
        elif n == "key":
            values.append("Part(key[group], 0, 0)")
        else:
            own += [f"{n}_start", f"{n}_size"]
            pool = "seen" if is_seen(n) else "work"
            values.append(f"Part({pool}[group], {n}_start, {n}_size)")
    exec(ENTRY.format(parameters=", ".join(own), arguments=", ".join(values)), names)
    return names["kernel"]


SHARED = ("strength", "weights", "base", "taps", "rows")


def is_number(name):
    """Whether the argument is a number, not an array."""
    return name in ("quads", "burn_in", "dt", "nodes", "ring") or name[:-1] in ("every", "sub")

def is_seen(n):
    """Whether the array is wanted after the kernel."""
    return n[0] == "O"
