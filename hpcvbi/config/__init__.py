"""study.yaml to Study, and Study to brains. One rule: an error names file, line and key.

`load` reads a file, `site_of` what a site lays on it, `taking_part` its people; `check` refuses
what cannot run; `brain_of` and `context_of` give what a worker needs for one person. `load_trial`
and `prepare` do the same for the file of a single simulation.
"""

from hpcvbi.config.brains import (
    brain_of,
    check,
    cohort_of,
    connectome_of,
    context_of,
    reliability_of,
    taking_part,
)
from hpcvbi.config.load import load, load_trial
from hpcvbi.config.prepare import Prepared, prepare
from hpcvbi.config.rivals import identity_of_choice, is_choice, named, rival_of, studies_of
from hpcvbi.config.site import Site, mapping, site_of
from hpcvbi.config.study import Study, identity
from hpcvbi.config.trial import EXAMPLE, Trial

__all__ = [
    "EXAMPLE",
    "Prepared",
    "Site",
    "Study",
    "Trial",
    "brain_of",
    "check",
    "cohort_of",
    "connectome_of",
    "context_of",
    "identity",
    "identity_of_choice",
    "is_choice",
    "load",
    "load_trial",
    "mapping",
    "named",
    "prepare",
    "reliability_of",
    "rival_of",
    "site_of",
    "studies_of",
    "taking_part",
]
