"""Which of several arrays in a file is meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from hpcvbi.cohort.limits import MOST_NUMBERS
from hpcvbi.core.errors import DataError

Where = TypeVar("Where")
_SHOWN = 10


@dataclass(frozen=True)
class Held(Generic[Where]):
    """An array as its header describes it: `fault` says why it is no matrix of numbers, or ""."""

    shape: tuple[int, ...]
    kind: str
    fault: str
    where: Where


def fault_of(shape: tuple[int, ...], plain: bool, kind: str) -> str:
    """Say why such an array cannot be read; "" if it can."""
    if not plain:
        return f"holds {kind}, not plain numbers; save it as float64"
    if len(shape) != 2 or min(shape) < 1:
        return f"must hold a matrix (row, column), its shape is {_short(shape)}"
    if shape[0] * shape[1] > MOST_NUMBERS:
        return f"claims {_short(shape)} numbers; at most {MOST_NUMBERS} are read"
    return ""


def chosen(path: Path, held: Mapping[str, Held[Where]], name: str | None) -> Held[Where]:
    """Return the array `name`, else the one named after the file, else the only matrix.

    Raises
    ------
    DataError
        It is not there, or cannot be read, or there are several; the message lists them.
    """
    shown = [f"{key[:40]!r} {_short(found.shape)} {found.kind}" for key, found in held.items()]
    listed = ", ".join(shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "")
    wanted = name or (path.stem if path.stem in held else None)
    if wanted is None:
        usable = [key for key, found in held.items() if not found.fault]
        if len(usable) != 1 and len(held) != 1:
            raise DataError(
                f"{path} holds {listed or 'nothing'}: save one matrix in it, or name it "
                f"{path.stem!r}"
            )
        wanted = usable[0] if usable else next(iter(held))
    if wanted not in held:
        raise DataError(f"{path} has no {wanted!r}; it holds {listed or 'nothing'}")
    if fault := held[wanted].fault:
        raise DataError(f"{path}: {wanted[:40]!r} {fault}")
    return held[wanted]


def _short(shape: tuple[int, ...]) -> str:
    text = str(shape)
    return text if len(text) <= 80 else text[:80] + "...)"
