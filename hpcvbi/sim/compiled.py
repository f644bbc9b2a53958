"""Compiles kernels, and keeps them on disk so that a process that needs one again does not compile
it again.

The functions of a declaration (`dfun`, `pre`, `post`, the haemodynamics) are plain Python; here
their free names exp, log, sqrt and the like are bound to the arithmetic of lanes. The generated
source is written to a file because numba's disk cache follows files; the file's name is a digest of
all that determines the machine code.
"""

import fcntl
import hashlib
import inspect
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from numba import njit

from hpcvbi.sim import noise
from hpcvbi.sim.kernel import CONSTANTS, PRIMITIVES, Kernel, declared
from hpcvbi.sim.lanes import functions, memory, vector
from hpcvbi.sim.lanes.functions import inline
from hpcvbi.sim.source import source

ARITHMETIC = {
    "exp": functions.exp,
    "expm1": functions.expm1,
    "log": functions.log,
    "tanh": functions.tanh,
    "sin": functions.sin,
    "cos": functions.cos,
    "sqrt": vector.sqrt,
    "where": vector.where,
}


def bind(function: Callable) -> Callable:
    """Compile a declared scalar function for lanes, and the Python functions that it calls."""
    # cached machine code imports the module of every function in it; a model's may have moved
    names = {**function.__globals__, "__name__": __name__}
    for name in function.__code__.co_names:
        if name in ARITHMETIC:
            names[name] = ARITHMETIC[name]
        elif isinstance(names.get(name), types.FunctionType):
            names[name] = bind(names[name])
    bound = types.FunctionType(function.__code__, names, function.__name__)
    return njit(forceinline=True, error_model="numpy")(bound)


def cache_folder() -> Path:
    """Folder of generated sources and their machine code: NUMBA_CACHE_DIR, or the user's cache."""
    if configured := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(configured) / "hpcvbi"
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "hpcvbi" / "kernels"


def _made(folder: Path) -> Path:
    """Make the folder, or one in the system's temporary folder where that is not possible."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"hpcvbi-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to somebody else") from None
    return folder


def fingerprint(function: Callable) -> list[str]:
    """All that determines what a declared function computes: its code and the globals that it
    reads.
    """
    code = function.__code__
    parts = [code.co_code.hex(), repr(code.co_consts), repr(code.co_names), repr(code.co_varnames)]
    for name in code.co_names:
        value = function.__globals__.get(name)
        if name not in ARITHMETIC and isinstance(value, types.FunctionType):
            parts += fingerprint(value)
        elif isinstance(value, int | float):
            parts.append(f"{name}={value!r}")
    return parts


def _digest(text: str, called: tuple[Callable, ...]) -> str:
    parts = [text, repr(CONSTANTS), *(part for f in called for part in fingerprint(f))]
    parts += [inspect.getsource(module) for module in (noise, functions, memory, vector)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _write(text: str, called: tuple[Callable, ...]) -> Path:
    folder = _made(cache_folder())
    path = folder / f"kernel_{_digest(text, called)}.py"
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(text)
        draft.replace(path)
    return path


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock, so that of several processes one compiles and the others find it done."""
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def call(function: Callable, steps: int, *rest: object) -> None:
    """Run a kernel for `steps` steps; where it has to be compiled, one process does it."""
    if not function.signatures:  # type: ignore[attr-defined]
        written = Path(function.py_func.__code__.co_filename)  # type: ignore[attr-defined]
        with _alone(written):
            function(0, *rest)
    function(steps, *rest)


@inline
def _barrier():
    """Nothing: in a lane group, one thread does all."""


@inline
def _real(number):
    """Return `number`: lanes cast it to their own precision."""
    return float(number)


@cache
def compiled(kernel: Kernel) -> Callable:
    """Return the compiled function `run` of a kernel; see `sim.kernel` for its arrays."""
    functions_of = {name: f for name, f in declared(kernel).items() if f is not None}
    text = source(kernel)
    path = _write(text, tuple(functions_of.values()))
    # numba finds the globals of cached machine code by the name of their module.
    module = types.ModuleType(path.stem)
    sys.modules[module.__name__] = module
    primitives = {
        "load": memory.load,
        "store": memory.store,
        "entry": memory.entry,
        "spread": memory.spread,
        "gather": memory.gather,
        "fma": vector.fma,
        "where": vector.where,
        "sqrt": vector.sqrt,
        "tanh": functions.tanh,
        "to_double": vector.to_double,
        "four_normals": noise.INCREMENTS[kernel.level],
        "normals_and_areas": noise.INCREMENTS_AND_AREAS[kernel.level],
        "each": range,
        "barrier": _barrier,
        "real": _real,
    }
    bound = {name: bind(function) for name, function in functions_of.items()}
    module.__dict__.update({**CONSTANTS, **bound, **{n: primitives[n] for n in PRIMITIVES}})
    exec(compile(text, str(path), "exec"), module.__dict__)
    return njit(nogil=True, error_model="numpy", cache=True)(module.run)
