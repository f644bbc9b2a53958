"""What a study writes: layout, ledger, lock. The only writer of Zarr; no mark precedes its data."""

from hpcvbi.store.dataset import check_place, write_dataset
from hpcvbi.store.driver import Driver
from hpcvbi.store.keys import KeySource, StudyKey, begin, fingerprint, is_sealed, study_key, unlock
from hpcvbi.store.layout import Output, Variable, check_person
from hpcvbi.store.progress import Progress, RoundProgress, progress
from hpcvbi.store.store import Store

__all__ = [
    "Driver",
    "KeySource",
    "Output",
    "Progress",
    "RoundProgress",
    "Store",
    "StudyKey",
    "Variable",
    "begin",
    "check_person",
    "check_place",
    "fingerprint",
    "is_sealed",
    "progress",
    "study_key",
    "unlock",
    "write_dataset",
]
