"""The words for what lies in the store, and the names it may have.

    store.zarr/<person>/<group>/<array>

A group is a simulation set (`round_000`, `predictive`, ...: theta, status and outputs along `draw`,
one shard per block) or a small data set written whole (`posterior`, `observed_data`, ...). Names of
dimensions, coordinates and units travel with every array, so that xarray alone can read it.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.core.errors import StoreError
from hpcvbi.core.space import Param
from hpcvbi.store.durable import sha256
from hpcvbi.store.rounding import MOST_BITS

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
# xarray would turn numbers in these units into time differences, with a warning
_CF_TIME = {"days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"}


@dataclass(frozen=True, eq=False)
class Variable:
    """A named array with one name per dimension; numbers, or text."""

    name: str
    dims: tuple[str, ...]
    values: Any
    units: str = "1"
    doc: str = ""

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.dtype.kind in "UOT":
            values = np.array(values, dtype=object)
            if not all(isinstance(v, str) for v in values.ravel()):
                raise StoreError(f"{self.name}: an array of objects may hold text only")
        elif values.dtype.kind not in "fiub":
            raise StoreError(f"{self.name}: cannot store values of type {values.dtype}")
        object.__setattr__(self, "values", values)
        check_name(self.name)
        if values.ndim != len(self.dims):
            raise StoreError(f"{self.name}: shape {values.shape} does not fit dims {self.dims}")
        _check_units(self.name, self.units)

    @property
    def is_text(self) -> bool:
        """Whether it holds text, which has no unit."""
        return self.values.dtype == object

    def digest(self) -> str:
        """SHA-256 of the content, whatever the codecs and versions that store it."""
        if self.is_text:
            return sha256(json.dumps(self.values.tolist()).encode())
        return content_digest(self.values)


@dataclass(frozen=True)
class Output:
    """What a block writes besides `status`: an array whose first dimension is `draw`.

    Every other dimension needs a coordinate (a Variable over this dimension); more coordinates may
    share it, such as the unit of each feature. Of `bits`, see `rounding`; None for exact numbers.
    """

    name: str
    dims: tuple[str, ...]
    coords: tuple[Variable, ...] = ()
    units: str = "1"
    dtype: str = "float32"
    doc: str = ""
    bits: int | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_units(self.name, self.units)
        most = MOST_BITS.get(np.dtype(self.dtype).name, 0)
        if self.bits is not None and not 1 <= self.bits <= most:
            raise StoreError(f"output {self.name}: {self.dtype} cannot keep {self.bits} bits")
        if self.dims[:1] != ("draw",):
            raise StoreError(
                f"output {self.name}: the first dimension must be draw, got {self.dims}"
            )
        missing = set(self.dims[1:]) - sizes(self.coords).keys()
        if missing:
            raise StoreError(f"output {self.name}: no coordinate for {', '.join(sorted(missing))}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one draw."""
        known = sizes(self.coords)
        return tuple(known[dim] for dim in self.dims[1:])


@dataclass(frozen=True)
class RoundLayout:
    """A simulation set: parameters, what blocks write, number of draws, draws per block."""

    params: tuple[Param, ...]
    outputs: tuple[Output, ...]
    draws: int
    block: int
    coords: tuple[Variable, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.draws < 1 or self.block < 1:
            raise StoreError(f"a round needs draws and blocks, got {self.draws} and {self.block}")
        coords = {c.name: c for output in self.outputs for c in output.coords}
        for output in self.outputs:
            for c in output.coords:
                if c.digest() != coords[c.name].digest():
                    raise StoreError(f"coordinate {c.name} differs between outputs")
        own = param_coords(self.params)
        names = [
            *coords,
            *(v.name for v in own),
            *(o.name for o in self.outputs),
            "theta",
            "status",
        ]
        check_distinct(names)
        object.__setattr__(self, "coords", (*own, *coords.values()))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.draws // self.block)

    def identity(self, theta: np.ndarray) -> str:
        """Name exactly this layout with exactly these draws, whatever versions and codecs."""
        parts: list[Any] = [self.draws, self.block, content_digest(theta)]
        parts += [[c.name, c.dims, c.units, c.digest()] for c in self.coords]
        parts += [[o.name, o.dims, o.units, np.dtype(o.dtype).str] for o in self.outputs]
        parts += [[o.name, o.bits] for o in self.outputs if o.bits is not None]
        return sha256(json.dumps(parts).encode())[:16]

    def mark(self, theta: np.ndarray, blind: Callable[[str], str] = str) -> dict[str, Any]:
        """What a mark says of this layout with these draws; `blind` turns a digest of the draws
        into what may be written down of it.
        """
        return {
            "kind": "prepared",
            "id": blind(self.identity(theta)),
            "theta": blind(content_digest(theta)),
            "draws": self.draws,
            "block": self.block,
            "blocks": self.blocks,
        }


def param_coords(params: Sequence[Param]) -> tuple[Variable, Variable]:
    """Coordinates of a `param` dimension: the names and their units."""
    return (
        Variable("param", ("param",), [p.name for p in params]),
        Variable("param_unit", ("param",), [p.unit for p in params]),
    )


def sizes(variables: Iterable[Variable]) -> dict[str, int]:
    """Length of every dimension; StoreError where two variables disagree."""
    known: dict[str, int] = {}
    for v in variables:
        for dim, size in zip(v.dims, v.values.shape, strict=True):
            if known.setdefault(dim, size) != size:
                raise StoreError(
                    f"{v.name}: dimension {dim} has {size} entries, elsewhere {known[dim]}"
                )
    return known


def content_digest(values: np.ndarray) -> str:
    """SHA-256 of the numbers, little-endian, in C order."""
    ordered = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return sha256(ordered.data.cast("B") if ordered.size else b"")


def put_identity(
    variables: Iterable[Variable], coords: Iterable[Variable], attrs: Mapping[str, Any]
) -> str:
    """Name exactly this data set, independently of versions and codecs."""
    try:
        parts = [json.dumps(attrs, sort_keys=True, allow_nan=False)]
    except (TypeError, ValueError) as error:
        raise StoreError(f"attributes must be plain JSON without NaN: {error}") from None
    for kind, group in (("data", variables), ("coord", coords)):
        for v in group:
            shape = list(v.values.shape)
            parts.append(
                json.dumps([kind, v.name, v.dims, shape, v.units, v.doc, str(v.values.dtype)])
            )
            parts.append(v.digest())
    return sha256("\n".join(parts).encode())[:16]


def check_name(name: str) -> str:
    """Return `name` if it may name a group or an array; StoreError if not."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StoreError(f"{name!r} cannot name a group or array: use letters, digits and _")
    return name


def check_distinct(names: Iterable[str]) -> None:
    """Raise StoreError where a name is used twice in one group."""
    twice = sorted(n for n, count in Counter(names).items() if count > 1)
    if twice:
        raise StoreError(f"named twice in one group: {', '.join(twice)}")


def shard_path(group: Path, array: str, index: int, ndim: int) -> Path:
    """File of block `index` of an array whose shards divide the first dimension only."""
    return group / array / ".".join(["c", str(index), *["0"] * (ndim - 1)])


def _check_units(name: str, units: str) -> None:
    if units.lower() in _CF_TIME:
        raise StoreError(
            f"{name}: write the unit {units!r} as its symbol (s, ms), or xarray decodes it"
        )
