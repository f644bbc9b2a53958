"""What a study writes: layout, ledger, lock. The only writer of Zarr; no mark precedes its data."""

from hpcvbi.store.damage import Damage
from hpcvbi.store.dataset import check_place, write_dataset
from hpcvbi.store.driver import Driver
from hpcvbi.store.layout import Output, Variable, check_person
from hpcvbi.store.manifest import ABSENT, changes
from hpcvbi.store.progress import Progress, RoundProgress, progress
from hpcvbi.store.store import Store
from hpcvbi.store.survey import Survey, survey

__all__ = [
    "ABSENT",
    "Damage",
    "Driver",
    "Output",
    "Progress",
    "RoundProgress",
    "Store",
    "Survey",
    "Variable",
    "changes",
    "check_person",
    "check_place",
    "progress",
    "survey",
    "write_dataset",
]
