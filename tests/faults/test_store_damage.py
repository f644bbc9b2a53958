"""Damage to a store is found, named and repaired; nothing damaged is ever believed."""

import errno
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from lost_blocks import lost_blocks

from hpcvbi.core.block import Block, BlockReport, blocks_of
from hpcvbi.core.errors import StoreBusy, StoreError
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Variable, driver
from hpcvbi.store.lock import DriverLock, read_owner

STUDY, SHA = {"seed": 1}, "d" * 64
PARAMS = (Param("G", 1.0),)
OUTPUTS = (Output("features", ("draw", "feature"), (Variable("feature", ("feature",), ["fc"]),)),)
DRAWS, SIZE = 10, 4
THETA = np.linspace(0.0, 1.0, DRAWS)[:, None]
BLOCKS = blocks_of("a", "round_000", DRAWS, SIZE)


def compute(store: Store, block: Block) -> BlockReport:
    x = np.random.default_rng(block.index).random((block.size, 1), dtype=np.float32)
    values = {"features": x, "status": np.ones(block.size, dtype=np.uint8)}
    return BlockReport(block, 0, 0.1, "here", store.write_block(block, values))


def run(folder: Path, verify: str = "size") -> list[int]:
    """A small study; returns the blocks that had to be computed."""
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
        todo = store.missing(BLOCKS, "full" if verify == "full" else "size")
        for block in todo:
            store.mark(compute(store, block))
        store.put("a", "posterior", [Variable("G", ("chain", "draw"), THETA.T)])
        store.finish()
    return [block.index for block in todo]


def snapshot(folder: Path) -> dict[str, bytes]:
    root = folder / "store.zarr"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    assert run(folder) == [0, 1, 2]
    return folder


def segment(folder: Path) -> Path:
    return max(folder.glob("ledger/*.log"))


def line(record: dict) -> bytes:
    body = json.dumps(record).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def records(folder: Path) -> list[dict]:
    return [json.loads(text[9:]) for text in segment(folder).read_bytes().splitlines()]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def test_a_torn_ledger_tail_costs_its_last_block_only(folder: Path) -> None:
    want = snapshot(folder)
    path, found = segment(folder), records(folder)
    cut = next(i for i, r in enumerate(found) if r["kind"] == "block" and r["index"] == 2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:cut]) + lines[cut][:-20])
    assert Store.open(folder).ignored == 1
    assert run(folder) == [2]
    assert snapshot(folder) == want
    assert run(folder, "full") == []


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda r: line(r)[:9] + line({**r, "stop": 9})[9:], id="wrong crc"),
        pytest.param(lambda r: line({**r, "study": "f" * 16}), id="another study"),
        pytest.param(lambda r: line({k: v for k, v in r.items() if k != "id"}), id="no id"),
        pytest.param(lambda r: line({**r, "digests": "all"}), id="no digests"),
        pytest.param(lambda r: line([r]), id="no record"),
        pytest.param(lambda r: b"\0" * 4096 + b"\n", id="zero page"),
        pytest.param(lambda r: b"[" * 5000 + b"\n", id="nested"),
    ],
)
def test_unbelievable_lines_are_ignored_and_counted(
    tmp_path: Path, forge: Callable[[dict], bytes]
) -> None:
    with Driver.create(tmp_path / "s", STUDY, SHA) as store:
        store.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
        report = compute(store, BLOCKS[0])
        store.mark(compute(store, BLOCKS[1]))
    prepared, mark = records(tmp_path / "s")
    assert prepared["kind"] == "prepared"
    forged = {**mark, "index": 0, "start": 0, "stop": 4, "digests": report.digests}
    with open(segment(tmp_path / "s"), "ab") as file:
        file.write(forge(forged))
    store = Store.open(tmp_path / "s")
    assert store.done_blocks("full") == {BLOCKS[1].key}
    assert store.ignored == 1
    with open(segment(tmp_path / "s"), "ab") as file:
        file.write(line(forged))  # the control: the same record, whole, is believed
    assert Store.open(tmp_path / "s").done_blocks("full") == {BLOCKS[0].key, BLOCKS[1].key}


def test_a_forged_mark_for_data_that_are_not_there_is_not_believed(folder: Path) -> None:
    mark = next(r for r in records(folder) if r["kind"] == "block")
    outside = {"../../../../../etc/hostname": [1, "", ""], "status": [1, "", ""]}
    for change in ({"index": 7}, {"digests": {}}, {"digests": outside}, {"chain": "../a"}):
        with open(segment(folder), "ab") as file:
            file.write(line({**mark, **change}))
    assert {key[2] for key in Store.open(folder).done_blocks("full")} <= {1, 2}


@pytest.mark.parametrize("damage", [Path.unlink, truncate, empty])
@pytest.mark.parametrize("name", ["features/c.1.0", "status/c.1"])
def test_missing_or_short_shards_are_found_at_resume(
    folder: Path, name: str, damage: Callable[[Path], None]
) -> None:
    want = snapshot(folder)
    damage(folder / "store.zarr/a/round_000" / name)
    with pytest.raises(StoreError, match=r"data of blocks \[1\] are gone"):
        Store.open(folder).read("a", "round_000")
    assert run(folder) == [1]
    assert snapshot(folder) == want


def test_flipped_bits_are_found_by_reading_and_by_full_verification(folder: Path) -> None:
    want = snapshot(folder)
    flip(folder / "store.zarr/a/round_000/features/c.1.0")
    with pytest.raises(StoreError, match="features is damaged"):
        Store.open(folder).read("a", "round_000")
    assert run(folder) == []
    with Driver.open(folder) as store:
        assert lost_blocks(store, "size") == []
        assert lost_blocks(store) == [("a", "round_000", 1)]
    assert run(folder) == [1]
    assert snapshot(folder) == want


def test_a_mark_found_wrong_stays_void_if_the_repair_is_killed(folder: Path) -> None:
    flip(folder / "store.zarr/a/round_000/features/c.1.0")
    with Driver.open(folder) as store:
        assert [b.index for b in store.missing(BLOCKS, "full")] == [1]
    assert run(folder, "size") == [1]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *(
            (n, d)
            for n in ("theta/c.0.0", "theta/zarr.json")
            for d in (Path.unlink, truncate, flip)
        ),
        *((n, d) for n in ("feature/c.0", "zarr.json") for d in (Path.unlink, truncate)),
    ],
)
def test_damage_to_a_prepared_round_is_repaired_without_losing_blocks(
    folder: Path, name: str, damage: Callable[[Path], None]
) -> None:
    want = snapshot(folder)
    damage(folder / "store.zarr/a/round_000" / name)
    assert run(folder) == []
    assert snapshot(folder) == want


def test_damaged_draws_that_come_back_different_void_their_blocks(folder: Path) -> None:
    truncate(folder / "store.zarr/a/round_000/theta/c.0.0")
    with Driver.open(folder) as store:
        other = store.prepare("a", "round_000", THETA + 1, PARAMS, OUTPUTS, SIZE)
        np.testing.assert_array_equal(other, THETA + 1)
        assert store.missing(BLOCKS) == BLOCKS


@pytest.mark.parametrize("damage", [Path.unlink, truncate, flip])
@pytest.mark.parametrize("name", ["G/c.0.0", "G/zarr.json"])
def test_a_damaged_data_set_is_written_again(
    folder: Path, name: str, damage: Callable[[Path], None]
) -> None:
    want = snapshot(folder)
    damage(folder / "store.zarr/a/posterior" / name)
    assert Store.open(folder).done_puts("full") == set()
    run(folder)
    assert snapshot(folder) == want


def test_a_replacement_that_never_got_its_mark_is_not_taken_for_the_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = np.random.default_rng(0).random((2, 64))
    sizes = []

    def write_and_fail(root: Path, files: dict[str, bytes], instead_of: Path | None = None) -> None:
        sizes.extend(len(data) for name, data in files.items() if name.startswith("a/x/"))
        write_files(root, files, instead_of)
        raise OSError(errno.ENOSPC, "full")

    with Driver.open(folder) as store:
        digests = store.put("a", "x", [Variable("G", ("chain", "draw"), draws)])
        write_files = driver.write_files
        monkeypatch.setattr(driver, "write_files", write_and_fail)
        with pytest.raises(StoreError, match="full"):
            store.put("a", "x", [Variable("G", ("chain", "draw"), draws[::-1])])
    assert sorted(sizes) == sorted(size for size, _ in digests.values())
    assert ("a", "x") not in Store.open(folder).done_puts("size")
    assert not Store.open(folder).has("a", "x")


def test_unmarked_files_are_never_trusted(folder: Path) -> None:
    shutil.rmtree(folder / "ledger")
    (folder / "ledger").mkdir()
    assert Store.open(folder).done_blocks() == set()
    assert run(folder) == [0, 1, 2]


def test_torn_shards_without_a_mark_are_replaced(tmp_path: Path) -> None:
    with Driver.create(tmp_path / "s", STUDY, SHA) as store:
        store.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
        report = compute(store, BLOCKS[2])
        for damage in (empty, truncate, flip):
            damage(tmp_path / "s/store.zarr/a/round_000/features/c.2.0")
            assert compute(store, BLOCKS[2]).digests == report.digests


def test_leftovers_of_killed_writers_are_swept(folder: Path) -> None:
    want = snapshot(folder)
    for name in ("store.zarr/a/round_000/features/c.1.ab12.partial", "driver.lock.ab12.tmp"):
        (folder / name).write_bytes(b"half")
    run(folder)
    assert snapshot(folder) == want
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize("change", [truncate, empty, lambda p: p.write_text("[]")])
def test_a_torn_manifest_is_named(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder / "MANIFEST.json")
    for begin in (lambda: Store.open(folder), lambda: Store.create(folder, STUDY, SHA)):
        with pytest.raises(StoreError, match=r"MANIFEST\.json is damaged .*another `output:`"):
            begin()


def test_an_edited_manifest_is_named(folder: Path) -> None:
    path = folder / "MANIFEST.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))
    with pytest.raises(StoreError, match="damaged"):
        Store.open(folder)


def test_results_without_a_manifest_are_left_alone(folder: Path) -> None:
    (folder / "MANIFEST.json").unlink()
    want = snapshot(folder)
    with pytest.raises(StoreError, match=r"MANIFEST\.json is missing"):
        Store.create(folder, STUDY, SHA)
    with pytest.raises(StoreError, match="holds no study"):
        Store.open(folder)
    assert snapshot(folder) == want


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (errno.ENOSPC, "the file system is full"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EROFS, "the file system is read-only"),
    ],
)
def test_a_store_that_cannot_grow_says_so_and_resumes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: int, cause: str
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    (folder / "store.zarr/a/round_000/status/c.1").unlink()
    room = r"\([\d.]+ MB and \d+ files free on the file system at /.*\)"
    says = rf"cannot write .*: {cause} {room}\. .* another `output:`"
    with Driver.open(folder) as store:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StoreError, match=says):
                compute(store, BLOCKS[1])
            with pytest.raises(StoreError, match=says):
                store.append("evaluated")
        store.append("evaluated")
        assert len(store.events("evaluated")) == 1
    assert run(folder) == [1]


@pytest.fixture
def small_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_kernel_refuses_leaves_no_shard(
    folder: Path, request: pytest.FixtureRequest
) -> None:
    shard = folder / "store.zarr/a/round_000/features/c.0.0"
    shard.unlink()
    request.getfixturevalue("small_files")
    with pytest.raises(StoreError, match="file-size limit"):
        compute(Store.open(folder), BLOCKS[0])
    assert list(shard.parent.iterdir()) and not shard.exists()
    assert not list(shard.parent.glob("*.partial"))


HOLD = """
import sys, time
from hpcvbi.store import Driver
with Driver.open(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other_driver(folder: Path) -> Iterator[subprocess.Popen]:
    path = os.pathsep.join(p for p in sys.path if p)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert child.stdout is not None
    with child.stdout:
        try:
            assert child.stdout.readline() == "held\n"
            yield child
        finally:
            child.kill()
            child.wait()


def test_a_second_driver_is_refused_until_the_first_is_dead(
    folder: Path, other_driver: subprocess.Popen
) -> None:
    with pytest.raises(StoreBusy, match=f"process {other_driver.pid} on "):
        run(folder)
    assert len(Store.open(folder).done_blocks()) == 3
    other_driver.kill()
    other_driver.wait()
    assert (folder / "driver.lock").exists()
    assert run(folder) == []


def rewrite_lock(folder: Path, **changes: object) -> None:
    body = json.loads((folder / "driver.lock").read_text())
    (folder / "driver.lock").write_text(json.dumps({**body, **changes}))


def test_a_recycled_pid_is_not_the_owner(folder: Path) -> None:
    lock = DriverLock(folder)
    rewrite_lock(folder, started="1")
    with DriverLock(folder) as second:
        assert second.held() and not lock.held()


def test_a_silent_owner_elsewhere_is_taken_for_dead_and_a_beating_one_is_not(folder: Path) -> None:
    first = DriverLock(folder, stale_s=0.6)
    first.release()
    DriverLock(folder, stale_s=3600.0)  # beats once in ten minutes: silent for this test
    rewrite_lock(folder, place="another machine", host="node7", token="x")
    begin = time.monotonic()
    with DriverLock(folder, stale_s=0.3) as mine:
        assert mine.held() and time.monotonic() - begin >= 0.3
        token = json.loads((folder / "driver.lock").read_text())["token"]
        rewrite_lock(folder, place="another machine", host="node7")
        assert read_owner(folder).token == token  # its thread goes on beating
        with pytest.raises(StoreBusy, match="on node7"):
            DriverLock(folder, stale_s=30.0)


def test_an_unreadable_lock_is_watched_before_it_is_broken(folder: Path) -> None:
    (folder / "driver.lock").write_bytes(b"{")
    begin = time.monotonic()
    with DriverLock(folder, stale_s=0.2):
        assert time.monotonic() - begin >= 0.2


def test_a_driver_that_lost_its_lock_writes_nothing_more(folder: Path) -> None:
    with Driver.open(folder) as store:
        store.append("run started")
        before = segment(folder).stat().st_size
        rewrite_lock(folder, token="another", pid=1)
        for write in (lambda: store.append("evaluated"), store.finish):
            with pytest.raises(StoreBusy, match=re.escape("lost") + ".*Nothing is damaged"):
                write()
        assert segment(folder).stat().st_size == before
    assert read_owner(folder).token == "another"
