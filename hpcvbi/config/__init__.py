"""study.yaml to Study, and Study to brains. One rule: an error names file, line and key.

`load` reads a file, `cohort_of` its people, `check` refuses what cannot run; `brain_of` and
`context_of` give what a worker needs for one person.
"""

from hpcvbi.config.brains import (
    brain_of,
    check,
    cohort_of,
    connectome_of,
    context_of,
    reliability_of,
)
from hpcvbi.config.load import load
from hpcvbi.config.study import Study, identity

__all__ = [
    "Study",
    "brain_of",
    "check",
    "cohort_of",
    "connectome_of",
    "context_of",
    "identity",
    "load",
    "reliability_of",
]
