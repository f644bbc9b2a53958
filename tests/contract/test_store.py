"""The store keeps what it is given, under names and with units, and says no in plain words."""

import json
import os
import pickle
import re
import stat
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hpcvbi.core.block import Block, BlockReport, Status, blocks_of
from hpcvbi.core.errors import DataError, StoreBusy, StoreError, StoreMismatch
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Variable, progress
from hpcvbi.store.encode import draws_per_chunk

STUDY = {"model": "wong_wang", "prior": {"G": {"low": 0.0, "high": 3.0}}, "rounds": [256, 256]}
SHA = "a" * 64
PARAMS = (Param("G", 1.0, "1"), Param("sigma", 0.01, "nA"))
FEATURES = ("fc_mean", "größte")
REGIONS = ("Precentral_L", "Precentral_R", "Rolandic_L")
FEATURE = Variable("feature", ("feature",), FEATURES)
OUTPUTS = (
    Output("features", ("draw", "feature"), (FEATURE,), "1", "float64", "what is fitted"),
    Output(
        "signals",
        ("draw", "time", "region"),
        (
            Variable("time", ("time",), np.arange(4) * 0.72, "s"),
            Variable("region", ("region",), REGIONS),
            Variable("centre_x", ("region",), np.array([1.0, 2.0, 3.0]), "mm"),
        ),
        "1",
    ),
)
DRAWS, SIZE = 10, 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results" / "quickstart"


def theta_of(chain: str) -> np.ndarray:
    return np.random.default_rng(len(chain)).random((DRAWS, 2))


def values_of(block: Block) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(block.index)
    return {
        "features": rng.random((block.size, 2)),
        "signals": rng.random((block.size, 4, 3), dtype=np.float32),
        "status": np.full(block.size, Status.OK, dtype=np.uint8),
    }


def report(store: Store, block: Block, values: dict[str, np.ndarray]) -> BlockReport:
    return BlockReport(block, 1, 2.5, "node1", store.write_block(block, values))


def fill(store: Driver, chain: str, round: str = "round_000") -> list[Block]:
    store.prepare(chain, round, theta_of(chain), PARAMS, OUTPUTS, SIZE)
    blocks = blocks_of(chain, round, DRAWS, SIZE)
    for block in store.missing(blocks):
        store.mark(report(store, block, values_of(block)))
    return blocks


def put_posterior(store: Driver, chain: str, shift: float = 0.0) -> dict[str, list[int | str]]:
    draws = np.arange(6.0).reshape(2, 3) + shift
    return store.put(
        chain,
        "posterior",
        [
            Variable("G", ("chain", "draw"), draws),
            Variable("sigma", ("chain", "draw"), draws, "nA"),
        ],
        [Variable("chain", ("chain",), np.arange(2)), Variable("draw", ("draw",), np.arange(3))],
        {"inference_library": "hpcvbi"},
    )


def snapshot(folder: Path) -> dict[str, bytes]:
    root = folder / "store.zarr"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_round_trip(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        blocks = fill(store, "100307")
    found = Store.open(folder).read("100307", "round_000")
    assert set(found) == {"theta", "status", "features", "signals"}
    np.testing.assert_array_equal(found["theta"], theta_of("100307"))
    for block in blocks:
        for name, values in values_of(block).items():
            np.testing.assert_array_equal(found[name][block.start : block.stop], values)
            assert found[name].dtype == values.dtype


def test_a_worker_reads_its_draws_and_needs_no_lock(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        fill(store, "a")
        worker = Store.open(folder)
        np.testing.assert_array_equal(worker.theta("a", "round_000", 8, 10), theta_of("a")[8:10])


def test_draws_of_unmarked_blocks_read_as_pending(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", theta_of("a"), PARAMS, OUTPUTS, SIZE)
        blocks = blocks_of("a", "round_000", DRAWS, SIZE)
        reports = [report(store, block, values_of(block)) for block in blocks]
        store.mark(reports[0], reports[2])
        found = store.read("a", "round_000", ["status", "features"])
    assert found["status"].tolist() == [1] * 4 + [0] * 4 + [1] * 2
    assert np.isnan(found["features"][4:8]).all()
    assert np.isfinite(found["features"][[0, 3, 8, 9]]).all()
    assert {key[2] for key in Store.open(folder).done_blocks("full")} == {0, 2}


def test_blocks_of_nothing_but_fill_values_leave_files(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", theta_of("a"), PARAMS, OUTPUTS, SIZE)
        block = Block("a", "round_000", 0, 0, SIZE)
        empty = {name: np.full_like(v, np.nan if v.dtype.kind == "f" else 0)
                 for name, v in values_of(block).items()}  # fmt: skip
        store.mark(report(store, block, empty))
        assert store.done_blocks("full") == {block.key}


@pytest.mark.parametrize("finished", [False, True])
def test_xarray_opens_it_with_names_units_and_coordinates(folder: Path, finished: bool) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        fill(store, "100307")
        put_posterior(store, "100307")
        if finished:
            store.finish()
    with xr.open_datatree(folder / "store.zarr", engine="zarr") as tree:
        tree.load()
    assert tree.attrs == {"study_sha256": SHA}
    data = tree["100307/round_000"].dataset
    assert data["theta"].dims == ("draw", "param")
    assert data["features"].dims == ("draw", "feature")
    assert data["signals"].dims == ("draw", "time", "region")
    assert set(data.data_vars) == {"theta", "features", "signals", "status"}
    assert data["status"].dtype == np.uint8
    assert data["status"].attrs["flag_meanings"].split()[Status.DIVERGED] == "diverged"
    assert list(data["param"].values) == ["G", "sigma"]
    assert list(data["theta"]["param_unit"].values) == ["1", "nA"]
    assert list(data["feature"].values) == list(FEATURES)
    assert data["time"].attrs["units"] == "s"
    assert data["signals"]["centre_x"].attrs["units"] == "mm"
    np.testing.assert_array_equal(data["theta"].sel(param="sigma").values, theta_of("100307")[:, 1])
    assert data["features"].sel(feature="größte").attrs["units"] == "1"
    posterior = tree["100307/posterior"].dataset
    assert posterior["sigma"].dims == ("chain", "draw")
    assert posterior["sigma"].attrs == {"units": "nA"}
    assert set(posterior.coords) == {"chain", "draw"}
    assert posterior.attrs == {"inference_library": "hpcvbi"}


def test_xarray_opens_it_before_any_round(folder: Path) -> None:
    Store.create(folder, STUDY, SHA)
    with xr.open_datatree(folder / "store.zarr", engine="zarr") as tree:
        assert not tree.children


def test_units_that_only_some_parameters_share_are_left_to_the_coordinate(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        fill(store, "a")
        store.prepare("b", "grid", np.ones((3, 1)), PARAMS[1:], OUTPUTS[:1], SIZE)
        store.finish()
    with xr.open_datatree(folder / "store.zarr", engine="zarr") as tree:
        assert "units" not in tree["a/round_000/theta"].attrs
        assert tree["b/grid/theta"].attrs["units"] == "nA"


def test_same_content_gives_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        with Driver.create(tmp_path / name, STUDY, SHA) as store:
            fill(store, "a")
            put_posterior(store, "a")
            store.finish()
        made.append(snapshot(tmp_path / name))
    assert made[0] == made[1]
    assert sum(name.endswith("c.0.0") for name in made[0]) >= 3


def test_put_and_get(folder: Path) -> None:
    weights = np.arange(4, dtype=np.float32)
    with Driver.create(folder, STUDY, SHA) as store:
        store.put(
            "a",
            "inference_000",
            [
                Variable("net", ("weight",), weights),
                Variable("layer", ("layer",), ["mean", "scale"]),
                Variable("loss", (), 0.0, "nat"),
            ],
            attrs={"hidden": 32},
        )
        assert store.done_puts("full") == {("a", "inference_000")}
    found, attrs = Store.open(folder).get("a", "inference_000")
    np.testing.assert_array_equal(found["net"], weights)
    assert found["net"].dtype == np.float32
    assert found["layer"].tolist() == ["mean", "scale"]
    assert found["loss"].shape == () and found["loss"] == 0.0
    assert attrs == {"hidden": 32}
    with pytest.raises(StoreError, match="a/posterior is not in"):
        Store.open(folder).get("a", "posterior")


def test_put_again_touches_nothing_and_other_content_replaces(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        first = put_posterior(store, "a")
        ledger = next(iter(folder.glob("ledger/*.log")))
        length = ledger.stat().st_size
        assert put_posterior(store, "a") == first
        assert ledger.stat().st_size == length
        assert put_posterior(store, "a", shift=1.0) != first
        assert store.get("a", "posterior")[0]["G"][0, 0] == 1.0
    assert Store.open(folder).done_puts("full") == {("a", "posterior")}
    assert Store.open(folder).has("a", "posterior")
    assert not Store.open(folder).has("b", "posterior")


def test_a_round_keeps_its_first_draws(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        blocks = fill(store, "a")
    with Driver.create(folder, STUDY, SHA) as store:
        kept = store.prepare("a", "round_000", theta_of("a") + 1, PARAMS, OUTPUTS, SIZE)
        np.testing.assert_array_equal(kept, theta_of("a"))
        assert store.missing(blocks, "full") == []


def test_another_layout_voids_the_blocks(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        fill(store, "a")
        kept = store.prepare("a", "round_000", theta_of("a") + 1, PARAMS, OUTPUTS[:1], SIZE)
        np.testing.assert_array_equal(kept, theta_of("a"))
        assert store.done_blocks() == set()
        assert not (folder / "store.zarr/a/round_000/signals").exists()


def test_another_study_is_refused_with_what_differs(folder: Path) -> None:
    Store.create(folder, STUDY, SHA)
    Store.create(folder, STUDY, SHA)
    given = {"model": "wong_wang", "prior": {"G": {"low": 0.0, "high": 2.5}}, "rounds": [256]}
    with pytest.raises(StoreMismatch) as error:
        Store.create(folder, given, "b" * 64)
    text = str(error.value)
    assert "prior.G.high: 3.0 in the store, 2.5 in your study" in text
    assert "rounds[1]: 256 in the store, absent in your study" in text
    assert "model" not in text and "prior.G.low" not in text
    assert "another `output:`" in text and "restore the study" in text
    with pytest.raises(StoreMismatch, match="no key differs"):
        Store.create(folder, STUDY, "b" * 64)


def test_second_driver_is_refused_by_name(folder: Path) -> None:
    with (
        Driver.create(folder, STUDY, SHA),
        pytest.raises(StoreBusy, match=rf"process {os.getpid()} on .*last sign of life \d+ s ago"),
        Driver.open(folder),
    ):
        pass
    with Driver.open(folder) as store:
        store.append("run started", host="here")
    assert not (folder / "driver.lock").exists()


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc", "a/b", "a b", "-a", "a\n", "ü", "x" * 65, "zarr.json", "a.b"],
)
def test_bad_names_of_people_are_refused(folder: Path, name: str) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        with pytest.raises(DataError, match="cannot be a person's id"):
            store.prepare(name, "round_000", theta_of("a"), PARAMS, OUTPUTS, SIZE)
        with pytest.raises(DataError, match="cannot be a person's id"):
            put_posterior(store, name)
        with pytest.raises(DataError, match="cannot be a person's id"):
            store.theta(name, "round_000")
    assert [p.name for p in (folder / "store.zarr").iterdir()] == ["zarr.json"]


@pytest.mark.parametrize("name", ["sub-01", "100307", "A_b-c", "x" * 64])
def test_good_names_of_people(folder: Path, name: str) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        put_posterior(store, name)
        assert store.done_puts() == {(name, "posterior")}


def test_everything_is_private(folder: Path) -> None:
    before = os.umask(0o002)
    try:
        with Driver.create(folder, STUDY, SHA) as store:
            fill(store, "a")
            put_posterior(store, "a")
            store.finish()
            modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (folder, *folder.rglob("*"))}
    finally:
        os.umask(before)
    assert {oct(m) for p, m in modes.items() if p.is_file()} == {"0o600"}
    assert {oct(m) for p, m in modes.items() if p.is_dir()} == {"0o700"}


def test_progress_reads_ledger_and_manifest_only(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        store.append("run started", stamp={"git": "0123abc"})
        fill(store, "a")
        store.prepare("b", "round_000", theta_of("b"), PARAMS, OUTPUTS, SIZE)
        put_posterior(store, "a")
        (folder / "store.zarr").rename(folder / "elsewhere")
        seen = progress(folder)
        (folder / "elsewhere").rename(folder / "store.zarr")
    a, b = seen.rounds
    assert (a.chain, a.round, a.blocks_done, a.blocks) == ("a", "round_000", 3, 3)
    assert (a.draws_done, a.draws, a.diverged, a.seconds) == (10, 10, 3, 7.5)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*\+00:00", a.last or "")
    assert (b.chain, b.blocks_done, b.draws_done, b.draws, b.last) == ("b", 0, 0, 10, None)
    assert seen.puts == (("a", "posterior"),)
    assert [e["stamp"]["git"] for e in seen.events] == ["0123abc"]
    assert seen.driver is not None and seen.driver.pid == os.getpid() and seen.driver.alive
    assert seen.study == STUDY and seen.sha256 == SHA
    assert progress(folder).driver is None


def test_events_keep_their_order_over_runs(folder: Path) -> None:
    for run in range(3):
        with Driver.create(folder, STUDY, SHA) as store:
            store.append("run started", run=run)
            store.append("inference committed", run=run)
    store = Store.open(folder)
    assert [e["run"] for e in store.events("run started")] == [0, 1, 2]
    assert [e["run"] for e in store.events()] == [0, 0, 1, 1, 2, 2]
    with Driver.open(folder) as store, pytest.raises(StoreError, match="is a mark"):
        store.append("block", chain="a")


def test_only_the_driver_writes_marks(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        fill(store, "a")
    for write in (
        lambda: store.append("run started"),
        lambda: store.finish(),
        lambda: put_posterior(store, "a"),
        lambda: store.prepare("a", "r", theta_of("a"), PARAMS, OUTPUTS, SIZE),
    ):
        with pytest.raises(StoreError, match="only a driver that holds the lock"):
            write()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features": np.zeros((4, 3))}, r"shape \(4, 2\)"),
        ({"features": np.zeros((4, 2), complex)}, "must be float64"),
        ({"other": np.zeros(4)}, "writes .* got"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(folder: Path, change: dict, says: str) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", theta_of("a"), PARAMS, OUTPUTS, SIZE)
        block = Block("a", "round_000", 0, 0, SIZE)
        with pytest.raises(StoreError, match=says):
            store.write_block(block, values_of(block) | change)
        shifted = Block("a", "round_000", 0, 1, SIZE + 1)
        with pytest.raises(StoreError, match="holds draws 0 to 4, not 1 to 5"):
            store.write_block(shifted, values_of(shifted))
        with pytest.raises(StoreError, match="has it been prepared"):
            store.write_block(Block("a", "round_001", 0, 0, SIZE), values_of(block))


def test_declarations_that_cannot_be_read_back_are_refused() -> None:
    with pytest.raises(StoreError, match="no coordinate for feature"):
        Output("features", ("draw", "feature"))
    with pytest.raises(StoreError, match="first dimension must be draw"):
        Output("features", ("feature",), (FEATURE,))
    with pytest.raises(StoreError, match="write the unit 'seconds' as its symbol"):
        Variable("time", ("time",), np.arange(3.0), "seconds")
    with pytest.raises(StoreError, match="text only"):
        Variable("x", ("y",), np.array([object()]))
    with pytest.raises(StoreError, match="does not fit dims"):
        Variable("x", ("y",), 1.0)


@pytest.mark.parametrize(
    ("block", "n_bytes", "expected"),
    [(256, 40, 64), (4, 40, 4), (250, 8, 125), (97, 8, 97), (256, 1_300_000, 1), (256, 2**17, 16)],
)
def test_chunks_divide_the_shard(block: int, n_bytes: int, expected: int) -> None:
    assert draws_per_chunk(block, n_bytes) == expected


def test_nothing_is_pickled(folder: Path) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        put_posterior(store, "a")
    for data in snapshot(folder).values():
        assert not data.startswith(pickle.PROTO)
    assert json.loads((folder / "MANIFEST.json").read_text())["study"] == STUDY
