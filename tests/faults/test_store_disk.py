"""File systems that are full, read-only, gone or silent: the run stops with one message, what is
finished stays, and the resumed store ends equal.

The file systems are real ones in memory, which only root may mount: elsewhere those tests are
skipped, visibly. The same faults at a worker, for everybody: `test_workers.py`.
"""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import files, hpcvbi
from lost_blocks import lost_blocks
from synthetic_people import write_study

from hpcvbi.core.block import Block, BlockReport, blocks_of
from hpcvbi.core.errors import StoreBusy, StoreError
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Variable, check_room, durable, progress

STUDY, SHA = {"seed": 1}, "e" * 64
PARAMS = (Param("G", 1.0),)
WIDTH, DRAWS, SIZE = 2000, 64, 4
NAMES = Variable("feature", ("feature",), [f"f{k}" for k in range(WIDTH)])
OUTPUTS = (Output("features", ("draw", "feature"), (NAMES,)),)
THETA = np.linspace(0.0, 1.0, DRAWS)[:, None]
BLOCKS = blocks_of("a", "round_000", DRAWS, SIZE)


def compute(store: Store, block: Block) -> BlockReport:
    x = np.random.default_rng(block.index).random((block.size, WIDTH), dtype=np.float32)
    values = {"features": x, "status": np.ones(block.size, dtype=np.uint8)}
    return BlockReport(block, 0, 0.1, "here", store.write_block(block, values))


def run(folder: Path) -> int:
    """A small study of 0.6 MB; returns how many blocks had to be computed."""
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
        todo = store.missing(BLOCKS)
        for block in todo:
            store.mark(compute(store, block))
        store.put("a", "posterior", [Variable("G", ("chain", "draw"), THETA.T)])
        store.finish()
    return len(todo)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole") / "study"
    assert run(folder) == len(BLOCKS)
    return files(folder / "store.zarr")


@dataclass(frozen=True)
class Disk:
    """A file system in memory; `place` is where it is mounted."""

    place: Path

    def mount(self, options: str) -> None:
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.place)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"only root may mount a file system here: {done.stderr.strip()}")

    def change(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.place)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    disk.place.mkdir()
    yield disk
    while os.path.ismount(disk.place):
        subprocess.run(["umount", "-l", str(disk.place)], check=True)


def marked(folder: Path) -> int:
    """Number of marks, none of which lies."""
    store = Store.open(folder)
    done = store.done_blocks("full")
    assert done == set(store._marks.done())
    return len(done)


@pytest.mark.parametrize(
    ("little", "much", "free"),
    [("size=500k", "size=8m", r"\d+"), ("nr_inodes=48", "nr_inodes=0", "0")],
    ids=["space", "inodes"],
)
def test_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(
    disk: Disk, whole: dict[str, bytes], little: str, much: str, free: str
) -> None:
    disk.mount(little)
    folder = disk.place / "study"
    full = rf"cannot write .* is full \([\d.]+ MB and {free} files free .* at {disk.place}\)"
    with pytest.raises(StoreError, match=full) as stopped:
        run(folder)
    assert "run the same command again (finished blocks are kept)" in str(stopped.value)
    before = marked(folder)
    assert 0 < before < len(BLOCKS)
    with pytest.raises(StoreError, match="full"):  # still: nothing is lost by trying
        run(folder)
    assert marked(folder) >= before
    begun = marked(folder)
    disk.change(much)
    assert run(folder) == len(BLOCKS) - begun
    assert files(folder / "store.zarr") == whole


def test_what_does_not_fit_is_known_beforehand(disk: Disk) -> None:
    disk.mount("size=1m,nr_inodes=100")
    with Driver.create(disk.place / "study", STUDY, SHA) as store:
        check_room(store.folder, 500_000, 50)
        for size, files in ((1_100_000, 1), (1, 101)):
            needed = (
                rf"{size / 1e6:.1f} MB in {files} files are needed, [\d.]+ MB and \d+ files free"
            )
            with pytest.raises(StoreError, match=needed):
                check_room(store.folder, size, files)


def test_a_merge_that_does_not_fit_copies_nothing(
    disk: Disk, people_folder: Path, tmp_path: Path
) -> None:
    disk.mount("size=400k")
    study = write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")
    part = hpcvbi("run", study, "--part", "1/2")
    assert part.returncode == 0, part.stderr
    there = write_study(tmp_path / "there.yaml", people_folder, disk.place / "out")
    words = ("merge", there, tmp_path / "out/parts/1-of-2", "--partial")
    refused = hpcvbi(*words)
    assert refused.returncode == 2
    assert "no room for what is merged" in refused.stderr and "MB in" in refused.stderr
    assert not (disk.place / "out/store.zarr/anna").exists()
    disk.change("size=16m")
    merged = hpcvbi(*words)
    assert merged.returncode == 0, merged.stderr
    assert (disk.place / "out/store.zarr/anna/posterior/G/c.0.0").is_file()


def test_a_read_only_store_can_be_read_and_is_not_written(
    disk: Disk, whole: dict[str, bytes], people_folder: Path, tmp_path: Path
) -> None:
    disk.mount("size=8m")
    folder = disk.place / "study"
    run(folder)
    (folder / "store.zarr/a/round_000/features/c.3.0").unlink()
    disk.change("ro")
    assert len(Store.open(folder).done_blocks()) == len(BLOCKS) - 1
    assert progress(folder).rounds[0].blocks_done == len(BLOCKS)
    with pytest.raises(StoreError, match=r"cannot write .*the file system is read-only"):
        run(folder)

    study = write_study(tmp_path / "study.yaml", people_folder, disk.place / "out")
    refused = hpcvbi("run", study)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: cannot write ")
    assert "read-only" in refused.stderr and refused.stderr.count("\n") == 1

    disk.change("rw")
    assert run(folder) == 1
    assert files(folder / "store.zarr") == whole


def test_a_store_that_vanishes_under_its_driver_is_noticed_and_may_come_back(
    tmp_path: Path, whole: dict[str, bytes]
) -> None:
    """As when a network file system is unmounted."""
    folder, away = tmp_path / "study", tmp_path / "away"
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
        store.mark(compute(store, BLOCKS[0]))
        report = compute(store, BLOCKS[1])
        folder.rename(away)
        with pytest.raises(StoreError, match=r"not in the store|No such file"):
            compute(store, BLOCKS[2])
        with pytest.raises(StoreBusy, match=r"lost .*Nothing is damaged"):
            store.mark(report)
    assert not folder.exists()
    with pytest.raises(StoreError, match="holds no study"):
        Store.open(folder)
    away.rename(folder)
    (folder / "driver.lock").unlink()  # of this process, which a real driver would not survive
    assert marked(folder) == 1
    assert run(folder) == len(BLOCKS) - 1
    assert files(folder / "store.zarr") == whole


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("faults", [1, 2, 3])
def test_a_fault_that_passes_is_waited_for_and_the_block_written_anew(
    tmp_path: Path,
    whole: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    faults: int,
) -> None:
    folder, fsync, waited = tmp_path / "study", os.fsync, list[float]()
    run_until_marked(folder, 3)
    left = faults

    def failing(descriptor: int) -> None:
        nonlocal left
        if left and Path(os.readlink(f"/proc/self/fd/{descriptor}")).name == "c.3.0":
            left -= 1
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        patch.setattr(durable.time, "sleep", waited.append)
        if faults > len(durable.PAUSES_S):
            with pytest.raises(StoreError, match=r"cannot write .* run the same command again"):
                run(folder)
            assert marked(folder) == 3
        else:
            run(folder)
    assert waited == list(durable.PAUSES_S[:faults])
    run(folder)
    assert files(folder / "store.zarr") == whole


def run_until_marked(folder: Path, blocks: int) -> None:
    with Driver.create(folder, STUDY, SHA) as store:
        store.prepare("a", "round_000", THETA, PARAMS, OUTPUTS, SIZE)
        for block in store.missing(BLOCKS)[:blocks]:
            store.mark(compute(store, block))


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE])
def test_a_silent_file_system_is_no_proof_that_data_are_gone(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    folder, stat = tmp_path / "study", os.stat
    run(folder)

    def silent(path: object, **options: object) -> os.stat_result:
        if str(path).endswith("features/c.3.0"):
            raise OSError(code, os.strerror(code), str(path))
        return stat(path, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", silent)
        for look in (run, lambda f: Store.open(f).read("a", "round_000")):
            with pytest.raises(StoreError, match=r"cannot look at .*c\.3\.0.*Nothing is lost"):
                look(folder)
    assert run(folder) == 0  # no mark was voided
    assert files(folder / "store.zarr") == whole


def test_a_part_of_the_disk_that_cannot_be_read_any_more_is_damage(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hpcvbi.store import verify

    folder, digest = tmp_path / "study", verify.file_digest
    run(folder)

    def unreadable(path: Path) -> list[int | str]:
        if path.name == "c.3.0":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return digest(path)

    with Driver.open(folder) as store, monkeypatch.context() as patch:
        patch.setattr(verify, "file_digest", unreadable)
        assert lost_blocks(store) == [("a", "round_000", 3)]
    assert run(folder) == 1
    assert files(folder / "store.zarr") == whole


@pytest.mark.parametrize(
    "fault", [lambda folder: folder.mkdir(mode=0o700), lambda folder: folder.write_text("a file")]
)
def test_an_output_that_is_no_store_is_named(
    tmp_path: Path, fault: Callable[[Path], object]
) -> None:
    fault(tmp_path / "study")
    with pytest.raises(StoreError, match=r"holds no study|cannot read"):
        Store.open(tmp_path / "study")
