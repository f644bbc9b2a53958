"""A store that a stranger hands over: read, followed into a directory, or driven, it does no harm.

The forger keeps checksums right: what is forged here is signed in manifest and ledger as well.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_harness import Case, Verdict, check, judge_all, judged
from numcodecs import checksum32, zstd

from hpcvbi.core.block import BlockReport, blocks_of
from hpcvbi.core.errors import StoreError
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Variable, progress

STUDY, SHA = {"seed": 1}, "e" * 64
OUTPUTS = (Output("features", ("draw", "feature"), (Variable("feature", ("feature",), ["fc"]),)),)
DRAWS, SIZE = 10, 4
ARRAY = "store.zarr/a/round_000/features/zarr.json"
GROUP = "store.zarr/a/round_000/zarr.json"
Change = Callable[[Any], object]


@cache
def template() -> tempfile.TemporaryDirectory:
    """A whole small store."""
    folder = tempfile.TemporaryDirectory()
    theta = np.linspace(0.0, 1.0, DRAWS)[:, None]
    with Driver.create(Path(folder.name, "s"), STUDY, SHA) as store:
        store.prepare("a", "round_000", theta, (Param("G", 1.0),), OUTPUTS, SIZE)
        for block in blocks_of("a", "round_000", DRAWS, SIZE):
            ones = np.ones((block.size, 1), dtype=np.float32)
            values = {"features": ones, "status": np.ones(block.size, dtype=np.uint8)}
            store.mark(BlockReport(block, 0, 0.1, "here", store.write_block(block, values)))
        store.put("a", "posterior", [Variable("G", ("chain", "draw"), theta.T)])
        store.finish()
    return folder


def good(folder: Path) -> Path:
    """A copy of it in `folder`/s."""
    return shutil.copytree(Path(template().name, "s"), folder / "s")


def segment(store: Path) -> Path:
    return max(store.glob("ledger/*.log"))


def signed(record: dict) -> bytes:
    body = json.dumps(record).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def relabel(store: Path, change: Change) -> None:
    """Change the records of the ledger, and their checksums."""
    records = [json.loads(line[9:]) for line in segment(store).read_bytes().splitlines()]
    for record in records:
        change(record)
    segment(store).write_bytes(b"".join(map(signed, records)))


def forged(name: str, change: Change, record: Change = lambda r: None) -> Callable[[Path], object]:
    """Change a JSON file of a good store, sign it, and change the ledger."""

    def make(folder: Path) -> None:
        store = good(folder)
        about = json.loads((store / name).read_bytes())
        change(about)
        sign(store, name, json.dumps(about).encode(), record)

    return make


def sign(store: Path, name: str, raw: bytes, record: Change = lambda r: None) -> None:
    (store / name).write_bytes(raw)
    chain, group, *rest = Path(name).relative_to("store.zarr").parts

    def change(found: dict) -> None:
        if (found.get("chain"), found.get("group")) == (chain, group) and "files" in found:
            found["files"]["/".join(rest)] = [len(raw), hashlib.sha256(raw).hexdigest()]
        record(found)

    relabel(store, change)


def ledger(change: Change) -> Callable[[Path], object]:
    return lambda folder: relabel(good(folder), change)


def prepared(**fields: object) -> Change:
    return lambda record: record.update(fields) if record["kind"] == "prepared" else None


def also(make: Callable[[Path], Path], *then: Callable[[Path], object]) -> Callable[[Path], object]:
    def both(folder: Path) -> None:
        store = make(folder)
        for step in then:
            step(store)

    return both


def replaced(name: str, put: Callable[[Path], object]) -> Callable[[Path], object]:
    """A good store with something else under a name."""

    def make(folder: Path) -> None:
        path = good(folder) / name
        path.unlink()
        put(path)

    return make


def moved(name: str) -> Callable[[Path], object]:
    """A good store, a part of which lies elsewhere and is linked to."""

    def make(folder: Path) -> None:
        path = good(folder) / name
        path.rename(folder / "elsewhere")
        path.symlink_to(folder / "elsewhere")

    return make


def sparse(size: int) -> Callable[[Path], object]:
    def put(path: Path) -> None:
        path.touch()
        os.truncate(path, size)

    return put


def manifest(**fields: object) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        path = good(folder) / "MANIFEST.json"
        body = {**json.loads(path.read_bytes()), **fields}
        text = json.dumps(body["study"], sort_keys=True, separators=(",", ":"))
        path.write_text(json.dumps({**body, "check": hashlib.sha256(text.encode()).hexdigest()}))

    return make


def at(*path: str | int, value: object) -> Change:
    def change(about: Any) -> None:
        for key in path[:-1]:
            about = about[key]
        about[path[-1]] = value

    return change


def lines(*raw: bytes) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        with segment(good(folder)).open("ab") as file:
            file.writelines(raw)

    return make


def bomb(store: Path) -> None:
    """A chunk of the right codecs that would expand to 128 MB."""
    raw = checksum32.CRC32C(location="end").encode(zstd.Zstd(level=3).encode(bytes(2**27)))
    path = store / "store.zarr/a/posterior/G/c.0.0"
    sign(store, str(path.relative_to(store)), bytes(raw))


def read(folder: Path) -> object:
    return Store.open(folder / "s").read("a", "round_000")


def some(folder: Path) -> object:
    return Store.open(folder / "s").read("a", "round_000", ["features"])


def get(folder: Path) -> object:
    return Store.open(folder / "s").get("a", "posterior")


def follow(folder: Path) -> object:
    return progress(folder / "s")


def drive(folder: Path) -> None:
    with Driver.open(folder / "s") as store:
        store.put("a", "posterior", [Variable("G", ("chain", "draw"), np.zeros((1, 1)))])


def resume(folder: Path) -> object:
    return Store.create(folder / "s", {"seed": 2}, "f" * 64)


def ignored(folder: Path) -> None:
    """Whoever reads on ignores such lines, and says how many; so does this, as an error."""
    store = Store.open(folder / "s")
    store.read("a", "round_000")
    raise StoreError(f"{folder}/s: {store.ignored} lines ignored")


def nested(depth: int) -> bytes:
    body = b'{"kind":' + b"[" * depth + b"]" * depth + b"}"
    return b"%08x %s\n" % (zlib.crc32(body), body)


HUGE = [10**9, 1000]
SHARDS = ("chunk_grid", "configuration", "chunk_shape")
CODECS = ("codecs", 0, "configuration", "codecs")
TIB = {"draws": 10**9, "block": 1000, "blocks": 10**6}
POSTERIOR = "store.zarr/a/posterior/G/zarr.json"
CASES = {
    # metadata of arrays
    "shape": Case(forged(ARRAY, at("shape", value=HUGE)), read, r"shape \(1000000000, 1000\)"),
    "shape_signed": Case(
        forged(ARRAY, at("shape", value=HUGE), prepared(**TIB)), some, "in pieces of .* of 1000"
    ),
    "shape_of_status": Case(
        forged("store.zarr/a/round_000/status/zarr.json", at("shape", value=[10**12])), read,
        "ledger says 10 draws",
    ),
    "shape_put": Case(
        forged(POSTERIOR, at("shape", value=[1, 10**12])), get, "claims 8000000000000 bytes, at"
    ),
    "shape_negative": Case(forged(ARRAY, at("shape", value=[-1, 1])), read, r"shape \[-1, 1\]"),
    "shape_text": Case(forged(ARRAY, at("shape", value="10")), read, "shape '10'"),
    "no_dimension": Case(forged(ARRAY, at("shape", value=[])), read, "is damaged"),
    "dtype_object": Case(forged(ARRAY, at("data_type", value="object")), read, "type 'object'"),
    "dtype_void": Case(
        forged(ARRAY, at("data_type", value={"name": "structured", "configuration": {}})), read,
        "data type {'name'",
    ),
    "dtype_wider": Case(forged(ARRAY, at("data_type", value="float64")), read, "is damaged"),
    "chunk_huge": Case(
        forged(ARRAY, at(*SHARDS, value=[2**40, 1])), read, "chunks of 4398046511104 bytes, at most"
    ),
    "chunk_zero": Case(forged(ARRAY, at(*SHARDS, value=[0, 1])), read, r"chunks \[0, 1\]"),
    "chunk_flat": Case(forged(ARRAY, at(*SHARDS, value=[4])), read, r"chunks \[4\]"),
    "chunk_other": Case(forged(ARRAY, at(*SHARDS, value=[2, 1])), read, "is damaged"),
    "chunk_inner": Case(
        forged(ARRAY, at("codecs", 0, "configuration", "chunk_shape", value=[3, 1])), read,
        r"inner chunks \[3, 1\]",
    ),
    "codec_pickle": Case(
        forged(ARRAY, at(*CODECS, 0, "name", value="numcodecs.pickle")), read, "codec 'numcodecs.pi"
    ),
    "codec_absurd": Case(
        forged(ARRAY, at("codecs", value=[{"name": "cast_to_money"}])), read, "codec 'cast_to_mon"
    ),
    "codec_chain": Case(
        forged(ARRAY, at("codecs", value=[{"name": "zstd"}] * 5000)), read, "no codecs"
    ),
    "codec_none": Case(forged(ARRAY, at("codecs", value=None)), read, "no codecs"),
    "bomb": Case(also(good, bomb), get, "a chunk claims 134217728 bytes, and 80 fit its array"),
    "keys": Case(
        forged(ARRAY, at("chunk_key_encoding", "configuration", "separator", value="/")), read,
        "keys of chunks",
    ),
    "transformers": Case(
        forged(ARRAY, at("storage_transformers", value=[{"name": "x"}])), read, "transformers"
    ),
    "metadata_large": Case(
        also(good, lambda s: sparse(2**30)(s / ARRAY)), read, "damaged"
    ),
    "metadata_nested": Case(
        also(good, lambda s: sign(s, ARRAY, b"[" * 10**5)), read, "nested too deeply"
    ),
    "metadata_list": Case(also(good, lambda s: sign(s, ARRAY, b"[]")), read, "no metadata of"),
    "metadata_pipe": Case(replaced(ARRAY, os.mkfifo), read, "damaged"),
    "metadata_device": Case(
        replaced(ARRAY, lambda p: p.symlink_to("/dev/zero")), read, "are damaged"
    ),
    "outputs_out": Case(
        forged(GROUP, at("attributes", "outputs", value=["../../../../x"])), read, "cannot name"
    ),
    "outputs_text": Case(forged(GROUP, at("attributes", "outputs", value=7)), read, "damaged"),
    # links and other things that are no files
    "link_person": Case(moved("store.zarr/a"), read, "by a link: it is not followed"),
    "link_group": Case(moved("store.zarr/a/round_000"), read, "by a link: it is not followed"),
    "link_array": Case(moved("store.zarr/a/round_000/features"), read, "damaged|gone"),
    "link_shard": Case(moved("store.zarr/a/round_000/features/c.1.0"), read, "are gone"),
    "link_root": Case(moved("store.zarr"), read, "a symbolic link .*: put there what"),
    "link_ledger": Case(moved("ledger"), follow, "is a symbolic link .*: put there|ledger"),
    "link_manifest": Case(moved("MANIFEST.json"), read, "is a symbolic link .*: put there what"),
    "link_driven": Case(moved("store.zarr/a/posterior"), drive, "is a symbolic link .*: put there"),
    "link_driven_person": Case(moved("store.zarr/a"), drive, "a symbolic link .*: put there what"),
    "shard_pipe": Case(
        replaced("store.zarr/a/round_000/features/c.1.0", os.mkfifo), read, r"blocks \[1\] are gone"
    ),
    # the ledger
    "line_long": Case(lines(b"0" * 2**26 + b"\n"), ignored, "1 lines ignored"),
    "line_nested": Case(lines(nested(10**5)), ignored, "1 lines ignored"),
    "line_unended": Case(lines(b"\0" * 2**26), ignored, "1 lines ignored"),
    "lines_blank": Case(lines(b"\n" * 2**20), ignored, "0 lines ignored"),
    "ledger_large": Case(
        also(good, lambda s: sparse(2**33)(s / "ledger/000007-x.log")), follow, "at most 4294967296"
    ),
    "ledger_pipe": Case(
        also(good, lambda s: os.mkfifo(s / "ledger/000007-x.log")), follow, "it is a named pipe"
    ),
    "draws_huge": Case(ledger(prepared(draws=10**15)), read, "has not been prepared"),
    "draws_text": Case(ledger(prepared(draws="10")), read, "has not been prepared"),
    "draws_signed": Case(ledger(prepared(**TIB)), read, "says 1000000000 draws in blocks"),
    "block_one": Case(ledger(prepared(block=1, blocks=10)), read, "10 draws in blocks of 1: see"),
    "files_out": Case(
        ledger(prepared(files={"../../../../etc/passwd": [1, "0" * 64]})), read, "not been prepa"
    ),
    "files_device": Case(
        ledger(prepared(files={"/dev/zero": [0, "0" * 64]})), read, "has not been prepared"
    ),
    "name_out": Case(ledger(prepared(group="../../x")), read, "has not been prepared"),
    # manifest and lock
    "manifest_large": Case(replaced("MANIFEST.json", sparse(2**30)), read, "more than 67108864"),
    "manifest_nested": Case(
        replaced("MANIFEST.json", lambda p: p.write_bytes(b"[" * 10**6)), read, "damaged .*a copy"
    ),
    "manifest_list": Case(manifest(study=[1]), read, "is damaged .*Restore it from a copy"),
    "manifest_number": Case(manifest(sha256=7), read, "is damaged .*Restore it from a copy"),
    "manifest_long": Case(manifest(study={"seed": "1" * 10**7}), resume, "seed: .* in the store"),
    "manifest_pipe": Case(replaced("MANIFEST.json", os.mkfifo), read, "it is a named pipe"),
    "manifest_directory": Case(replaced("MANIFEST.json", os.mkdir), follow, "it is a directory"),
    "lock_pipe": Case(also(good, lambda s: os.mkfifo(s / "driver.lock")), follow, "a named pipe"),
}  # fmt: skip


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    return judged(__file__, CASES, tmp_path_factory.mktemp("strangers"))


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_store_ends_in_a_clear_error(verdicts: dict[str, Verdict], name: str) -> None:
    check(verdicts[name], CASES[name], f"/{name}/s")


def test_the_store_that_is_forged_is_whole_and_readable(tmp_path: Path) -> None:
    """The control: without the forgery there is no error, and signing is what a store does."""
    store = good(tmp_path)
    relabel(store, lambda record: None)
    np.testing.assert_array_equal(Store.open(store).read("a", "round_000")["features"], 1.0)
    forged(ARRAY, at("attributes", "units", value="s"))(tmp_path / "u")
    np.testing.assert_array_equal(Store.open(tmp_path / "u/s").read("a", "round_000")["status"], 1)
    assert Store.open(tmp_path / "u/s").ignored == 0


def test_a_driver_refuses_what_it_cannot_lock_or_number(tmp_path: Path) -> None:
    store = good(tmp_path)
    (store / "ledger/999999-x.log").touch()
    with pytest.raises(StoreError, match="has no number left"):
        drive(tmp_path)
    os.mkfifo(store / "driver.lock")
    with pytest.raises(StoreError, match="it is a named pipe"):
        drive(tmp_path)


if __name__ == "__main__":
    judge_all(Path(sys.argv[1]), CASES)
