"""What comes back from a store is checked before it is used: names, types, dimensions, numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcvbi.core.errors import StoreMismatch

Dims = Mapping[str, tuple[str, ...]]
"""Dimensions of each array of a state; equal names have equal sizes."""


def checked(
    arrays: Mapping[str, np.ndarray], dims: Dims, infinite: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Return the arrays that `dims` names, without NaN, and finite unless they may be `infinite`;
    StoreMismatch where one is missing, of another kind or does not fit to the others.
    """
    found, sizes = {}, dict[str, int]()
    for name, along in dims.items():
        if name not in arrays:
            raise refused(f"{name} is missing")
        array = np.array(arrays[name])
        if array.dtype.kind not in "fiu" or array.ndim != len(along):
            raise refused(
                f"{name} has type {array.dtype} and shape {array.shape}, not numbers along {along}"
            )
        if np.isnan(array).any() or (name not in infinite and np.isinf(array).any()):
            raise refused(f"{name} holds numbers that are not finite")
        for dim, size in zip(along, array.shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise refused(f"{name} has {size} entries along {dim}, elsewhere {sizes[dim]}")
        found[name] = array
    return found


def typed(
    arrays: Mapping[str, np.ndarray],
    dims: Dims,
    infinite: tuple[str, ...],
    whole_numbers: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """Return what `checked` does; StoreMismatch unless `whole_numbers` are int64 and all others are
    float64.
    """
    found = checked(arrays, dims, infinite)
    for name, array in found.items():
        if array.dtype != (np.int64 if name in whole_numbers else np.float64):
            raise refused(f"{name} has type {array.dtype}")
    return found


def scalars(found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return arrays as they are, those without dimensions as Python numbers."""
    return {name: array if array.ndim else array.item() for name, array in found.items()}


def refused(what: str) -> StoreMismatch:
    """Return the error of a stored state that is not what it should be."""
    return StoreMismatch(
        f"the stored state of the inference cannot be used: {what}. Restore the store from a copy, "
        "or infer again into a new output folder"
    )
