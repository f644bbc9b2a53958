"""Put a file or folder where nothing is yet: private, durable, at once and whole, or not at all."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from hpcvbi.core.errors import ExportError, HpcvbiError
from hpcvbi.store.durable import storage_faults, sync


def check_target(target: Path) -> None:
    """Raise ExportError unless `target` is free and lies in a folder that is there."""
    if target.exists() or target.is_symlink():
        raise ExportError(f"{target} is there already: remove it, or name another target")
    if not target.parent.is_dir():
        raise ExportError(f"there is no folder {target.parent}: make it, or name another target")


@contextlib.contextmanager
def published(target: Path) -> Iterator[Path]:
    """Yield the path to write a file or folder at; it becomes `target` when the block ends well.

    Raises
    ------
    ExportError
        Something is at `target`, before or by then; or what is written cannot be read.
    StoreError
        It cannot be written there.
    """
    check_target(target)
    workshop = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    with storage_faults(target.parent):
        workshop.mkdir(mode=0o700)
        try:
            yield workshop / target.name
            _settle(workshop)
            _move(workshop / target.name, target)
        except (HpcvbiError, OSError):
            raise
        except Exception as error:  # codecs raise various errors on damaged bytes
            raise ExportError(
                f"cannot write {target}: {error}. If data in the store are damaged, `hpcvbi verify "
                "STORE --repair` computes them again"
            ) from error
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
        sync_parent(target)


def sync_parent(target: Path) -> None:
    """Make the entry of `target` in its folder durable; the folder's mode stays as it is."""
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle(folder: Path) -> None:
    for directory, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(directory, name))
        sync(Path(directory))


def _move(draft: Path, target: Path) -> None:
    try:
        if draft.is_dir():
            check_target(target)  # rename would replace an empty folder
            draft.rename(target)
        else:
            os.link(draft, target)
    except FileExistsError:
        check_target(target)
        raise
