"""Parts of a study: stores of some of its people each, in the folder `parts` beside store.zarr.

A part is an ordinary store. Nothing of the study's own store refers to it.
"""

from pathlib import Path

PARTS = "parts"
"""Name of the folder."""


def has_store(folder: Path) -> bool:
    """Whether there is a store in `folder`."""
    return (folder / "MANIFEST.json").is_file()


def parts_in(folder: Path) -> list[Path]:
    """Return the folders of all parts of the study whose output folder is `folder`, sorted."""
    return sorted(path for path in (folder / PARTS).glob("*") if has_store(path))
