"""`hpcvbi simulate`: what a newcomer tries first, from the file to the data set and the picture."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from conftest import hpcvbi

from hpcvbi import campaign
from hpcvbi.config import EXAMPLE, load_trial
from hpcvbi.core.block import Status
from hpcvbi.core.errors import StoreError

CONFIGS = Path(__file__).parents[2] / "configs"
TRIAL = """\
output: out/small.nc
connectome: {kind: random, regions: 4}
model: {name: linear}
noise: {on: [x]}
values: {G: 0.01}
draws: {kind: table, of: {sigma: [0.1, 0.2]}}
simulation: {dt: 1, duration: 200, burn_in: 10, backend: reference, dtype: float64}
monitors:
  - {kind: sample, of: x, period: 1}
  - {kind: average, of: x, period: 2}
  - {kind: fc, of: sample}
  - {kind: moments, of: sample}
  - {kind: spectrum, of: sample, segment: 40, band: [50, 200]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(TRIAL, encoding="utf-8")
    return tmp_path


def simulated(text: str) -> campaign.TrialOutcome:
    Path("t.yaml").write_text(text, encoding="utf-8")
    return campaign.simulate_trial(load_trial("t.yaml"))


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which the example has been simulated as it is printed, only shorter."""
    folder = tmp_path_factory.mktemp("example")
    printed = hpcvbi("simulate", "--example")
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == (CONFIGS / "simulate.yaml").read_text() == EXAMPLE.read_text()
    short = printed.stdout.replace("duration: 300000", "duration: 30000")
    (folder / "simulate.yaml").write_text(short.replace("burn_in: 20000", "burn_in: 2000"))
    done = hpcvbi("simulate", "simulate.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stdout)
    return folder


def test_the_example_runs_and_says_what_it_did(example: Path) -> None:
    said = (example / "said").read_text()
    assert "4 draws of 40 regions" in said and "2.6 million region updates" in said
    assert "wrote results/simulate.nc" in said and "picture: results/simulate.png" in said
    assert (example / "results/simulate.png").read_bytes().startswith(b"\x89PNG")


def test_the_data_set_opens_in_xarray_with_names_and_units(example: Path) -> None:
    with xr.open_dataset(example / "results/simulate.nc") as found:
        assert dict(found.bold.sizes) == {"draw": 4, "time": 30, "region": 40}
        assert dict(found.average.sizes) == {"draw": 4, "time_average": 300, "region": 40}
        np.testing.assert_array_equal(found.time, np.arange(1.0, 31.0))
        assert found.time.attrs["units"] == "s"
        np.testing.assert_array_equal(found.G, [0.0, 0.5, 0.9, 1.2])
        assert found.region.values[:2].tolist() == ["L01", "R01"]
        assert (found.status == Status.OK).all()
        fc = [np.corrcoef(draw.T) for draw in found.bold.values.astype(float)]
        np.testing.assert_allclose(found.fc, fc, atol=2e-3)
        assert found.attrs["source"].startswith("hpcvbi 0")
        assert "kind: random" in found.attrs["file"]
        assert json.loads(found.attrs["parameters"])["w_plus"] == 1.4


def test_a_model_of_ones_own_runs_from_a_file(tmp_path: Path) -> None:
    done = hpcvbi("simulate", CONFIGS / "my_model.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with xr.open_dataset(tmp_path / "results/my_model.nc") as found:
        x = found.sample.sel(draw=1, region="L01").values
        # it bursts: fast spikes above a slow rhythm between -2 and -0.5
        assert x.max() > 1.0 and x.min() < -1.5
        assert found.attrs["model"] == "hindmarsh_rose"
        assert "def dfun" in json.loads(found.attrs["files"])["my_model.py"]


def test_netcdf_and_zarr_hold_the_same(here: Path) -> None:
    outcome = simulated(TRIAL)
    other = simulated(TRIAL.replace("small.nc", "small.zarr"))
    assert outcome.statuses == {Status.OK: 2}
    assert outcome.node_steps == 2 * 4 * 210
    assert other.picture == Path("out/small.png")
    with (
        xr.open_dataset("out/small.nc") as a,
        xr.open_dataset("out/small.zarr", engine="zarr") as b,
    ):
        assert set(a.variables) == set(b.variables)
        for name in a.variables:
            np.testing.assert_array_equal(a[name].values, b[name].values)
        assert a.sample.dims == ("draw", "time", "region")
        assert a.spectrum.dims == ("draw", "frequency", "region")
        np.testing.assert_allclose(a.frequency, np.arange(50, 201, 25))
        assert a.frequency.attrs["units"] == "Hz"
        np.testing.assert_allclose(a.moments_mean, a.sample.mean("time"), atol=1e-12)
        np.testing.assert_allclose(a.moments_variance, a.sample.var("time", ddof=1), rtol=1e-9)
        np.testing.assert_allclose(
            a.average.values, a.sample.values.reshape(2, 100, 2, 4).mean(axis=2), atol=1e-12
        )


def test_the_same_file_gives_the_same_bytes(here: Path) -> None:
    assert not simulated(TRIAL).replaced
    first = Path("out/small.nc").read_bytes()
    assert simulated(TRIAL).replaced
    assert Path("out/small.nc").read_bytes() == first
    assert sorted(p.name for p in Path("out").iterdir()) == ["small.nc", "small.png"]


def test_without_a_picture_there_is_none(here: Path) -> None:
    assert simulated(TRIAL + "plot: false\n").picture is None
    assert not Path("out/small.png").exists()


def test_a_folder_that_is_something_else_is_not_replaced(here: Path) -> None:
    Path("out/small.zarr").mkdir(parents=True)
    Path("out/small.zarr/thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="is there and no data set of hpcvbi"):
        simulated(TRIAL.replace("small.nc", "small.zarr"))
    assert Path("out/small.zarr/thesis.txt").exists()


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_simulated(
    here: Path, monkeypatch
) -> None:
    def spent(*args, **options):
        raise AssertionError("simulated")

    monkeypatch.setattr("hpcvbi.campaign.trial.simulate", spent)
    Path("out").write_text("a file")
    with pytest.raises(StoreError, match="cannot make the folder out: File exists"):
        simulated(TRIAL)
    Path("out").unlink()
    Path("out/small.nc").mkdir(parents=True)
    with pytest.raises(StoreError, match="is a folder: name another file"):
        simulated(TRIAL)


@pytest.mark.parametrize("regions", [1, 2])
def test_few_regions_without_noise_and_with_delays(here: Path, regions: int) -> None:
    text = TRIAL.replace("regions: 4", f"regions: {regions}, normalise: none")
    text = text.replace("noise: {on: [x]}", "coupling: {speed: 0.1}")
    text = text.replace("draws: {kind: table, of: {sigma: [0.1, 0.2]}}", "draws: null")
    text = text.replace("dtype: float64", "initial: {x: 1}")
    (monitors, *_) = text.partition("  - {kind: fc")
    assert simulated(monitors).statuses == {Status.OK: 1}
    with xr.open_dataset("out/small.nc") as found:
        assert found.sample.shape == (1, 200, regions)


def test_draws_that_diverge_are_counted_and_shown(here: Path) -> None:
    text = TRIAL.replace("G: 0.01", "gamma: -0.1").replace("sigma: [0.1, 0.2]", "G: [0.01, 5000]")
    outcome = simulated(text.replace("dt: 1,", "dt: 1, refine: 1,"))
    assert outcome.statuses == {Status.OK: 1, Status.DIVERGED: 1}
    with xr.open_dataset("out/small.nc") as found:
        assert found.status.values.tolist() == [Status.OK, Status.DIVERGED]
        assert not np.isfinite(found.sample[1]).all()


def test_a_mistake_is_one_clear_line(here: Path) -> None:
    (here / "t.yaml").write_text(TRIAL.replace("of: x, period: 1}", "of: y, period: 1}"))
    refused = hpcvbi("simulate", here / "t.yaml", cwd=here)
    assert refused.returncode == 2
    assert "t.yaml:9: monitors.0: monitor sample watches 'y'; the model has x" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (here / "out").exists()


def test_without_a_file_the_example_is_named(here: Path) -> None:
    refused = hpcvbi("simulate", cwd=here)
    assert refused.returncode == 2
    assert "hpcvbi simulate --example" in " ".join(refused.stderr.split())


def test_what_is_written_is_for_its_owner_alone(here: Path) -> None:
    before = os.umask(0o002)
    try:
        simulated(TRIAL)
        simulated(TRIAL.replace("small.nc", "small.zarr"))
    finally:
        os.umask(before)
    modes = {p: p.stat().st_mode & 0o777 for p in (here / "out", *(here / "out").rglob("*"))}
    assert {p.name for p in modes} >= {"small.nc", "small.png", "small.zarr", "zarr.json"}
    assert {oct(mode) for p, mode in modes.items() if p.is_file()} == {"0o600"}
    assert {oct(mode) for p, mode in modes.items() if p.is_dir()} == {"0o700"}
