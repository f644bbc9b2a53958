"""What a declared scalar function may be made of, so that every backend can bind it to its own
arithmetic.

A declared function (`dfun`, `diffusion`, an output's formula, `pre`, `post`, `mix`) is compiled
from its code, with the names of `ARITHMETIC` bound anew. What would not compile is refused where it
is declared.
"""

import dis
import types
from collections.abc import Callable, Iterator

import numpy as np

from hpcvbi.core.errors import ConfigError

ARITHMETIC = ("exp", "expm1", "log", "tanh", "sin", "cos", "sqrt", "where")
"""NumPy functions that every backend has, by the name under which they are imported."""
OPERATORS = {"+", "-", "*", "/", "+=", "-=", "*=", "/="}


def check_scalar(where: str, function: Callable[..., object]) -> None:
    """Raise ConfigError, beginning with `where`, unless every backend can compile `function`."""
    if problem := next(_problems(function, set()), None):
        raise ConfigError(f"{where}: {problem}")


def _problems(function: Callable[..., object], seen: set) -> Iterator[str]:
    if not isinstance(function, types.FunctionType):
        yield f"{function!r} must be an ordinary Python function"
        return
    name, code = function.__name__, function.__code__
    if code in seen:
        return
    seen.add(code)
    if function.__closure__:
        yield (
            f"{name} uses {', '.join(code.co_freevars)} of the function around it: move it to the "
            f"level of the module, and make what it uses constants there, or parameters"
        )
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            yield (
                f"{name} uses .{step.argval}: import what it needs by its own name, as in "
                f"`from numpy import exp`"
            )
        elif step.opname == "BINARY_OP" and step.argrepr not in OPERATORS:
            yield f"{name} uses {step.argrepr}: write it with + - * / and {', '.join(ARITHMETIC)}"
        elif step.opname == "COMPARE_OP" and step.argval in ("==", "!="):
            yield f"{name} uses {step.argval}: compare with < <= > >= inside `where`"
        elif "JUMP" in step.opname or step.opname in ("CONTAINS_OP", "FOR_ITER"):
            yield f"{name} uses if, and, or, not or a loop: use `where(condition, yes, no)`"
        elif step.opname == "LOAD_GLOBAL":
            yield from _named(name, step.argval, function.__globals__, seen)


def _named(name: str, used: str, known: dict, seen: set) -> Iterator[str]:
    """Problems with one global name that a function uses."""
    value = known.get(used)
    if used in ARITHMETIC:
        if value is not getattr(np, used):
            yield f"{name} uses {used}, which is not NumPy's: write `from numpy import {used}`"
    elif isinstance(value, types.FunctionType):
        yield from _problems(value, seen)
    elif not isinstance(value, int | float):
        yield (
            f"{name} uses {used}, which is no number, no Python function and none of "
            f"{', '.join(ARITHMETIC)}"
        )
