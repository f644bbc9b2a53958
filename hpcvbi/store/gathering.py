"""Groups of many people and rounds as one data set, by name: what differs is refused or padded."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import xarray as xr

from hpcvbi.core.errors import StoreError

_SHOWN = 4


def gather(
    tree: xr.DataTree,
    group: str = "round_*",
    people: Sequence[str] | None = None,
    pad: bool = False,
) -> xr.Dataset:
    """Concatenate one group of all people, or several rounds of them, into one lazy data set.

    Parameters
    ----------
    tree
        What `open_store` returned.
    group
        The name of a group (`posterior`, `grid`, ...): the result has a dimension `person`, before
        those of the group. With a wildcard (`round_*`), all rounds that match: the result has
        dimensions `person` and `round`. Both have their names as coordinates.
    people
        Whose; everybody of the tree by default. Who lacks the group is an error.
    pad
        Whether people and rounds may differ in regions, pairs, features or numbers of draws. Then
        the result has what any of them has, matched by name (draws by number), and NaN where one
        has it not; status is 0 there.

    Returns
    -------
    Numbers among the groups' attributes (`draws_pending`, `excluded_fraction`, ...) have become
    coordinates along `person` and `round`.

    Raises
    ------
    StoreError
        Nobody has the group, somebody lacks it, or what they have differs and `pad` is false.
    """
    several = any(sign in group for sign in "*?[")
    listed = list(tree.children) if people is None else list(people)
    if unknown := [person for person in listed if person not in tree.children]:
        raise StoreError(f"the tree has no {', '.join(unknown)}, only {_some(tree.children)}")
    found = {
        person: sorted(name for name in tree[person].children if fnmatchcase(name, group))
        for person in listed
    }
    if not any(found.values()):
        groups = sorted({name for person in listed for name in tree[person].children})
        raise StoreError(f"nobody has a group {group!r}; there are {_some(groups, 20)}")
    names = list(dict.fromkeys(name for of in found.values() for name in of))
    for person, has in found.items():
        if lacks := [name for name in names if name not in has]:
            able = [p for p, of in found.items() if len(of) == len(names)]
            raise StoreError(
                f"{person} has no {', '.join(lacks)}: name the people who have it, "
                f"people={able!r}, or a group that everybody has"
            )
    members = {(p, name): tree[p][name].to_dataset() for p in listed for name in names}
    numbers = sorted({name for of in members.values() for name in _numbers(of)})
    alike = dict(zip(members, _alike(members, pad), strict=True))
    parts = []
    for person in listed:
        rounds = [alike[person, name] for name in names]
        parts.append(_joined(rounds, "round", names) if several else rounds[0])
    return _joined(parts, "person", listed).set_coords(numbers)


def _joined(parts: Sequence[xr.Dataset], dim: str, names: Sequence[str]) -> xr.Dataset:
    return xr.concat(
        list(parts),
        dim,
        data_vars="all",
        coords="different",
        compat="equals",
        join="exact",
        combine_attrs="drop_conflicts",
    ).assign_coords({dim: list(names)})


def _alike(members: Mapping[tuple[str, str], xr.Dataset], pad: bool) -> list[xr.Dataset]:
    """Return the data sets with the same variables over the same coordinates; or refuse."""
    named = {f"{person}/{group}": _numbered(of) for (person, group), of in members.items()}
    first_name, first = next(iter(named.items()))
    for name, other in named.items():
        if differs := sorted(set(map(str, first.data_vars)) ^ set(map(str, other.data_vars))):
            raise StoreError(f"{first_name} and {name} differ: only one has {_some(differs)}")
        for variable in first.data_vars:
            _check_same_kind(first_name, first[variable], name, other[variable])
    ragged = _ragged(named)
    if ragged and not pad:
        said = "; ".join(_difference(dim, labels) for dim, labels in ragged.items())
        raise StoreError(
            f"they differ in {said}. Gather those that agree, or all with pad=True, which matches "
            "them by name and puts NaN where one has nothing"
        )
    return [_padded(other, ragged, list(named.values())) for other in named.values()]


def _numbered(found: xr.Dataset) -> xr.Dataset:
    """Make numbers among the attributes variables, and number what has no labels."""
    numbers = _numbers(found)
    rest = {k: v for k, v in found.attrs.items() if k not in numbers}
    unlabelled = {d: np.arange(n) for d, n in found.sizes.items() if d not in found.indexes}
    labelled = xr.Dataset(found.data_vars, found.coords, rest).assign_coords(unlabelled)
    return labelled.assign(numbers)


def _numbers(found: xr.Dataset) -> dict[str, int | float]:
    taken = {*found.variables, *found.dims}
    return {
        str(k): v for k, v in found.attrs.items() if isinstance(v, int | float) and k not in taken
    }


def _check_same_kind(one: str, a: xr.DataArray, other: str, b: xr.DataArray) -> None:
    for what, ours, theirs in (
        ("dimensions", a.dims, b.dims),
        ("units", a.attrs.get("units"), b.attrs.get("units")),
    ):
        if ours != theirs:
            raise StoreError(f"{a.name} has the {what} {ours} in {one}, {theirs} in {other}")


def _ragged(named: Mapping[str, xr.Dataset]) -> dict[str, dict[str, list[Any]]]:
    """Labels of each dimension that is not the same everywhere, by data set."""
    dims = list(dict.fromkeys(dim for of in named.values() for dim in of.dims))
    every = {str(d): {name: of[d].values.tolist() for name, of in named.items()} for d in dims}
    return {
        dim: labels
        for dim, labels in every.items()
        if any(own != next(iter(labels.values())) for own in labels.values())
    }


def _difference(dim: str, labels: Mapping[str, list[Any]]) -> str:
    (one, first), *others = labels.items()
    other, theirs = next((name, own) for name, own in others if own != first)
    only = [str(label) for label in dict.fromkeys([*first, *theirs])
            if (label in first) != (label in theirs)]  # fmt: skip
    which = f"not in both: {_some(only)}" if only else "the same in another order"
    return f"{dim} ({len(first)} in {one}, {len(theirs)} in {other}; {which})"


def _padded(
    found: xr.Dataset, ragged: Mapping[str, Mapping[str, list[Any]]], everyone: Sequence[xr.Dataset]
) -> xr.Dataset:
    if not ragged:
        return found
    union = {
        dim: list(dict.fromkeys(label for own in labels.values() for label in own))
        for dim, labels in ragged.items()
    }
    about = [name for name, c in found.coords.items() if name not in found.dims and
             set(c.dims) & ragged.keys()]  # fmt: skip
    padded = found.drop_vars(about)
    padded = padded.reindex(
        union, fill_value={v: 0 if v == "status" else np.nan for v in padded.data_vars}
    )
    return padded.assign_coords({name: _labels_of(str(name), union, everyone) for name in about})


def _labels_of(
    name: str, union: Mapping[str, list[Any]], everyone: Sequence[xr.Dataset]
) -> tuple[str, list[Any]]:
    """What belongs to each label of a padded dimension, from whoever has the label."""
    known: dict[Any, Any] = {}
    dim = str(everyone[0][name].dims[0])
    for other in everyone:
        for label, value in zip(
            other[dim].values.tolist(), other[name].values.tolist(), strict=True
        ):
            if known.setdefault(label, value) != value:
                raise StoreError(
                    f"{name} of {label} is {known[label]} in one group, {value} in another"
                )
    return dim, [known[label] for label in union[dim]]


def _some(names: Any, shown: int = _SHOWN) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:shown]) + (f", ... ({len(listed)})" if len(listed) > shown else "")
