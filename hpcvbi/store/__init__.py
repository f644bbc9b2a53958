"""What a study writes: layout, ledger, lock. The only writer of Zarr; no mark precedes its data."""

from hpcvbi.store.dataset import check_place, write_dataset
from hpcvbi.store.driver import Driver
from hpcvbi.store.durable import storage_faults
from hpcvbi.store.layout import Output, Variable, check_person
from hpcvbi.store.progress import Progress, RoundProgress, progress
from hpcvbi.store.store import Store

__all__ = [
    "Driver",
    "Output",
    "Progress",
    "RoundProgress",
    "Store",
    "Variable",
    "check_person",
    "check_place",
    "progress",
    "storage_faults",
    "write_dataset",
]
