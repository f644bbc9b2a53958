"""Results in other programs' formats, read back by those programs where they are installed."""

import csv
import os
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from conftest import environment, hpcvbi
from finished_study import Cohort, Fate, write

from hpcvbi import gather, open_store
from hpcvbi.campaign import export
from hpcvbi.core.errors import ExportError, StoreError

needs_h5netcdf = pytest.mark.skipif(find_spec("h5netcdf") is None, reason="h5netcdf is missing")
needs_arviz = pytest.mark.skipif(find_spec("arviz") is None, reason="arviz is missing")
needs_pyabc = pytest.mark.skipif(find_spec("pyabc") is None, reason="pyabc is missing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    people = {"101": Fate(), "102": Fate(fits=False)}
    return write(tmp_path_factory.mktemp("export") / "study", Cohort(people))


def same_as_store(found: xr.DataTree, folder: Path) -> None:
    want = open_store(folder)
    assert {n.path for n in found.leaves} == {n.path for n in want.leaves}
    for node in want.leaves:
        theirs = found[node.path].to_dataset()
        xr.testing.assert_equal(_text(node.to_dataset()), _text(theirs))
        for name, variable in node.variables.items():
            assert theirs[name].attrs.get("units") == variable.attrs.get("units")


def _text(found: xr.Dataset) -> xr.Dataset:
    """Text is of several types by format, numbers too small for classic NetCDF of wider ones."""
    text = {n: v.astype(object) for n, v in found.variables.items() if v.dtype.kind in "TUO"}
    return found.assign_coords({str(n): v for n, v in text.items()})


def test_csv_has_every_sample_with_its_unit(folder: Path, tmp_path: Path) -> None:
    done = hpcvbi("export", folder, tmp_path / "posterior.csv")
    assert done.returncode == 0, done.stderr
    assert f"wrote {tmp_path / 'posterior.csv'} (csv)" in done.stdout
    with open(tmp_path / "posterior.csv", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head == ["person", "draw", "G", "sigma [1/sqrt(ms)]"]
    assert len(rows) == 2 * 200
    posterior = gather(open_store(folder), "posterior")
    for number, name in enumerate(("G", "sigma")):
        column = [float(row[2 + number]) for row in rows]
        np.testing.assert_array_equal(column, posterior[name].values.ravel())
    assert [row[0] for row in rows] == ["101"] * 200 + ["102"] * 200
    assert [row[1] for row in rows[198:202]] == ["198", "199", "0", "1"]


@pytest.mark.parametrize("backwards", [False, True])
def test_columns_are_the_studys_however_folders_are_listed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backwards: bool
) -> None:
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda *at: sorted(listed(*at), reverse=backwards))
    export(folder, tmp_path / "posterior.csv")
    head = (tmp_path / "posterior.csv").read_text().split("\n")[0]
    assert head == "person,draw,G,sigma [1/sqrt(ms)]"
    assert list(open_store(folder)["101/posterior"].data_vars) == ["G", "sigma"]


def test_a_folder_of_classic_netcdf_is_the_whole_tree(folder: Path, tmp_path: Path) -> None:
    assert export(folder / "store.zarr", tmp_path / "all", "netcdf") == "netcdf"
    files = sorted((tmp_path / "all").rglob("*.nc"))
    assert all(path.read_bytes()[:4] == b"CDF\x02" for path in files)
    found = {
        f"{path.parent.name}/{path.stem}": xr.load_dataset(path, engine="scipy") for path in files
    }
    same_as_store(xr.DataTree.from_dict(found), folder)
    assert found["101/posterior"].attrs["excluded_fraction"] == 0.05
    assert found["101/posterior"].attrs["study_sha256"] == "5" * 64
    assert found["101/inference_000"].attrs["observed_clipped"] == "[false, false, false]"
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "all").rglob("*") if p.is_file()}
    assert modes == {0o600} and stat.S_IMODE((tmp_path / "all/101").stat().st_mode) == 0o700


@needs_h5netcdf
def test_one_netcdf_file_is_the_whole_tree(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path / "all.nc")
    with xr.open_datatree(tmp_path / "all.nc", engine="h5netcdf") as found:
        same_as_store(found.load(), folder)
        assert found.attrs["source"].startswith("hpcvbi ")
        assert found["101/evaluation"].attrs["verdict"]


def check_inference_data(found: xr.DataTree, folder: Path) -> None:
    assert set(found.children) == {
        *("posterior", "posterior_predictive", "prior", "prior_predictive"),
        *("observed_data", "constant_data"),
    }
    posterior = found["posterior"].to_dataset()
    assert posterior["G"].dims == ("chain", "draw", "person")
    assert posterior["sigma"].attrs["units"] == "1/sqrt(ms)"
    assert posterior["excluded_fraction"].values.tolist() == [0.05, 0.05]
    assert posterior.attrs["inference_library"] == "hpcvbi"
    predictive, observed = found["posterior_predictive"], found["observed_data"]
    assert predictive["fc"].dims == ("chain", "draw", "person", "pair")
    assert observed["fc"].dims == ("person", "pair")
    assert found["prior"]["sigma"].dims == ("chain", "draw", "person")
    assert found["prior"]["sigma"].attrs["units"] == "1/sqrt(ms)"
    lost = found["prior_predictive"]["features"].isnull().all("feature")
    assert lost.sum("draw").values.ravel().tolist() == [2, 2]
    assert found["constant_data"]["lengths"].attrs["units"] == "mm"
    theta = open_store(folder)["102/round_000/theta"].sel(param="G").values
    np.testing.assert_array_equal(found["prior"]["G"].sel(person="102").values[0], theta)


def test_the_layout_of_arviz(folder: Path, tmp_path: Path) -> None:
    assert export(folder, tmp_path / "inference.zarr") == "arviz"
    with xr.open_datatree(tmp_path / "inference.zarr", engine="zarr") as found:
        check_inference_data(found.load(), folder)


@needs_arviz
@needs_h5netcdf
@pytest.mark.filterwarnings("ignore")  # of what arviz imports
def test_arviz_opens_and_summarises_it(folder: Path, tmp_path: Path) -> None:
    import arviz

    export(folder, tmp_path / "inference.nc", "arviz")
    with xr.open_datatree(tmp_path / "inference.nc", engine="h5netcdf") as found:
        check_inference_data(found.load(), folder)
    opened = arviz.from_netcdf(str(tmp_path / "inference.nc"))
    table = arviz.summary(opened, var_names=["G", "sigma"], round_to="none")
    assert list(table.index) == ["G[101]", "G[102]", "sigma[101]", "sigma[102]"]
    want = gather(open_store(folder), "posterior")["G"].sel(person="102").mean()
    assert float(table.loc["G[102]", "mean"]) == pytest.approx(float(want), rel=1e-6)


@needs_pyabc
@pytest.mark.filterwarnings("ignore")  # of what pyabc imports
def test_pyabc_reads_a_finished_study(finished: Path, tmp_path: Path) -> None:
    import matplotlib
    import pyabc.visualization as shown
    from pyabc.storage import History

    matplotlib.use("agg")
    out, path = finished.parent / "out", tmp_path / "history.db"
    done = hpcvbi("export", out, path)
    assert done.returncode == 0, done.stderr
    tree, history = open_store(out), History(f"sqlite:///{path}", create=False)
    assert [run.id for run in history.all_runs()] == [1, 2]
    for number, person in enumerate(("anna", "ben"), start=1):
        history.id = number
        assert history.model_names() == [person] and history.max_t == 2
        observed = tree[f"{person}/observed_data"]["features"]
        assert history.observed_sum_stat() == dict(
            zip(observed.feature.values.tolist(), observed.values.tolist(), strict=True)
        )
        simulated = history.get_all_populations().set_index("t").samples
        assert simulated[[0, 1, 2]].tolist() == [48, 48, 32]
        for t, name in enumerate(("round_000", "round_001", "predictive")):
            group = tree[f"{person}/{name}"].to_dataset()
            drawn, weights = history.get_distribution(t=t)
            keep = group.features.notnull().all("feature").values
            theta = group.theta.values[keep]
            order = np.argsort(theta[:, 0])
            np.testing.assert_allclose(drawn["G"].sort_values(), theta[order, 0])
            assert weights.sum() == pytest.approx(1.0) and (weights >= 0).all()
            distances = history.get_weighted_distances(t=t).distance
            assert distances.max() == history.get_all_populations().set_index("t").epsilon[t]
        drawn, weights = history.get_distribution(t=1)
        posterior = tree[f"{person}/posterior"]["G"]
        assert np.average(drawn["G"], weights=weights) == pytest.approx(
            float(posterior.mean()), abs=1.5 * float(posterior.std())
        )
        assert np.ptp(weights) > 0.5 / len(weights)
        equal = history.get_distribution(t=2)[1]
        np.testing.assert_allclose(equal, 1 / len(equal))
    for draw in (shown.plot_epsilons, shown.plot_sample_numbers, shown.plot_credible_intervals):
        draw(history)
    shown.plot_effective_sample_sizes(history)
    shown.plot_kde_matrix(*history.get_distribution())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_there_is_never_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.csv").write_text("mine")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    for name, format in (("thesis.csv", None), ("thesis", "netcdf"), ("link.csv", None)):
        with pytest.raises(ExportError, match="is there already: remove it, or name another"):
            export(folder, tmp_path / name, format)
    assert (tmp_path / "thesis.csv").read_text() == "mine"
    assert sorted(tmp_path.rglob("*")) == before


def test_what_cannot_be_exported_is_said_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    for target, format, says in (
        ("out.txt", None, r"which format is .*out.txt\? Write --format netcdf \| arviz"),
        ("out.csv", "excel", "which format"),
        ("no/out.csv", None, r"there is no folder .*no: make it"),
        ("out.csv", "arviz", "name the target of an ArviZ export out.csv.zarr"),
    ):
        with pytest.raises(ExportError, match=says):
            export(folder, tmp_path / target, format)
    with pytest.raises(StoreError, match="has nothing of eve"):
        export(folder, tmp_path / "out.csv", None, ["eve"])
    with pytest.raises(StoreError, match="does not exist"):
        export(tmp_path / "none", tmp_path / "out.csv")
    assert not list(tmp_path.iterdir())


def test_who_is_not_finished_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "study", Cohort({"101": Fate()}))
    shard = folder / "store.zarr/101/predictive/fc/c.0.0"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ExportError, match="If data in the store are damaged, `hpcvbi verify"):
        export(folder, tmp_path / "all", "netcdf")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["study"]
    early = write(tmp_path / "early", Cohort({}, unjudged=("101",)))
    with pytest.raises(ExportError, match="no posterior of anybody yet"):
        export(early, tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("package", "target", "says"),
    [
        ("pyabc", "out.db", "pip install 'hpcvbi[pyabc]'"),
        ("h5netcdf", "out.nc", "install 'hpcvbi[netcdf]'; or name a folder (out)"),
    ],
)
def test_a_package_that_is_missing_is_named(
    folder: Path, tmp_path: Path, package: str, target: str, says: str
) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"sys.argv = ['hpcvbi', 'export', {str(folder)!r}, {str(tmp_path / target)!r}]\n"
        "from hpcvbi.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 2 and says in done.stderr
    assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())
