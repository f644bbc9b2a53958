"""The participants' table of a cohort, as BIDS names it: what each person's data may be used for.

    participant_id  consent_scope               data_use_terms          participants.tsv (tabs)
    sub-01          epilepsy research; teaching no redistribution
    sub-02          n/a                         n/a

`participant_id` is the name of the person's folder. `consent_scope` lists purposes, apart by `;`.
`n/a` or nothing means that the table does not say. Other columns, such as age, are read only by
name, with `read_column`.

Gorgolewski et al. (2016) doi:10.1038/sdata.2016.44 (BIDS).
"""

from dataclasses import dataclass
from pathlib import Path

from hpcvbi.cohort.text import read_lines
from hpcvbi.core.errors import DataError

NAME = "participants.tsv"


@dataclass(frozen=True)
class Participant:
    """What the table says of one person; "" where it says nothing."""

    consent: str = ""
    terms: str = ""


def read_participants(folder: Path) -> dict[str, Participant] | None:
    """Return everybody in the folder's table by `participant_id`; None where there is no table.

    Raises
    ------
    DataError
        It has no column participant_id, a ragged row, or somebody twice; it names the line.
    """
    path = folder / NAME
    if not path.exists():
        return None
    rows = _rows(path)
    return {
        person: Participant(said.get("consent_scope", ""), said.get("data_use_terms", ""))
        for person, said in rows.items()
    }


def read_column(path: Path, column: str) -> dict[str, str]:
    """Return one column of a table by `participant_id`, of those whom it says something of.

    Raises
    ------
    DataError
        The table cannot be read, has no such column, or says nothing in it.
    """
    rows = _rows(path)
    if rows and column not in next(iter(rows.values())):
        there = ", ".join(name for name in next(iter(rows.values())) if name != "participant_id")
        raise DataError(f"{path} has no column {column!r}; it has {there or 'no other'}")
    found = {person: said[column] for person, said in rows.items() if said[column]}
    if not found:
        raise DataError(f"{path} says nothing in column {column!r}")
    return found


def _rows(path: Path) -> dict[str, dict[str, str]]:
    """Every row by `participant_id`, cells by the names of their columns."""
    rows = [(number, line.split("\t")) for number, line in read_lines(path)]
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    if "participant_id" not in header or len(set(header)) < len(header):
        raise DataError(f"{path}: its first line must name each column once, participant_id too")
    people: dict[str, dict[str, str]] = {}
    for number, cells in rows[1:]:
        if len(cells) != len(header):
            raise DataError(f"{path}, line {number}: {len(cells)} cells, {len(header)} in line 1")
        said = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        said = {name: "" if cell.lower() == "n/a" else cell for name, cell in said.items()}
        person = said["participant_id"]
        if person in people:
            raise DataError(f"{path}, line {number}: {person!r} stands there twice")
        people[person] = said
    return people


def allows(consent: str, purpose: str) -> bool:
    """Whether a purpose is among those of a consent scope, apart from case and blanks."""
    return _plain(purpose) in [_plain(scope) for scope in consent.split(";")]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
