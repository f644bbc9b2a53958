"""A connectome of The Virtual Brain: a zip archive with texts, read in place.

    weights.txt         (to, from) connection strengths, between blanks
    tract_lengths.txt   (to, from) [mm]
    centres.txt         a region's name and its position in each line; may be absent

in the archive itself or in a folder in it; `.txt.bz2` and the spelling `centers` are read too.
Other members, such as areas or orientations, are passed over.

Sanz-Leon et al. (2013) doi:10.3389/fninf.2013.00010.
"""

import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from hpcvbi.cohort.archive import Member, expand_bz2, open_archive
from hpcvbi.cohort.recognise import opened
from hpcvbi.cohort.text import check_label, numbered_lines, parse_table
from hpcvbi.core.errors import DataError

_SUFFIXES = (".txt", ".txt.bz2")


def read_connectivity(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...] | None]:
    """Return weights, lengths [mm] and the names of the regions, None where there are none.

    Raises
    ------
    DataError
        No such archive, damaged, too large, or a text that holds no numbers.
    """
    with opened(path, "zip") as file, open_archive(file, path) as members:
        weights, lengths = (
            parse_table(io.BytesIO(_content(_one(path, members, stem))), f"{path}: {stem}", None)
            for stem in ("weights", "tract_lengths")
        )
        spellings = [_find(path, members, stem) for stem in ("centres", "centers")]
        centres = next((member for member in spellings if member is not None), None)
        return weights, lengths, None if centres is None else _names(path, centres)


def _one(path: Path, members: Mapping[str, Member], stem: str) -> Member:
    member = _find(path, members, stem)
    if member is None:
        held = ", ".join(sorted(members)[:10]) or "nothing"
        raise DataError(
            f"{path} holds no {stem}.txt, as a connectome of The Virtual Brain does; it holds "
            f"{held[:300]}"
        )
    return member


def _find(path: Path, members: Mapping[str, Member], stem: str) -> Member | None:
    names = {stem + suffix for suffix in _SUFFIXES}
    found = [
        name
        for name in members
        if (pure := PurePosixPath(name)).name in names and pure.parts[0] != "__MACOSX"
    ]
    if len(found) > 1:
        raise DataError(f"{path} holds {' and '.join(sorted(found))[:200]}: keep one of them")
    return members[found[0]] if found else None


def _content(member: Member) -> bytes:
    with member.open() as stream:
        if member.name.endswith(".bz2"):
            return expand_bz2(stream, member.where, member.size)
        return stream.read(member.size)


def _names(path: Path, centres: Member) -> tuple[str, ...]:
    where = f"{path}: centres"
    lines = numbered_lines(io.BytesIO(_content(centres)), where)
    return tuple(
        check_label(f"{where}, line {n}", line.split()[0])
        for n, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    )
