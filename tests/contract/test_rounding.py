"""Rounded signals: bounded error, half the bytes, and everything the store promises still holds."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from in_process import Enough, Silent, Together
from synthetic_people import recorded_bold, synthetic_connectome, write_study

import hpcvbi
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.config import cohort_of, identity, load
from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import ConfigError, StoreError
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Variable
from hpcvbi.store.layout import content_digest
from hpcvbi.store.rounding import rounded

SHA, BITS = "b" * 64, 10
PARAMS = (Param("G", 1.0),)
GROUP = "store.zarr/a/round_000/bold"


@pytest.fixture(scope="module")
def bold() -> np.ndarray:
    """Noise-driven BOLD (draw, time, region) as the engine makes it."""
    connectome = synthetic_connectome(0)
    return np.stack([recorded_bold(connectome, 0.8, seed, 300) for seed in range(4)])


def write(folder: Path, bold: np.ndarray, bits: int | None) -> dict[str, list[int | str]]:
    coords = (
        Variable("time", ("time",), np.arange(bold.shape[1]) * 0.72, "s"),
        Variable("region", ("region",), [f"r{k}" for k in range(bold.shape[2])]),
    )
    outputs = (Output("bold", ("draw", "time", "region"), coords, bits=bits),)
    with Driver.create(folder, {}, SHA) as store:
        store.prepare("a", "round_000", np.ones((len(bold), 1)), PARAMS, outputs, len(bold))
        values = {"bold": bold, "status": np.ones(len(bold), np.uint8)}
        block = Block("a", "round_000", 0, 0, len(bold))
        digests = store.write_block(block, values)
        store.mark(BlockReport(block, 0, seconds=1.0, host="h", digests=digests))
        store.finish()
    return digests


def test_rounding_keeps_its_bound_and_what_is_no_number() -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(100_000) * 10.0 ** rng.integers(-30, 30, 100_000)).astype(np.float32)
    y = rounded(x, BITS)
    assert y.dtype == np.float32
    worst = np.abs(y.astype(float) / x - 1).max()
    assert 0.9 * 2**-11 < worst <= 2**-11
    assert not (y.view(np.uint32) & (2**13 - 1)).any()
    np.testing.assert_array_equal(rounded(y, BITS), y)
    assert abs(np.mean(y.astype(float) / x - 1)) < 2**-11 / 50  # to nearest, so without bias
    largest = np.finfo(np.float32).max
    payload = np.array([0x7FFFFFFF, 0xFFC00001], np.uint32).view(np.float32)
    odd = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, largest, -largest, *payload], np.float32)
    np.testing.assert_array_equal(rounded(odd, BITS).view(np.uint32), odd.view(np.uint32))


@pytest.mark.parametrize("signal", ["bold", "fluctuations", "white noise"])
def test_noise_takes_less_than_half_the_bytes(
    bold: np.ndarray, tmp_path: Path, signal: str
) -> None:
    noise = np.random.default_rng(0).standard_normal(bold.shape)
    values = {
        "bold": bold,
        "fluctuations": bold - bold.mean(1, keepdims=True),
        "white noise": noise,
    }
    x = values[signal].astype(np.float32)
    exact = x.nbytes / int(write(tmp_path / "exact", x, None)["bold"][0])
    kept = x.nbytes / int(write(tmp_path / "rounded", x, BITS)["bold"][0])
    print(f"{signal}: {exact:.2f} exact, {kept:.2f} with {BITS} bits")
    assert kept > 1.9 and kept > 1.4 * exact


def test_fc_hardly_feels_it(bold: np.ndarray) -> None:
    """The error is of each number: small beside fluctuations, if these are not small themselves."""
    fluctuations = bold - bold.mean(1, keepdims=True)
    x, y = (np.corrcoef(of[0].T) for of in (fluctuations, rounded(fluctuations, BITS)))
    assert np.abs(x - y).max() < 1e-4
    y = np.corrcoef(rounded(bold, BITS)[0].T)
    assert np.abs(x - y).max() > 1e-3  # here they are a three hundredth of the mean


def test_what_is_read_is_what_the_digests_say(bold: np.ndarray, tmp_path: Path) -> None:
    hurt = bold.copy()
    hurt[1], hurt[2, 0, :3] = np.nan, (np.inf, -np.inf, np.nan)
    first, again = (write(tmp_path / name, hurt, BITS) for name in ("one", "two"))
    assert first == again
    one, two = ((tmp_path / name / GROUP / "c.0.0.0").read_bytes() for name in ("one", "two"))
    assert one == two
    found = Store.open(tmp_path / "one").read("a", "round_000")["bold"]
    np.testing.assert_array_equal(found, rounded(hurt, BITS))
    assert content_digest(found) == first["bold"][2]
    assert Store.open(tmp_path / "one").done_blocks("full") == {("a", "round_000", 0)}
    with xr.open_datatree(tmp_path / "one/store.zarr", engine="zarr") as alone:
        np.testing.assert_array_equal(alone["a/round_000/bold"].values, found)
        assert alone["a/round_000/bold"].attrs["quantization_nsb"] == BITS
    assert "quantization_nsb" not in hpcvbi.open_store(tmp_path / "one")["a/round_000/status"].attrs


def test_another_number_of_bits_is_another_layout(bold: np.ndarray, tmp_path: Path) -> None:
    write(tmp_path / "out", bold, None)
    write(tmp_path / "out", bold, BITS)
    found = Store.open(tmp_path / "out").read("a", "round_000")["bold"]
    np.testing.assert_array_equal(found, rounded(bold, BITS))


def test_bits_that_cannot_be_are_refused(people_folder: Path, tmp_path: Path) -> None:
    region = Variable("region", ("region",), ["a"])
    with pytest.raises(StoreError, match="float32 cannot keep 24 bits"):
        Output("bold", ("draw", "region"), (region,), bits=24)
    with pytest.raises(StoreError, match="uint8 cannot keep 10 bits"):
        Output("bold", ("draw", "region"), (region,), dtype="uint8", bits=10)
    path = write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")
    text = path.read_text()
    assert load(path).bits is None
    path.write_text(text + "bits: 10\n")
    assert load(path).bits == 10
    for wrong, says in (("bits: 24\n", "bits"), ("bits: 0\n", "bits"), ("bits: ten\n", "bits")):
        path.write_text(text + wrong)
        with pytest.raises(ConfigError, match=says):
            load(path)
    path.write_text(text.replace("keep: [bold]", "keep: []") + "bits: 10\n")
    with pytest.raises(ConfigError, match="round what `keep` names, and it names nothing"):
        load(path)


def test_learning_sees_no_difference(people_folder: Path, tmp_path: Path) -> None:
    rounds = {}
    for name, extra in (("exact", ""), ("rounded", "bits: 10\n")):
        path, out = tmp_path / f"{name}.yaml", tmp_path / name
        path.write_text(write_study(path, people_folder, out).read_text() + extra)
        study = load(path)
        people = cohort_of(study)[:1]
        manifest, sha256 = identity(study, people)
        executor = Together(out, learns=False)
        with Driver.create(out, manifest, sha256) as store, pytest.raises(Enough):
            run(study, people, store, lambda e=executor: e, Silent(), Stop())  # type: ignore
        rounds[name] = Store.open(out).read("anna", "round_000")
    exact, kept = rounds["exact"], rounds["rounded"]
    for same in ("theta", "status", "features"):
        np.testing.assert_array_equal(exact[same], kept[same])
    assert np.isfinite(exact["bold"]).all()
    np.testing.assert_array_equal(kept["bold"], rounded(exact["bold"], BITS))
