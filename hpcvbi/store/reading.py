"""A study's store for readers: named, with units, lazily, and nothing in it that is not marked.

    tree = hpcvbi.open_store("results/quickstart")        # an xarray.DataTree, person/group
    tree["101309/posterior"].ds.G.mean()
    rounds = hpcvbi.gather(tree, "round_*")               # (person, round, draw, ...)

xarray alone opens a store too; only the ledger knows which blocks are finished, and that is what
`open_store` adds. It takes no lock and reads the groups' own metadata, so that it may be called
beside a live driver and no index can be out of date.
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from hpcvbi.core.block import blocks_of, runs_of
from hpcvbi.core.errors import KeyRefused, StoreError
from hpcvbi.core.identifier import COHORT
from hpcvbi.store.encode import ATTRIBUTES
from hpcvbi.store.gathering import gather
from hpcvbi.store.index import root_attrs
from hpcvbi.store.ledger import Record
from hpcvbi.store.manifest import read_manifests
from hpcvbi.store.marks import BlockKey, GroupKey, Marks
from hpcvbi.store.progress import read_marks
from hpcvbi.store.tombstone import tombstones
from hpcvbi.store.verify import Verify, blocks_that_hold, group_holds, group_path

__all__ = ["folder_of", "gather", "open_store"]


def open_store(
    path: Path | str, people: Sequence[str] | None = None, verify: Verify = "size"
) -> xr.DataTree:
    """Open a study's results as a tree of data sets, `person/group`, with names and units.

    Arrays are dask arrays, a chunk per block: nothing but coordinates is read until it is computed.
    What the ledger marks when this is called is what the tree holds. Draws of blocks without a mark
    are pending, whatever lies on disk: their status is 0, their outputs are NaN, and the attribute
    `draws_pending` of the group counts them.

    Parameters
    ----------
    path
        The study's output folder, or the store.zarr in it.
    people
        Whose groups are opened; every person's by default. `_cohort` is what was learned from all.
    verify
        What the files of rounds are compared with: their size, or with "full" their SHA-256, which
        reads all of them. Data sets written whole are small: they are always compared in full.

    Raises
    ------
    StoreError
        There is no store, a person is not in it, or marked data are gone or damaged.
    KeyRefused
        It is encrypted, and the key is not where it was.
    """
    folder = folder_of(path)
    manifests = read_manifests(folder)
    sha256, marks = manifests[-1].sha256, read_marks(folder, manifests)
    groups = _groups(folder, marks, people)
    root, blocks = folder / "store.zarr", marks.done()
    tree = {"/": xr.Dataset(attrs=root_attrs(sha256))}
    for (chain, group), mark in groups.items():
        if not group_holds(root, mark, "full" if mark["kind"] == "put" else verify):
            raise StoreError(_gone(group_path(root, chain, group)))
        tree[f"{chain}/{group}"] = (
            _round(root, mark, blocks, verify) if mark["kind"] == "prepared" else _open(root, mark)
        )
    return xr.DataTree.from_dict(tree)


def folder_of(path: Path | str) -> Path:
    """Return the output folder that `path` names, itself or its store.zarr; StoreError if none."""
    path = Path(path)
    if path.name.endswith(".zarr") and path.is_dir():
        if not (path.parent / "MANIFEST.json").exists():
            raise StoreError(
                f"{path} lies without the MANIFEST.json and the ledger of its study, so it cannot "
                "be known which blocks are finished. Copy the whole output folder; or open it with "
                "xarray.open_datatree(path, engine='zarr') and believe `status` at your own risk."
            )
        return path.parent
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise StoreError(f"{path} {what}: name the output folder of a study, or its store.zarr")
    return path


def _groups(folder: Path, marks: Marks, people: Sequence[str] | None) -> dict[GroupKey, Record]:
    gone = tombstones(folder)
    groups = dict(sorted({**marks.rounds, **marks.puts}.items()))
    groups = {key: mark for key, mark in groups.items() if key[0] not in gone}
    if people is None:
        return {key: mark for key, mark in groups.items() if key[0] != COHORT}
    known = {chain for chain, _ in groups}
    if strangers := [person for person in people if person not in known]:
        raise StoreError(
            f"{folder} has nothing of {', '.join(strangers)}. It has: "
            f"{', '.join(sorted(known)) or 'nobody yet'}"
        )
    return {key: mark for key, mark in groups.items() if key[0] in people}


def _open(root: Path, mark: Record, draws: int | None = None) -> xr.Dataset:
    """Open a group lazily from its own metadata, `draws` per chunk."""
    folder = group_path(root, mark["chain"], mark["group"])
    chunks = {} if draws is None else {"draw": draws}
    try:
        with warnings.catch_warnings():
            # the draws of an encrypted round are one chunk, whatever its blocks are
            warnings.filterwarnings("ignore", "The specified chunks separate", UserWarning)
            found = xr.open_zarr(folder, consolidated=False, zarr_format=3, chunks=chunks)
        if ATTRIBUTES in found:
            sealed = json.loads(str(found[ATTRIBUTES].values))
            found = found.drop_vars(ATTRIBUTES).assign_attrs(sealed)
    except (OSError, KeyRefused):
        raise
    except Exception as error:  # zarr and xarray raise various errors on damaged metadata
        raise StoreError(_gone(folder)) from error
    found = found[sorted(map(str, found.data_vars))]  # not as the file system lists them
    # labels of labels, such as param_unit, are as small as the labels themselves
    late = [name for name, coord in found.coords.items() if coord.chunks is not None]
    return found.assign_coords({name: found[name].load() for name in late})


def _round(root: Path, mark: Record, marked: dict[BlockKey, Record], verify: Verify) -> xr.Dataset:
    """Open a round; `marked` are the blocks that the ledger marks, of all rounds."""
    chain, group, draws = mark["chain"], mark["group"], mark["draws"]
    done = [b for b in blocks_of(chain, group, draws, mark["block"]) if b.key in marked]
    good = blocks_that_hold(root, marked, (b.key for b in done), verify)
    if lost := [b.index for b in done if b.key not in good]:
        raise StoreError(_gone(group_path(root, chain, group), lost))
    found = _open(root, mark, mark["block"])
    pending = draws - sum(b.size for b in done)
    about = {**found.attrs, "draws": draws, "draws_pending": pending}
    if pending:
        outputs = [name for name in found.data_vars if name != "theta"]
        found = found.assign({name: _masked(found[name], list(runs_of(done))) for name in outputs})
    return found.assign_attrs(about)


def _masked(array: xr.DataArray, runs: Sequence[tuple[int, int]]) -> xr.DataArray:
    """Replace all but the given draws by the fill value; of these no file is ever read."""
    fill = np.nan if array.dtype.kind == "f" else 0
    parts, at = [], 0
    for start, stop in (*runs, (array.sizes["draw"], array.sizes["draw"])):
        if start > at:
            parts.append(xr.full_like(array[at:start], fill))
        parts.append(array[start:stop])
        at = stop
    return xr.concat(
        parts, "draw", coords="minimal", compat="override", join="override"
    ).assign_attrs(array.attrs)


def _gone(group: Path, blocks: Sequence[int] = ()) -> str:
    which = f"the data of blocks {list(blocks)} of {group}" if blocks else f"{group}"
    return (
        f"{which} are gone or damaged, though the ledger marks them: `hpcvbi verify STORE "
        "--repair` computes them again; or open only other people's results"
    )
