"""The key file of a cohort: which folder belongs to which pseudonym.

    pseudonym,source        one row per person, commas
    P01,sub-anna            `source` names the person's folder in the cohort

It is kept apart from all results: the store, its manifest, its ledger and the report know
pseudonyms only. Only its owner may be able to read it.
"""

import stat
from pathlib import Path

from hpcvbi.cohort.text import read_lines
from hpcvbi.core.errors import DataError
from hpcvbi.core.identifier import check_id

HEADER = ("pseudonym", "source")


def read_pseudonyms(path: Path) -> dict[str, str]:
    """Return the source's identifier of every pseudonym.

    Raises
    ------
    DataError
        The file can be read by others, or does not give every pseudonym one folder of its own.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{path} is no regular file")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise DataError(f"{path} tells who is who and can be read by others: chmod 600 {path}")
    except OSError as error:
        raise DataError(f"cannot read the key file {path}: {error.strerror or error}") from error
    rows = [
        (number, tuple(cell.strip() for cell in line.split(",")))
        for number, line in read_lines(path)
    ]
    if not rows or rows[0][1] != HEADER:
        raise DataError(f"{path} must begin with the line {','.join(HEADER)}")
    people: dict[str, str] = {}
    for number, cells in rows[1:]:
        # no message repeats what a source is called
        where = f"{path}, line {number}"
        if len(cells) != len(HEADER):
            raise DataError(f"{where}: {len(cells)} cells, not {len(HEADER)}")
        pseudonym, source = cells
        check_id(pseudonym)
        if source in ("", ".", "..") or "/" in source or "\0" in source:
            raise DataError(f"{where}: the source of {pseudonym} is no name of a folder")
        if pseudonym == source:
            raise DataError(f"{where}: {pseudonym} is the source's own identifier, no pseudonym")
        if pseudonym in people or source in people.values():
            raise DataError(f"{where}: {pseudonym} or its source stands there twice")
        people[pseudonym] = source
    if not people:
        raise DataError(f"{path} names nobody")
    return people
