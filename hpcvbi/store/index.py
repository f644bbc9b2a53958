"""The index of all groups, in the root's zarr.json: xarray opens a store with one read, no warning.

It is made of the groups that are there, anew at any time. Nothing is believed because of it.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpcvbi.store.durable import write_durably
from hpcvbi.store.trust import LARGEST_METADATA, read_json

SHARE = 0.02
"""Share of its time that a driver spends on the index between its entry and its exit."""


class Indexer:
    """Writes the index, more seldom the longer that takes."""

    def __init__(self, zarr_root: Path) -> None:
        self._root, self._after = zarr_root, 0.0

    def write(self, study_sha256: str) -> None:
        """Write the index."""
        begin = time.monotonic()
        write_index(self._root, study_sha256)
        end = time.monotonic()
        self._after = end + (end - begin) / SHARE

    def write_if_due(self, study_sha256: str) -> None:
        """Write the index, unless that was done a short while ago."""
        if time.monotonic() >= self._after:
            self.write(study_sha256)


def write_index(zarr_root: Path, study_sha256: str) -> None:
    """Gather all metadata in the root's zarr.json, durably."""
    write_durably(zarr_root / "zarr.json", index(zarr_root, study_sha256))


def index(zarr_root: Path, study_sha256: str) -> bytes:
    """Return what the root's zarr.json has to hold, given the groups that are there."""
    found: dict[str, Any] = {}
    for chain in sorted(p for p in zarr_root.iterdir() if p.is_dir()):
        found[chain.name] = {"attributes": {}, "zarr_format": 3, "node_type": "group"}
        for group, about in _nodes(chain):
            found[f"{chain.name}/{group.name}"] = about
            for array, its in _nodes(group):
                found[f"{chain.name}/{group.name}/{array.name}"] = its
    body = {
        "attributes": root_attrs(study_sha256),
        "zarr_format": 3,
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": found},
        "node_type": "group",
    }
    return json.dumps(body).encode()


def root_attrs(study_sha256: str) -> dict[str, Any]:
    """Attributes of the root group."""
    return {"study_sha256": study_sha256}


def _nodes(folder: Path) -> Iterator[tuple[Path, Any]]:
    """Groups or arrays in a folder and their metadata, without those under construction."""
    for path in sorted(folder.glob("*/zarr.json")):
        with contextlib.suppress(OSError, ValueError):
            yield path.parent, read_json(path, LARGEST_METADATA)
