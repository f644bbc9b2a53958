"""Regional maps, such as myelin or a gradient of cortical hierarchy, from a csv table.

    region,myelin,gradient          names of the maps; the column `region` may be absent
    L_V1,1.42,-0.7                  one row per region: in any order with `region`, else in the
    L_V2,1.31,-0.5                  order of the connectome

The numbers are used as they are: they are neither centred nor scaled.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hpcvbi.cohort.limits import MOST_MAPS
from hpcvbi.cohort.text import number, read_lines
from hpcvbi.core.errors import DataError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def read_maps(path: Path, labels: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the maps in `path` by name, each (region,) in the order of `labels`.

    Raises
    ------
    DataError
        A map without a name, a region that is unknown, missing or there twice, or what is no finite
        number; it names the file and the line.
    """
    lines = read_lines(path)
    if not lines:
        raise DataError(f"{path} is empty")
    header = [cell.strip() for cell in lines[0][1].split(",")]
    if len(header) > MOST_MAPS:
        raise DataError(f"{path} has {len(header)} columns, at most {MOST_MAPS} are read")
    named = header[0] == "region"
    names = header[1:] if named else header
    if not names:
        raise DataError(f"{path}, line {lines[0][0]}: there is no map beside the column region")
    for name in names:
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            raise DataError(
                f"{path}, line {lines[0][0]}: {name[:40]!r} cannot name a map; the first row names "
                f"each map once, in letters, digits and _"
            )
    if len(lines) - 1 != len(labels):
        raise DataError(f"{path} has {len(lines) - 1} rows below its header, {len(labels)} regions")
    values = np.full((len(labels), len(names)), np.nan)
    places = {label: place for place, label in enumerate(labels)}
    for row, (n, line) in enumerate(lines[1:]):
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(header):
            raise DataError(f"{path}, line {n}: {len(cells)} cells, {len(header)} in line 1")
        place = _place(f"{path}, line {n}", cells[0], places, values) if named else row
        values[place] = _numbers(f"{path}, line {n}", cells[named:])
    return {name: values[:, column] for column, name in enumerate(names)}


def _place(where: str, label: str, places: Mapping[str, int], values: np.ndarray) -> int:
    if label not in places:
        raise DataError(
            f"{where}: there is no region {label[:60]!r}; they begin with {next(iter(places))!r}"
        )
    place = places[label]
    if not np.isnan(values[place]).all():
        raise DataError(f"{where}: region {label!r} is there twice")
    return place


def _numbers(where: str, cells: list[str]) -> list[float]:
    try:
        numbers = [number(cell) for cell in cells]
    except ValueError:
        raise DataError(f"{where}: {', '.join(cells)[:60]!r} is not all numbers") from None
    if not np.isfinite(numbers).all():
        raise DataError(f"{where}: all numbers must be finite")
    return numbers
