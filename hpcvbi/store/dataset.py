"""One data set in one place: a NetCDF file or a Zarr folder, as xarray reads it.

NetCDF is the classic format (64-bit offsets), which every NetCDF library reads and which holds at
most 4 GB per variable. What was there before is replaced only once all is written.
"""

import json
import os
import shutil
import uuid
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from zarr.errors import ZarrUserWarning

from hpcvbi.core.block import Status
from hpcvbi.core.errors import StoreError
from hpcvbi.store.durable import make_directory, make_private, private
from hpcvbi.store.layout import Variable, check_distinct

LARGEST_NETCDF = 2**32 - 2**16
"""Bytes of the largest variable in a classic NetCDF file."""


def check_place(path: Path) -> None:
    """Make the folder of `path`, and raise StoreError unless a data set can be put there."""
    try:
        make_directory(path.parent)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreError(f"cannot write into {path.parent}: permission denied")
    if path.suffix == ".nc" and path.is_dir():
        raise StoreError(f"{path} is a folder: name another file")
    if path.suffix != ".nc" and path.exists() and not _is_ours(path):
        raise StoreError(f"{path} is there and no data set of hpcvbi: name another output")


def write_dataset(
    path: Path, variables: Iterable[Variable], coords: Iterable[Variable], attrs: Mapping[str, Any]
) -> None:
    """Write a data set to `path`, NetCDF if it ends in .nc, else Zarr; text attributes or numbers.

    Raises
    ------
    StoreError
        It cannot be written there, or is too large for NetCDF.
    """
    import xarray as xr  # takes half a second, which no worker should need

    variables, coords = list(variables), list(coords)
    check_distinct([v.name for v in (*variables, *coords)])
    found = xr.Dataset(
        {v.name: _array(v) for v in variables}, {v.name: _array(v) for v in coords}, dict(attrs)
    )
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        check_place(path)
        if path.suffix == ".nc":
            _check_netcdf(path, variables)
            with open(draft, "xb", opener=private):
                pass
            found.to_netcdf(draft, engine="scipy", format="NETCDF3_64BIT")
        else:
            draft.mkdir(mode=0o700)
            with warnings.catch_warnings():
                # consolidated metadata are what xarray opens without a warning
                warnings.simplefilter("ignore", ZarrUserWarning)
                found.to_zarr(draft, mode="a", zarr_format=3, consolidated=True)
            make_private(draft)
            if path.exists():
                shutil.rmtree(path)
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink(missing_ok=True)


def _array(v: Variable) -> tuple[tuple[str, ...], Any, dict[str, Any]]:
    attrs: dict[str, Any] = {} if v.is_text else {"units": v.units}
    if v.doc:
        attrs["long_name"] = v.doc
    if v.name == "status":
        attrs["flag_values"] = np.array([int(status) for status in Status], v.values.dtype)
        attrs["flag_meanings"] = " ".join(status.name.lower() for status in Status)
    return v.dims, v.values, attrs


def _check_netcdf(path: Path, variables: Iterable[Variable]) -> None:
    for v in variables:
        if v.values.nbytes > LARGEST_NETCDF:
            raise StoreError(
                f"{v.name} has {v.values.nbytes / 1e9:.1f} GB, too much for a NetCDF file: "
                f"name the output {path.with_suffix('.zarr')}"
            )


def _is_ours(path: Path) -> bool:
    """Whether a folder is one data set of hpcvbi, which may be replaced."""
    try:
        about = json.loads((path / "zarr.json").read_bytes())["attributes"]
    except (OSError, ValueError, KeyError):
        return False
    return str(about.get("source", "")).startswith("hpcvbi ")
