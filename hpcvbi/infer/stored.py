"""States of an inference as arrays. What comes back from a store is checked before it is used:
names, types, dimensions, numbers.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from hpcvbi.core.errors import StoreMismatch

Dims = Mapping[str, tuple[str, ...]]
"""Dimensions of each array of a state; equal names have equal sizes."""
Types = Mapping[str, type[np.generic]]
"""Types of arrays of a state, where they are not float64."""


class Stored:
    """Base of a state whose fields are numbers and arrays, and are stored as they are."""

    DIMS: ClassVar[Dims]
    TYPES: ClassVar[Types]
    INFINITE: ClassVar[tuple[str, ...]] = ()
    """Arrays that may hold infinities."""

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return named arrays of numbers, with the dimensions of `DIMS`."""
        return {name: np.asarray(getattr(self, name)) for name in self.DIMS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Inverse of `to_arrays`, bit for bit; StoreMismatch unless they fit together."""
        found, sizes = {}, dict[str, int]()
        for name, along in cls.DIMS.items():
            if name not in arrays:
                raise refused(f"{name} is missing")
            array, kind = np.array(arrays[name]), cls.TYPES.get(name, np.float64)
            if array.dtype != kind or array.ndim != len(along):
                raise refused(
                    f"{name} has type {array.dtype} and shape {array.shape}, "
                    f"not {kind.__name__} along {along}"
                )
            if np.isnan(array).any() or (name not in cls.INFINITE and np.isinf(array).any()):
                raise refused(f"{name} holds numbers that are not finite")
            for dim, size in zip(along, array.shape, strict=True):
                if sizes.setdefault(dim, size) != size:
                    raise refused(f"{name} has {size} entries along {dim}, elsewhere {sizes[dim]}")
            if kind is np.int64 and (array < 0).any():
                raise refused(f"{name} must not be negative")
            found[name] = array
        cls.check(found)
        scalars: dict[str, Any] = {n: a if a.ndim else a.item() for n, a in found.items()}
        return cls(**scalars)

    @classmethod
    def check(cls, found: Mapping[str, np.ndarray]) -> None:
        """Raise StoreMismatch unless arrays of the right types and dimensions fit together."""


def refused(what: str) -> StoreMismatch:
    """Return the error of a stored state that is not what it should be."""
    return StoreMismatch(
        f"the stored state of the inference cannot be used: {what}. Restore the store from a copy, "
        "or infer again into a new output folder"
    )
