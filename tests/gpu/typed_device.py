"""A stand-in for `numba.cuda` that compiles device code for the CPU: one thread per block.

It runs what the simulator does not: the code with numba's types, that is with its widening of
integers and floats and the casts that prevent it. Import it before anything of hpcvbi.
"""

import sys
from types import ModuleType

import numpy as np
from numba import extending, njit, types


def _module(name: str, **contents) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(contents)
    return module


class DeviceArray(np.ndarray):
    """An array on the device, which is this one."""

    def copy_to_host(self) -> np.ndarray:
        """Return the array."""
        return self.view(np.ndarray)


class Launcher:
    """A compiled kernel; it is launched with one block of one thread."""

    def __init__(self, function):
        self.function = njit(error_model="numpy")(function)

    def __getitem__(self, configuration):
        blocks, threads = configuration
        assert blocks == 1 and threads == (1, 1)
        return lambda *given: self.function(
            *(g.view(np.ndarray) if isinstance(g, DeviceArray) else g for g in given)
        )


def jit(function=None, *, device=False, max_registers=None):
    """Compile for one CPU thread."""
    compile_it = njit(error_model="numpy") if device else Launcher
    return compile_it(function) if function else compile_it


@njit
def fma(a, b, c):
    """a * b + c in float64, rounded to the type of `a`."""
    return type(a)(np.float64(a) * np.float64(b) + np.float64(c))


STAND_IN = _module(
    "numba.cuda",
    jit=jit,
    fma=fma,
    syncthreads=njit(lambda: None),
    threadIdx=_module("threadIdx", x=0, y=0),
    blockDim=_module("blockDim", x=1, y=1),
    blockIdx=_module("blockIdx", x=0),
    is_available=lambda: True,
    to_device=lambda array: array.view(DeviceArray),
    device_array=lambda shape, dtype: np.empty(shape, dtype).view(DeviceArray),
    current_context=lambda: _module("context", get_memory_info=lambda: (1, 1)),
    types=types,
    extending=extending,
)


def install() -> None:
    """Put the stand-in where numba.cuda would be."""
    import numba

    numba.cuda = STAND_IN  # type: ignore[attr-defined]
    for name in ("", ".types", ".extending"):
        part = STAND_IN if not name else getattr(STAND_IN, name[1:])
        sys.modules[f"numba.cuda{name}"] = part
