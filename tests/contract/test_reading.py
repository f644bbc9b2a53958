"""A store for readers: named, with units, lazy, and nothing in it that the ledger does not mark."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from finished_study import Cohort, Fate, write

import hpcvbi
from hpcvbi.core.block import Block, BlockReport, Status, blocks_of
from hpcvbi.core.errors import StoreError
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Variable

SHA, DRAWS, SIZE = "d" * 64, 10, 4
PARAMS = (Param("G", 1.0), Param("sigma", 0.01, "nA"))
REGIONS = ("Frontal_L", "Frontal_R", "Insula_L")


def outputs(regions: tuple[str, ...]) -> tuple[Output, ...]:
    region = Variable("region", ("region",), regions)
    x = Variable("centre_x", ("region",), np.arange(float(len(regions))), "mm")
    time = Variable("time", ("time",), np.arange(1, 5) * 0.72, "s")
    feature = Variable("feature", ("feature",), ["fc_mean"])
    return (
        Output("features", ("draw", "feature"), (feature,), dtype="float64"),
        Output("bold", ("draw", "time", "region"), (time, region, x), "1"),
    )


def values(block: Block, regions: tuple[str, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng((len(block.chain), block.index))
    return {
        "features": rng.random((block.size, 1)),
        "bold": rng.random((block.size, 4, len(regions)), dtype=np.float32),
        "status": np.full(block.size, Status.OK, np.uint8),
    }


def put_round(
    store: Driver,
    person: str,
    name: str = "round_000",
    regions: tuple[str, ...] = REGIONS,
    draws: int = DRAWS,
    marked: tuple[int, ...] = (0, 1, 2),
) -> None:
    theta = np.random.default_rng(1).random((draws, 2))
    store.prepare(person, name, theta, PARAMS, outputs(regions), SIZE)
    for block in blocks_of(person, name, draws, SIZE):
        digests = store.write_block(block, values(block, regions))
        if block.index in marked:
            store.mark(BlockReport(block, 0, 1.0, "here", digests))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results" / "study"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    people = {"101": Fate(), "102": Fate(fits=False)}
    return write(tmp_path_factory.mktemp("reading") / "study", Cohort(people))


@pytest.mark.parametrize("where", [".", "store.zarr"])
def test_everything_has_names_and_units_and_is_lazy(folder: Path, where: str) -> None:
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann")
        g = Variable("G", ("chain", "draw"), np.ones((1, 3)), doc="global coupling")
        store.put("ann", "posterior", [g], attrs={"excluded_fraction": 0.1})
    tree = hpcvbi.open_store(str(folder / where))
    assert isinstance(tree, xr.DataTree) and tree.attrs == {"study_sha256": SHA}
    found = tree["ann/round_000"].to_dataset()
    assert found.bold.dims == ("draw", "time", "region")
    assert found.region.values.tolist() == list(REGIONS)
    assert found.param.values.tolist() == ["G", "sigma"]
    assert found.param_unit.values.tolist() == ["1", "nA"]
    assert found.feature.values.tolist() == ["fc_mean"]
    assert found.time.attrs["units"] == "s" and found.centre_x.attrs["units"] == "mm"
    assert found.status.attrs["flag_meanings"].split()[Status.OK] == "ok"
    assert found.attrs["draws"] == DRAWS and found.attrs["draws_pending"] == 0
    assert found.bold.chunks == ((4, 4, 2), (4,), (3,))
    assert all(found[name].chunks is not None for name in found.data_vars)
    for block in blocks_of("ann", "round_000", DRAWS, SIZE):
        rows = slice(block.start, block.stop)
        np.testing.assert_array_equal(found.bold[rows], values(block, REGIONS)["bold"])
    posterior = tree["ann/posterior"]
    assert posterior["G"].attrs["long_name"] == "global coupling"
    assert posterior.attrs == {"excluded_fraction": 0.1}


def test_it_is_what_xarray_alone_reads_once_all_is_marked(finished: Path) -> None:
    ours = hpcvbi.open_store(finished)
    with xr.open_datatree(finished / "store.zarr", engine="zarr") as plain:
        assert set(plain.groups) == set(ours.groups)
        for node in plain.leaves:
            xr.testing.assert_equal(node.to_dataset(), ours[node.path].to_dataset())


def test_what_is_not_marked_is_pending_and_never_read(folder: Path) -> None:
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann", marked=(1,))
        store.finish()
    group = folder / "store.zarr/ann/round_000"
    assert (group / "bold/c.0.0.0").exists()
    for name in ("bold/c.0.0.0", "features/c.2.0", "status/c.2"):
        (group / name).write_bytes(b"torn")
    found = hpcvbi.open_store(folder)["ann/round_000"].to_dataset()
    assert found.attrs["draws_pending"] == 6
    assert found.status.values.tolist() == [0] * 4 + [1] * 4 + [0] * 2
    assert found.status.dtype == np.uint8 and found.bold.dtype == np.float32
    assert (
        np.isfinite(found.features.values[:, 0]).tolist() == [False] * 4 + [True] * 4 + [False] * 2
    )
    assert np.isnan(found.bold.values[[0, 3, 8, 9]]).all()
    assert np.isfinite(found.theta.values).all()
    assert found.status.attrs["flag_meanings"] and found.bold.attrs["units"] == "1"


def test_a_round_before_its_first_block_is_all_pending(folder: Path) -> None:
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann", marked=())
        found = hpcvbi.open_store(folder)["ann/round_000"]  # beside a live driver, without a lock
    assert found.attrs["draws_pending"] == DRAWS
    assert (found["status"] == Status.PENDING).all() and found["bold"].isnull().all()


def test_marked_data_that_are_gone_are_an_error_and_not_fill(folder: Path) -> None:
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann")
        put_round(store, "ben")
    shard = folder / "store.zarr/ann/round_000/bold/c.1.0.0"
    data = shard.read_bytes()
    shard.unlink()
    with pytest.raises(StoreError, match=r"blocks \[1\] of .*ann/round_000 are gone or damaged"):
        hpcvbi.open_store(folder)
    assert list(hpcvbi.open_store(folder, people=["ben"]).children) == ["ben"]
    flipped = bytes([data[0] ^ 1]) + data[1:]
    shard.write_bytes(flipped)  # of the same size
    hpcvbi.open_store(folder)
    with pytest.raises(StoreError, match="gone or damaged"):
        hpcvbi.open_store(folder, verify="full")
    theta = folder / "store.zarr/ben/round_000/theta"
    shutil.rmtree(theta)
    with pytest.raises(StoreError, match="ben/round_000 are gone or damaged"):
        hpcvbi.open_store(folder, people=["ben"])


def test_an_index_that_is_missing_or_out_of_date_does_not_matter(folder: Path) -> None:
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann")
    index = folder / "store.zarr/zarr.json"
    old = index.read_bytes()
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann", "round_001", marked=(0, 2))
        put_round(store, "ben")
    want = hpcvbi.open_store(folder)
    assert set(want.groups) >= {"/ann/round_001", "/ben/round_000"}
    index.write_bytes(old)
    assert "ben" not in json.loads(old)["consolidated_metadata"]["metadata"]
    xr.testing.assert_identical(hpcvbi.open_store(folder).load(), want.load())
    index.unlink()
    xr.testing.assert_identical(hpcvbi.open_store(folder).load(), want.load())


def test_what_is_no_store_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nothing does not exist: name the output folder"):
        hpcvbi.open_store(tmp_path / "nothing")
    (tmp_path / "study.yaml").write_text("name: x\n")
    with pytest.raises(StoreError, match=r"study.yaml is a file: name the output folder"):
        hpcvbi.open_store(tmp_path / "study.yaml")
    with pytest.raises(StoreError, match=r"holds no study: MANIFEST.json is missing"):
        hpcvbi.open_store(tmp_path)
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann")
    assert list(hpcvbi.open_store(folder, people=["ann"]).children) == ["ann"]
    with pytest.raises(StoreError, match=r"has nothing of eve. It has: ann"):
        hpcvbi.open_store(folder, people=["eve"])
    shutil.copytree(folder / "store.zarr", tmp_path / "copy/store.zarr")
    with pytest.raises(StoreError, match=r"cannot be known which blocks are finished. Copy"):
        hpcvbi.open_store(tmp_path / "copy/store.zarr")


def test_people_and_rounds_are_gathered_by_name(folder: Path) -> None:
    with Driver.create(folder, {}, SHA) as store:
        for person in ("ann", "ben"):
            put_round(store, person, "round_000")
            put_round(store, person, "round_001", marked=(0, 1) if person == "ben" else (0, 1, 2))
    tree = hpcvbi.open_store(folder)
    found = hpcvbi.gather(tree, "round_*")
    assert dict(found.bold.sizes) == {"person": 2, "round": 2, "draw": 10, "time": 4, "region": 3}
    assert found.person.values.tolist() == ["ann", "ben"]
    assert found["round"].values.tolist() == ["round_000", "round_001"]
    assert found.draws_pending.sel(person="ben").values.tolist() == [0, 2]
    assert found.draws_pending.dims == ("person", "round")
    assert found.bold.chunks is not None and found.bold.attrs["units"] == "1"
    assert found.time.attrs["units"] == "s" and found.param_unit.values.tolist() == ["1", "nA"]
    assert "centre_x" in found.coords and found.centre_x.dims == ("region",)
    one = found.bold.sel(person="ben", round="round_001", region="Insula_L")
    np.testing.assert_array_equal(one, tree["ben/round_001"]["bold"].sel(region="Insula_L"))
    alone = hpcvbi.gather(tree, "round_001", people=["ben"])
    assert alone.sizes["person"] == 1 and "round" not in alone.dims
    xr.testing.assert_equal(found.sel(person=["ben"], round="round_001").drop_vars("round"), alone)


def test_what_differs_is_refused_or_padded_by_name(folder: Path) -> None:
    fewer, more = REGIONS[:2], (REGIONS[2], REGIONS[0], "Thalamus_R")
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann", regions=fewer)
        put_round(store, "ben", regions=more, draws=6, marked=(0, 1))
    tree = hpcvbi.open_store(folder)
    with pytest.raises(StoreError) as refused:
        hpcvbi.gather(tree)
    said = str(refused.value)
    assert "draw (10 in ann/round_000, 6 in ben/round_000" in said
    assert "region (2 in ann/round_000, 3 in ben/round_000" in said
    assert "Frontal_R, Insula_L, Thalamus_R" in said and "pad=True" in said
    with pytest.raises(StoreError, match=r"centre_x of Frontal_L is 0.0 in one group, 1.0 in"):
        hpcvbi.gather(tree, pad=True)
    padded = hpcvbi.gather(
        xr.map_over_datasets(lambda ds: ds.drop_vars("centre_x", errors="ignore"), tree), pad=True
    )
    assert padded.region.values.tolist() == ["Frontal_L", "Frontal_R", "Insula_L", "Thalamus_R"]
    assert padded.status.sel(person="ben").values.ravel().tolist() == [1] * 6 + [0] * 4
    assert padded.bold.dtype == np.float32 and padded.bold.chunks is not None
    theirs = tree["ben/round_000"]["bold"].sel(region="Frontal_L").values
    ours = padded.bold.sel(person="ben", region="Frontal_L").values[0]
    np.testing.assert_array_equal(ours[:6], theirs)
    assert np.isnan(ours[6:]).all()
    assert padded.bold.sel(person="ann", region="Thalamus_R").isnull().all()


def test_what_cannot_be_gathered_is_said(folder: Path) -> None:
    with Driver.create(folder, {}, SHA) as store:
        put_round(store, "ann")
        put_round(store, "ben")
        put_round(store, "ben", "round_001")
        for person, unit in (("ann", "nA"), ("ben", "pA")):
            store.put(person, "posterior", [Variable("I", ("draw",), np.ones(3), unit)])
    tree = hpcvbi.open_store(folder)
    with pytest.raises(StoreError, match=r"ann has no round_001: .*people=\['ben'\]"):
        hpcvbi.gather(tree)
    assert hpcvbi.gather(tree, people=["ben"]).sizes["round"] == 2
    with pytest.raises(StoreError, match="nobody has a group 'evaluation'; there are posterior"):
        hpcvbi.gather(tree, "evaluation")
    with pytest.raises(StoreError, match="I has the units nA in ann/posterior, pA in ben"):
        hpcvbi.gather(tree, "posterior")
    with pytest.raises(StoreError, match="the tree has no eve, only ann, ben"):
        hpcvbi.gather(tree, people=["eve"])


def test_the_share_left_out_is_read_with_the_posterior(finished: Path) -> None:
    tree = hpcvbi.open_store(finished)
    about = tree["101/posterior"].attrs
    assert (about["draws_proposed"], about["draws_learned_from"]) == (40, 38)
    assert (about["draws_excluded"], about["excluded_fraction"]) == (2, 0.05)
    assert float(tree["101/evaluation"]["excluded"]) == 0.05
    gathered = hpcvbi.gather(tree, "posterior")
    assert gathered.excluded_fraction.values.tolist() == [0.05, 0.05]
    assert gathered.G.dims == ("person", "chain", "draw")


def test_the_package_is_imported_without_what_reading_needs() -> None:
    code = (
        "import sys, hpcvbi\n"
        "late = {'xarray', 'pandas', 'dask', 'zarr'}\n"
        "assert not late & set(sys.modules), late & set(sys.modules)\n"
        "hpcvbi.open_store, hpcvbi.gather\n"
        "assert 'xarray' in sys.modules\n"
    )
    path = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})
    with pytest.raises(AttributeError, match="no attribute 'open_shop'"):
        hpcvbi.open_shop  # noqa: B018
