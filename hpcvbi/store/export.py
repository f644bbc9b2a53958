"""A store in other people's formats: NetCDF, the layout of ArviZ, tables.

    netcdf   the whole tree; a file TARGET.nc with groups (NetCDF-4, needs h5netcdf), or a folder
             with a classic NetCDF file per group, which every NetCDF library reads and which needs
             nothing but SciPy
    arviz    posterior, posterior_predictive, observed_data, prior, prior_predictive and
             constant_data, with a dimension `person`; TARGET.zarr, or TARGET.nc with h5netcdf.
             There is no sample_stats: samples of a flow have no energies and no tree depths
    csv      posterior samples of all people, a row per sample; units in the header

Kumar, Carroll, Hartikainen & Martin (2019), "ArviZ, a unified library for exploratory analysis of
Bayesian models in Python", Journal of Open Source Software 4, 1143, doi:10.21105/joss.01143.
"""

import csv
import json
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from zarr.errors import ZarrUserWarning

from hpcvbi.core.errors import ExportError
from hpcvbi.store.dataset import LARGEST_NETCDF
from hpcvbi.store.gathering import gather
from hpcvbi.store.publish import published
from hpcvbi.store.reading import open_store

People = Sequence[str] | None


def export_netcdf(store: Path, target: Path, people: People, about: dict[str, str]) -> None:
    """Write every group: into one file TARGET.nc, or else into a folder, a file per group."""
    tree = open_store(store, people)
    if not tree.children:
        raise ExportError(f"{store} has nothing to export yet: nobody's round has begun")
    tree.attrs.update(about)
    plain = xr.DataTree.from_dict({node.path: _plain(node.to_dataset()) for node in tree.subtree})
    if target.suffix == ".nc":
        _write_tree(plain, target)
        return
    for node in plain.leaves:
        _check_size(node.to_dataset(), target)
    with published(target) as draft:
        for node in plain.leaves:
            path = draft / f"{node.path.strip('/')}.nc"
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            data = node.to_dataset().assign_attrs({**tree.attrs, **node.attrs})
            data.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")


def export_arviz(store: Path, target: Path, people: People, about: dict[str, str]) -> None:
    """Write the inference in ArviZ's groups: TARGET.zarr, or TARGET.nc with h5netcdf."""
    if target.suffix not in (".zarr", ".nc"):
        raise ExportError(f"name the target of an ArviZ export {target.name}.zarr or .nc")
    tree = inference_data(open_store(store, people), about)
    if target.suffix == ".nc":
        _write_tree(tree, target)
        return
    with published(target) as draft, warnings.catch_warnings():
        # consolidated metadata are what xarray opens without a warning
        warnings.simplefilter("ignore", ZarrUserWarning)
        tree.to_zarr(draft, zarr_format=3, consolidated=True)


def inference_data(tree: xr.DataTree, about: dict[str, str]) -> xr.DataTree:
    """Return ArviZ's groups of everybody in `tree`, which `open_store` returned.

    Every variable has the dimensions (chain, draw, person, ...), without the first two where
    nothing was drawn. Draws of the prior are those of the first round; what of them was left out
    of learning has NaN in the prior predictive. Who joined a cohort's network has none.
    """
    drew = [person for person, node in tree.children.items() if "round_000" in node.children]
    prior = gather(tree, "round_000", drew or None).expand_dims("chain").assign_coords(chain=[0])
    groups = {
        "posterior": gather(tree, "posterior"),
        "posterior_predictive": gather(tree, "posterior_predictive"),
        "prior": _by_parameter(prior),
        "prior_predictive": prior[["features"]],
        "observed_data": gather(tree, "observed_data"),
        "constant_data": gather(tree, "connectome"),
    }
    drawn = ("chain", "draw", "person")
    ordered = {
        name: of.transpose(*(d for d in drawn if d in of.dims), ...) for name, of in groups.items()
    }
    named = {"inference_library": "hpcvbi", **about}
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={**tree.attrs, **named})}
        | {name: _plain(of).assign_attrs(named) for name, of in ordered.items()}
    )


def export_csv(store: Path, target: Path, people: People, about: dict[str, str]) -> None:
    """Write all posterior samples: person, draw, and each parameter with its unit in brackets."""
    tree = open_store(store, people)
    absent = [person for person, node in tree.children.items() if "posterior" not in node.children]
    if absent or not tree.children:
        raise ExportError(
            f"there is no posterior of {', '.join(absent) or 'anybody'} yet: finish the study, or "
            "name the people to export"
        )
    found = {person: tree[person]["posterior"].to_dataset() for person in tree.children}
    # in the order of the study, which the columns of theta have: groups list theirs in any
    node = next(iter(tree.children.values()))
    drawn = "round_000" if "round_000" in node.children else "predictive"
    names = node[drawn].ds.param.values.tolist()
    first = next(iter(found.values()))
    with published(target) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["person", "draw", *(_head(first[name]) for name in names)])
        for person, of in found.items():
            columns = [of[name].values.ravel().tolist() for name in names]
            for draw, sample in enumerate(zip(*columns, strict=True)):
                rows.writerow([person, draw, *map(repr, sample)])


def _head(parameter: xr.DataArray) -> str:
    unit = parameter.attrs.get("units", "1")
    return str(parameter.name) if unit == "1" else f"{parameter.name} [{unit}]"


def _by_parameter(prior: xr.Dataset) -> xr.Dataset:
    units = dict(zip(prior.param.values.tolist(), prior.param_unit.values.tolist(), strict=True))
    columns = {
        name: prior.theta.sel(param=name, drop=True).drop_vars("param_unit", errors="ignore")
        for name in units
    }
    return xr.Dataset({n: c.assign_attrs(units=units[n]) for n, c in columns.items()})


def _write_tree(tree: xr.DataTree, target: Path) -> None:
    if find_spec("h5netcdf") is None or find_spec("h5py") is None:
        raise ExportError(
            f"one NetCDF file with groups ({target.name}) needs h5netcdf and h5py: pip "
            f"install 'hpcvbi[netcdf]'; or name a folder ({target.stem}), which gets a classic "
            f"NetCDF file per group, or for ArviZ {target.stem}.zarr"
        )
    with published(target) as draft:
        tree.to_netcdf(draft, engine="h5netcdf", format="NETCDF4")


def _check_size(found: xr.Dataset, target: Path) -> None:
    for name, values in found.variables.items():
        if values.nbytes > LARGEST_NETCDF:
            raise ExportError(
                f"{name} has {values.nbytes / 1e9:.1f} GB, too much for a classic NetCDF file: "
                f"name the target {target.name}.nc"
            )


def _plain(found: xr.Dataset) -> xr.Dataset:
    """Text as objects, attributes as text and numbers: what every format takes."""
    text = {n: v.astype(object) for n, v in found.variables.items() if v.dtype.kind in "TU"}
    plain = found.assign_coords({str(n): v for n, v in text.items()})
    for variable in plain.variables.values():
        variable.encoding = {}
        variable.attrs = {k: _plain_attribute(v) for k, v in variable.attrs.items()}
    plain.attrs = {k: _plain_attribute(v) for k, v in found.attrs.items()}
    return plain


def _plain_attribute(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple) and any(isinstance(v, list | tuple) for v in value):
        return json.dumps(value)  # attributes have one dimension at the most
    array = np.asarray(value)
    return array if array.dtype.kind in "iuf" else json.dumps(value)
