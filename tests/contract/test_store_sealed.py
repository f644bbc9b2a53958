"""An encrypted store: what is in it, who can read it, and that a changed or moved chunk is not."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import test_store as plain
import xarray as xr
from finished_study import Cohort, write
from lost_blocks import lost_blocks
from test_store import DRAWS, PARAMS, SHA, SIZE, STUDY

import hpcvbi
from hpcvbi.campaign import export
from hpcvbi.core.block import Block, blocks_of
from hpcvbi.core.errors import KeyRefused, StoreError
from hpcvbi.store import Driver, KeySource, Store, begin, keys, progress
from hpcvbi.store.seal import HEADER, SEALED_SEGMENT, SEGMENT, DataKey, seal, unseal
from hpcvbi.store.sealed import NAME

KEY = "0f" * 32
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def locked():
    """Every test begins and ends in a process that has no keys."""
    lock()
    yield
    lock()


def lock() -> None:
    keys._studies.clear()
    keys._people.clear()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write_key(tmp_path / "keys of mine/study.key")


def write_key(path: Path) -> Path:
    path.parent.mkdir()
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store of two people, a and b, with a posterior each."""
    place = tmp_path_factory.mktemp("original")
    return make(place / "store", write_key(place / "keys/study.key"))


@pytest.fixture
def folder(tmp_path: Path, original: Path, key_file: Path) -> Path:
    """A copy of it, whose key lies in `key_file`."""
    folder = shutil.copytree(original, tmp_path / "store")
    begin(folder, KeySource(file=str(key_file)))
    return folder


def make(folder: Path, key_file: Path) -> Path:
    begin(folder, KeySource(file=str(key_file)))
    with Driver.create(folder, STUDY, SHA) as store:
        for person in "ab":
            plain.fill(store, person)
            plain.put_posterior(store, person)
        plain.fill(store, "a", "round_001")
        store.finish()
    return folder


def shard(folder: Path, name: str = "a/round_000/features", block: int = 0) -> Path:
    (path,) = (folder / "store.zarr" / name / "c").parent.glob(f"c.{block}.*")
    return path


def read(folder: Path, person: str = "a", round: str = "round_000") -> dict[str, np.ndarray]:
    return Store.open(folder).read(person, round)


def test_round_trip_and_the_same_block_has_the_same_bytes(folder: Path) -> None:
    lock()
    found, before = read(folder), plain.snapshot(folder)
    np.testing.assert_array_equal(found["theta"], plain.theta_of("a"))
    for block in blocks_of("a", "round_000", DRAWS, SIZE):
        for name, values in plain.values_of(block).items():
            np.testing.assert_array_equal(found[name][block.start : block.stop], values)
        Store.open(folder).write_block(block, plain.values_of(block))
    assert plain.snapshot(folder) == before
    assert Store.open(folder).get("b", "posterior")[0]["G"][0].tolist() == [0.0, 1.0, 2.0]


def test_every_array_is_sealed_and_no_file_holds_a_key(folder: Path) -> None:
    arrays = [p for p in (folder / "store.zarr").glob("*/*/*/zarr.json")]
    assert len(arrays) > 30
    for path in arrays:
        (codec,) = json.loads(path.read_text())["codecs"]
        assert codec["name"] == NAME
        assert codec["configuration"]["path"] == str(path.parent.relative_to(folder / "store.zarr"))
    held = keys.data_key(folder, "a").secret
    secrets = [bytes.fromhex(KEY), KEY.encode(), held, held.hex().encode()]
    for path in folder.rglob("*"):
        if path.is_file():
            assert not any(secret in path.read_bytes() for secret in secrets), path
            assert path.stat().st_mode & 0o077 == 0
    assert keys.data_key(folder, "a").secret != keys.data_key(folder, "b").secret
    assert KEY not in repr(KeySource(file="x")) + repr(keys.study_key(folder))
    assert held.hex() not in repr(keys.data_key(folder, "a")) and str(held) not in repr(
        keys.data_key(folder, "a")
    )


def test_attributes_of_data_sets_are_sealed_but_for_the_permissions(folder: Path) -> None:
    with Driver.open(folder) as store:
        store.describe("a", {"consent_scope": "teaching", "data_use_terms": "no copies"})
        store.put("a", "evaluation", [plain.Variable("r", (), 0.5)], attrs={"verdict": "no fit"})
    attrs = {"consent_scope": "teaching", "data_use_terms": "no copies"}
    lock()
    assert Store.open(folder).get("a", "evaluation") == (
        {"r": 0.5},
        {**attrs, "verdict": "no fit"},
    )
    about = json.loads((folder / "store.zarr/a/evaluation/zarr.json").read_text())
    assert about["attributes"] == attrs


def test_digests_of_content_say_nothing_without_the_key(folder: Path, tmp_path: Path) -> None:
    with Driver.create(tmp_path / "open", STUDY, SHA) as store:
        plain.fill(store, "a")
        plain.put_posterior(store, "a")
    ours, theirs = (
        b"".join(p.read_bytes() for p in (f / "ledger").glob("*.log"))
        for f in (folder, tmp_path / "open")
    )
    records = [json.loads(line[9:]) for line in theirs.splitlines()]
    open_ones = {str(r.get(name)) for r in records for name in ("id", "theta")} - {"None"}
    for record in records:
        open_ones |= {str(digest[2]) for digest in record.get("digests", {}).values()}
    assert len(open_ones) > 5
    assert not any(digest.encode() in ours for digest in open_ones)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda key: key.unlink(), "cannot read the key, file .*study.key: No such file"),
        (lambda key: key.chmod(0o640), "can be read by others: chmod 600"),
        (lambda key: key.write_text("1f" * 32), "the study's key is the wrong one"),
        (lambda key: key.write_text("0f" * 31), "64 hexadecimal digits are needed"),
        (lambda key: key.write_text("secret!"), "64 hexadecimal digits are needed"),
        (lambda key: key.write_bytes(b"\xff" * 4000), "not a small regular file"),
        (lambda key: (key.unlink(), os.mkfifo(key)), "not a small regular file"),
    ],
    ids=["gone", "readable", "wrong", "short", "text", "large", "fifo"],
)
def test_a_key_that_does_not_open_is_refused_in_words(
    folder: Path, key_file: Path, spoil, says: str
) -> None:
    lock()
    spoil(key_file)
    before = plain.snapshot(folder)
    with pytest.raises(KeyRefused, match=says) as error:
        read(folder)
    assert KEY not in str(error.value) and "secret!" not in str(error.value)
    with pytest.raises(KeyRefused, match=says):
        xr.open_datatree(folder / "store.zarr", engine="zarr").load()
    with pytest.raises(KeyRefused, match=says):
        begin(folder, KeySource(file=str(key_file)))
    block = Block("a", "round_000", 0, 0, SIZE)
    with pytest.raises(KeyRefused, match=says):
        Store.open(folder).write_block(block, plain.values_of(block))
    assert plain.snapshot(folder) == before


def test_a_key_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, folder = KeySource(variable="STUDY_KEY"), tmp_path / "store"
    with pytest.raises(KeyRefused, match="environment variable STUDY_KEY is not set"):
        begin(folder, source)
    assert not folder.exists()
    monkeypatch.setenv("STUDY_KEY", KEY)
    begin(folder, source)
    with Driver.create(folder, STUDY, SHA) as store:
        plain.put_posterior(store, "a")
    lock()
    assert Store.open(folder).has("a", "posterior")
    assert Store.open(folder).get("a", "posterior")[0]["draw"].tolist() == [0, 1, 2]


def test_where_the_key_is_may_change(folder: Path, key_file: Path) -> None:
    lock()
    moved = key_file.rename(key_file.with_name("moved.key"))
    with pytest.raises(KeyRefused, match="cannot read the key"):
        read(folder)
    begin(folder, KeySource(file=str(moved)))
    lock()
    assert read(folder)["status"].tolist() == [1] * DRAWS


def test_a_key_in_the_store_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "store/my.key"
    inside.parent.mkdir()
    inside.write_text(KEY)
    inside.chmod(0o600)
    with pytest.raises(KeyRefused, match="lies in the store"):
        begin(tmp_path / "store", KeySource(file=str(inside)))


def test_a_plain_store_is_not_encrypted_afterwards(tmp_path: Path, key_file: Path) -> None:
    with Driver.create(tmp_path / "open", STUDY, SHA) as store:
        plain.put_posterior(store, "a")
    with pytest.raises(StoreError, match="not encrypted from its beginning"):
        begin(tmp_path / "open", KeySource(file=str(key_file)))


def test_lost_wrapped_keys_are_named_and_nothing_is_written_in_the_clear(
    tmp_path: Path, key_file: Path
) -> None:
    study = {"study": {"encryption": {"cipher": "aes-256-gcm"}}}
    begin(tmp_path / "store", KeySource(file=str(key_file)))
    with Driver.create(tmp_path / "store", study, SHA) as store:
        plain.put_posterior(store, "a")
        shutil.rmtree(tmp_path / "store/keys")
        with pytest.raises(KeyRefused, match="keys is gone: restore it"):
            plain.put_posterior(store, "b")
    with pytest.raises(StoreError, match="its keys were lost"):
        begin(tmp_path / "store", KeySource(file=str(key_file)))


def flip(at: int):
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    return change


def swap(a: str, b: str):
    def change(path: Path) -> None:
        root = path.parents[3]
        one, other = root / a, root / b
        one.rename(root / "aside")
        other.rename(one)
        (root / "aside").rename(other)

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(flip(at) for at in (0, 4, 8, HEADER.size, HEADER.size + 11, HEADER.size + 12, -1)),
        lambda path: os.truncate(path, path.stat().st_size - 1),
        lambda path: os.truncate(path, HEADER.size - 1),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        swap("a/round_000/features/c.0.0", "a/round_000/features/c.1.0"),
        swap("a/round_000/features/c.0.0", "a/round_001/features/c.0.0"),
        swap("a/round_000/features/c.0.0", "b/round_000/features/c.0.0"),
        swap("a/round_000/features", "a/round_001/features"),
        swap("a/round_000", "a/round_001"),
        swap("a", "b"),
    ],
    ids=[
        *("mark", "version", "length", "nonce", "nonce end", "text", "tag"),
        *("short", "no header", "long", "block", "round", "person"),
        *("array folder", "round folder", "person folder"),
    ],
)
def test_changed_and_swapped_chunks_are_refused(folder: Path, change) -> None:
    change(shard(folder))
    array = folder / "store.zarr/a/round_000/features"
    with pytest.raises(StoreError, match="fails its authentication"):
        plain_read(array)
    with pytest.raises(StoreError, match="fails its authentication"):
        xr.open_datatree(folder / "store.zarr", engine="zarr").load()


def plain_read(array: Path) -> np.ndarray:
    from hpcvbi.store.arrays import read_rows

    return read_rows(array, 0, SIZE)


def test_a_torn_shard_is_written_again(folder: Path) -> None:
    before, path = plain.snapshot(folder), shard(folder, block=2)  # holds fewer draws than others
    os.truncate(path, path.stat().st_size // 2)
    block = Block("a", "round_000", 2, 8, DRAWS)
    Store.open(folder).write_block(block, plain.values_of(block))
    assert plain.snapshot(folder) == before


def test_status_and_verification_need_no_key(folder: Path, key_file: Path) -> None:
    lock()
    key_file.unlink()
    assert [r.blocks_done for r in progress(folder).rounds] == [3, 3, 3]
    store = Store.open(folder)
    assert len(store.done_blocks("full")) == 9
    assert store.done_puts("full") == {("a", "posterior"), ("b", "posterior")}
    flip(30)(shard(folder, block=1))
    with Driver.open(folder) as driver:
        assert lost_blocks(driver) == [("a", "round_000", 1)]


def test_a_part_of_a_large_shard_is_read_and_checked_alone(tmp_path: Path, key_file: Path) -> None:
    folder = tmp_path / "store"
    begin(folder, KeySource(file=str(key_file)))
    signal = plain.Variable("time", ("time",), np.arange(200_000.0), "s")
    output = plain.Output("bold", ("draw", "time"), (signal,))
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", np.zeros((4, 2)), PARAMS, [output], 4)
        values = np.random.default_rng(1).random((4, 200_000), dtype=np.float32)
        status = np.ones(4, dtype=np.uint8)
        store.write_block(Block("a", "round_000", 0, 0, 4), {"bold": values, "status": status})
    array, path = folder / "store.zarr/a/round_000/bold", shard(folder, "a/round_000/bold")
    assert path.stat().st_size > 2.5 * SEALED_SEGMENT
    from hpcvbi.store.arrays import read_rows

    for draw in range(4):
        np.testing.assert_array_equal(read_rows(array, draw, draw + 1)[0], values[draw])
    np.testing.assert_array_equal(read_rows(array), values)
    flip(HEADER.size + 40)(path)  # draws 0 and 1 share a chunk in segments 0 and 1
    for draw in (2, 3):
        np.testing.assert_array_equal(read_rows(array, draw, draw + 1)[0], values[draw])
    with pytest.raises(StoreError, match="fails its authentication"):
        read_rows(array, 1, 2)


def test_segments_keep_their_order_and_number() -> None:
    key, text = DataKey(bytes(32)), os.urandom(2 * SEGMENT + 5)
    sealed = seal(key, "a/b/c/c.0", memoryview(text))[HEADER.size :]
    assert unseal(key, "a/b/c/c.0", memoryview(sealed), 0, len(text)) == text
    one, two = sealed[:SEALED_SEGMENT], sealed[SEALED_SEGMENT : 2 * SEALED_SEGMENT]
    for forged, length in (
        (two + one + sealed[2 * SEALED_SEGMENT :], len(text)),
        (sealed[: 2 * SEALED_SEGMENT], 2 * SEGMENT),
        (sealed, len(text) - 1),
    ):
        with pytest.raises(StoreError, match="fails its authentication"):
            unseal(key, "a/b/c/c.0", memoryview(forged), 0, length)


def test_no_nonce_serves_two_texts(folder: Path) -> None:
    """Same content in many places, other content in the same place: never the same nonce."""
    key, nonces = DataKey(os.urandom(32)), {}
    for place in range(50):
        for content in (b"", b"same", b"other", bytes(SEGMENT), bytes(SEGMENT + 1)):
            sealed = seal(key, f"a/b/c/c.{place}", memoryview(content))[HEADER.size :]
            for start in range(0, len(sealed), SEALED_SEGMENT):
                piece = sealed[start : start + SEALED_SEGMENT]
                assert nonces.setdefault(piece[:12], piece) == piece
    assert len(nonces) == 50 * 6


def test_plain_xarray_finds_the_codec_by_its_entry_point(folder: Path, tmp_path: Path) -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["zarr.codecs"]
    about = tmp_path / "site/hpcvbi_points-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hpcvbi-points\nVersion: 0\n")
    lines = [f"{name} = {place}" for name, place in points.items()]
    (about / "entry_points.txt").write_text("\n".join(["[zarr.codecs]", *lines]) + "\n")
    code = (
        "import sys, xarray as xr; assert 'hpcvbi' not in sys.modules;"
        f"tree = xr.open_datatree({str(folder / 'store.zarr')!r}, engine='zarr').load();"
        "print(tree['a/posterior/G'].values.tolist())"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path / "site")])},
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]"


def test_readers_open_and_export_it_with_the_key_alone(tmp_path: Path, key_file: Path) -> None:
    begin(tmp_path / "store", KeySource(file=str(key_file)))
    write(tmp_path / "store", Cohort())
    lock()
    tree = hpcvbi.open_store(tmp_path / "store")
    held = Store.open(tmp_path / "store")
    for group in ("posterior", "evaluation"):
        arrays, attrs = held.get("101", group)
        assert tree[f"101/{group}"].attrs == attrs
        for name, values in arrays.items():
            np.testing.assert_array_equal(tree[f"101/{group}"][name].values, values)
    theta = held.theta("101", "round_000")
    np.testing.assert_array_equal(tree["101/round_000/theta"].values, theta)
    assert export(tmp_path / "store", tmp_path / "out.csv") == "csv"
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600
    lock()
    key_file.unlink()
    with pytest.raises(KeyRefused, match="are encrypted, and cannot read the key"):
        hpcvbi.open_store(tmp_path / "store")
