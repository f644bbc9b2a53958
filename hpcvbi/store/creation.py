"""Lays out an empty store; the manifest comes last and makes it one."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError
from hpcvbi.store.durable import make_directory, sync
from hpcvbi.store.index import write_index
from hpcvbi.store.manifest import write_manifest


def create(folder: Path, study: Mapping[str, Any], study_sha256: str) -> None:
    """Create the store of a study in `folder`, unless another process does so at the same time.

    Raises
    ------
    StoreError
        There are results whose manifest is missing.
    """
    if any(folder.glob("ledger/*.log")) or any(folder.glob("store.zarr/*/zarr.json")):
        raise StoreError(
            f"{folder} holds results, but MANIFEST.json is missing, so it cannot be known whose "
            "they are. Restore it from a copy, or choose another `output:`."
        )
    ledger, root = folder / "ledger", folder / "store.zarr"
    for directory in (folder, ledger, root):
        make_directory(directory)
    write_index(root, study_sha256)
    for directory in (root, ledger):
        sync(directory)
    with contextlib.suppress(FileExistsError):  # another process was faster; it is compared next
        write_manifest(folder, study, study_sha256)
