"""What the names of a kernel mean on a CUDA device: scalars of one thread, in the kernel's type.

numba widens float32 times a Python float to float64. So every literal of a bound function becomes a
number of the kernel's type before it is compiled, and so do the floats among its globals. In
numba's CUDA simulator (NUMBA_ENABLE_CUDASIM=1) the same functions run as plain Python on NumPy
scalars.
"""

import math
import types
from collections import namedtuple
from collections.abc import Callable

import numpy as np
from numba import config, cuda

from hpcvbi.sim.lanes import functions

SIMULATED = bool(config.ENABLE_CUDASIM)
"""Whether numba's simulator stands in for a device; it is chosen before numba is imported."""


def compiled(function: Callable) -> Callable:
    """Compile a function that other device functions call."""
    return function if SIMULATED else cuda.jit(device=True)(function)


def _typed(constant, real: type):
    if isinstance(constant, tuple):
        return tuple(_typed(part, real) for part in constant)
    return real(constant) if isinstance(constant, float) else constant


def bind(function: Callable, real: type, names: dict[str, object]) -> Callable:
    """Compile a plain function for one thread, and the Python functions that it calls.

    Free names that `names` holds get its meaning; float literals and float globals become `real`
    (numpy.float32 or numpy.float64).
    """
    code = function.__code__
    meaning = dict(function.__globals__)
    for name in code.co_names:
        value = meaning.get(name)
        if name in names:
            meaning[name] = names[name]
        elif isinstance(value, types.FunctionType):
            meaning[name] = bind(value, real, names)
        elif isinstance(value, float):
            meaning[name] = real(value)
    code = code.replace(co_consts=tuple(_typed(c, real) for c in code.co_consts))
    return compiled(
        types.FunctionType(code, meaning, function.__name__, None, function.__closure__)
    )


Part = namedtuple("Part", "pool start size")
"""A lane array: its place in the memory of its group. One pointer to that memory and constant
offsets need fewer registers than a pointer for each array.
"""


def load(array, index, width):
    """Return this lane's element of those that begin at `index`; bounds are up to the caller."""
    # An unsigned index spares the test for negative ones; 32 bits suffice for one group's memory.
    at = np.uint32(np.uint32(index) + np.uint32(cuda.threadIdx.x))
    return array.pool[np.uint32(np.uint32(array.start) + at)]


def spread(array, index, width):
    """One element of an array that all groups share, for all lanes."""
    return array[np.uint32(index)]


def entry(array, index):
    """One number of an array that all groups share."""
    return array[np.uint32(index)]


def gather(array, index, row, width):
    """Return this lane's element of its own row, the rows of `width` beginning at `index`."""
    return load(array, index + row * width, width)


def store(array, index, value):
    """Write this lane's element of those that begin at `index`."""
    at = np.uint32(np.uint32(index) + np.uint32(cuda.threadIdx.x))
    array.pool[np.uint32(np.uint32(array.start) + at)] = value


def each(count):
    """Numbers below `count` that are this worker's."""
    return range(cuda.threadIdx.y, count, cuda.blockDim.y)


def barrier():
    """Wait until all workers of the group are here and see what the others wrote."""
    cuda.syncthreads()


OF_THE_THREAD = (load, store, gather, spread, entry, each, barrier)
"""Primitives that mean something for a thread only; a kernel compiles them in its own globals."""


def _module(**contents: object) -> types.ModuleType:
    module = types.ModuleType("typed")
    module.__dict__.update(contents)
    return module


def _where(condition, a, b):
    return a if condition else b


def _fma(a, b, c):
    return cuda.fma(a, b, c)


def _simulated_fma(a, b, c):
    # A product of two float32 is exact in float64.
    return type(a)(np.float64(a) * np.float64(b) + np.float64(c))


where = compiled(_where)
fma = compiled(_simulated_fma if SIMULATED else _fma)
_LIBRARY = np if SIMULATED else math
WORDS = {
    "fma": fma,
    "where": where,
    "sqrt": _LIBRARY.sqrt,
    "unsigned_to_float": compiled(lambda word: np.float32(np.uint32(word))),
    "to_float": compiled(lambda bits: np.float32(np.int32(bits))),
    "as_signed": compiled(lambda word: np.uint32(word).view(np.int32)),
    "as_bits": compiled(lambda x: np.float32(x).view(np.int32)),
    "from_bits": compiled(lambda bits: np.int32(bits).view(np.float32)),
    "math": _module(pi=np.float32(math.pi)),
    "np": _module(int32=np.int32, uint32=np.uint32, nan=np.float32(np.nan)),
}
"""What the names of lane functions in float32 mean for one thread."""


def scalar(lanes: Callable, **names: object) -> Callable:
    """Compile a function of float32 lanes for one thread; `names` are those that it calls."""
    return bind(lanes.py_func, np.float32, WORDS | names)  # type: ignore[attr-defined]


def arithmetic(real: type) -> dict[str, object]:
    """What the free names of a declared function mean."""
    names = ("exp", "log", "sqrt", "tanh", "sin", "cos", "expm1")
    found = {name: getattr(_LIBRARY, name) for name in names}
    if real is np.float32:
        # The library computes with float64 where their argument is large.
        found |= {"sin": sin32, "cos": cos32}
    return found | {"where": where, "fma": fma}


_turn = scalar(functions.turn_32)
sin32 = scalar(functions.sin32, turn_32=_turn)
cos32 = scalar(functions.cos32, turn_32=_turn)
log32 = scalar(functions.log32)
