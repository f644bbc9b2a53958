"""Workers that compute several blocks at once, as those of a node do."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from crowded_cluster import crowded
from test_workers import DRAWS, SIZE, Bench, bytes_of, marks


@pytest.fixture(scope="module")
def bench(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two workers of four threads each."""
    bench = Bench(people_folder, tmp_path_factory.mktemp("bench"), crowded(workers=2, threads=4))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def undisturbed(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert bench.run(folder).computed == DRAWS // SIZE
    return folder


def test_a_late_block_is_computed_by_another_worker_too(
    bench: Bench, undisturbed: Path, tmp_path: Path
) -> None:
    """It hangs for an hour, no limit ends it, and the run ends nevertheless."""
    bench.order(16, "hang")
    assert bench.run(tmp_path, "{seconds: null}").computed == 3
    assert bytes_of(tmp_path) == bytes_of(undisturbed)
    assert all(not mark["failed"] for mark in marks(tmp_path).values())


def test_a_block_that_never_ends_costs_the_others_on_its_worker_no_attempt(
    bench: Bench, undisturbed: Path, tmp_path: Path
) -> None:
    bench.order(0, "hang", "hang", "hang")
    bench.run(tmp_path, "{attempts: 1, seconds: 20, lost: 1}")
    failed = {index: mark["failed"] for index, mark in marks(tmp_path).items()}
    assert failed == {0: 16, 1: 0, 2: 0}
    for left in bench.orders.iterdir():
        left.unlink()
    assert bench.run(tmp_path, again=True).computed == 1
    assert bytes_of(tmp_path) == bytes_of(undisturbed)


def test_of_several_blocks_on_a_worker_only_the_one_that_kills_it_alone_is_blamed(
    bench: Bench, undisturbed: Path, people_folder: Path, tmp_path: Path
) -> None:
    """With one attempt each: the first death blames nobody, the second one, alone, the culprit."""
    before = bench.orders
    own = Bench(people_folder, tmp_path / "own", crowded(workers=1, threads=4))
    try:
        own.order(16, "sigkill", "sigkill")
        for innocent in (0, 32):
            own.order(innocent, "slow")
        own.run(tmp_path / "store", "{attempts: 1, lost: 1}")
        assert not list(own.orders.iterdir())
        failed = {index: mark["failed"] for index, mark in marks(tmp_path / "store").items()}
        assert failed == {0: 0, 1: 16, 2: 0}
        assert own.run(tmp_path / "store", again=True).computed == 1
    finally:
        own.close()
        os.environ["SABOTAGE"] = str(before)
    assert bytes_of(tmp_path / "store") == bytes_of(undisturbed)
