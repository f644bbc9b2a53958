"""What a study writes: layout, ledger, lock. The only writer of Zarr; no mark precedes its data."""

from hpcvbi.store.damage import Damage
from hpcvbi.store.dataset import check_place, write_dataset
from hpcvbi.store.driver import Driver
from hpcvbi.store.durable import check_room, storage_faults
from hpcvbi.store.keys import KeySource, StudyKey, begin, fingerprint, is_sealed, study_key, unlock
from hpcvbi.store.layout import Output, Variable
from hpcvbi.store.manifest import ABSENT, changes
from hpcvbi.store.parts import parts_in
from hpcvbi.store.progress import Progress, RoundProgress, progress
from hpcvbi.store.store import Store
from hpcvbi.store.survey import Survey, survey
from hpcvbi.store.tombstone import Tombstone, tombstones
from hpcvbi.store.trust import LARGEST_CHUNK
from hpcvbi.store.withdraw import Withdrawal, withdraw

__all__ = [
    "ABSENT",
    "LARGEST_CHUNK",
    "Damage",
    "Driver",
    "KeySource",
    "Output",
    "Progress",
    "RoundProgress",
    "Store",
    "StudyKey",
    "Survey",
    "Tombstone",
    "Variable",
    "Withdrawal",
    "begin",
    "changes",
    "check_place",
    "check_room",
    "fingerprint",
    "is_sealed",
    "parts_in",
    "progress",
    "storage_faults",
    "study_key",
    "survey",
    "tombstones",
    "unlock",
    "withdraw",
    "write_dataset",
]
