"""Identifiers of people: pseudonyms that may name a folder, and nothing else.

No dots, slashes, blanks or control characters: none leads out of the folder that it is put in.
What belongs to all people at once lies under a name that no person can have.
"""

import re

from hpcvbi.core.errors import DataError

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
COHORT = "_cohort"
"""Whose the data are that were learned from all people of a study at once."""


def check_id(person: str) -> str:
    """Return `person` if it can identify one; DataError if not."""
    if not isinstance(person, str) or not re.fullmatch(ID_PATTERN, person):
        raise DataError(
            f"{str(person)[:80]!r} cannot be a person's id: use 1 to 64 letters, digits, - or _, "
            f"and begin with a letter or digit"
        )
    return person


def check_chain(chain: str) -> str:
    """Return `chain` if it identifies a person or is `COHORT`; DataError if not."""
    return chain if chain == COHORT else check_id(chain)
