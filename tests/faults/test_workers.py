"""Workers that die, hang, run out of memory or of disk: real Dask workers, the real loop.

Each test simulates one round of a person; what can be mended ends equal, byte for byte, to a round
that nothing disturbed.
"""

import contextlib
import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import dask.config
import numpy as np
import pytest
import sabotage
from conftest import files
from strangers import refused_everywhere
from synthetic_people import write_study
from test_store_disk import Disk, disk  # noqa: F401

from hpcvbi.campaign.again import rests_on, try_again
from hpcvbi.campaign.limits import WAITED, Attempts, where_lost
from hpcvbi.campaign.loop import Loop
from hpcvbi.campaign.stop import Stop
from hpcvbi.campaign.subjects import subjects_of
from hpcvbi.campaign.wishes import Chain, Simulate
from hpcvbi.cli.progress import Tally
from hpcvbi.cluster import Executor, Failure, local_executor
from hpcvbi.config import Study, cohort_of, identity, load
from hpcvbi.core.block import Block, BlockReport, Status
from hpcvbi.core.errors import ClusterError, Stopped, StoreError
from hpcvbi.store import Driver, Store, progress

DRAWS, SIZE = 48, 16


class Bench:
    """One cluster for all tests, and a store for each."""

    def __init__(
        self,
        people: Path,
        work: Path,
        start: Callable[[str], Executor] = lambda folder: local_executor(folder, 2),
    ) -> None:
        self.people, self.work, self.orders = people, work, work / "orders"
        self.orders.mkdir(parents=True)
        os.environ["SABOTAGE"] = str(self.orders)
        with dask.config.set({"distributed.worker.preload": [sabotage.PRELOAD]}):
            self.cluster = start(str(work))
        self.log = io.StringIO()

    def study(self, folder: Path, limits: str = "{}") -> Study:
        folder.mkdir(parents=True, exist_ok=True)
        path = write_study(folder / "study.yaml", self.people, folder)
        path.write_text(path.read_text() + f"limits: {limits}\n")
        return load(path)

    def order(self, draw: int, *what: str) -> None:
        sabotage.order(self.orders, draw, *what)

    def run(
        self,
        folder: Path,
        limits: str = "{}",
        names: tuple[str, ...] = ("anna",),
        stop: Stop | None = None,
        again: bool = False,
        prepared: Callable[[], object] = lambda: None,
    ) -> Loop:
        """One round per person; `prepared` is called when the store is ready for its blocks."""
        study = self.study(folder, limits)
        people = cohort_of(study)
        subjects = {s.name: s for s in subjects_of(study, people) if s.name in names}
        stop, tally = stop or Stop(), Tally(self.log, None)
        planned = tally.planned
        tally.planned = lambda *what: (planned(*what), prepared())
        if stop.signal:  # after the first block, not before
            asked, stop.signal = stop.signal, ""
            computed = tally.computed
            tally.computed = lambda report: (computed(report), setattr(stop, "signal", asked))

        def start() -> Executor:
            client = self.cluster._client
            return Executor(client, str(folder), lambda: None, study.limits.seconds)

        with Driver.create(folder, *identity(study, people)) as store:
            if again:
                assert try_again(store)
            loop = Loop(study, subjects, store, start, tally, stop)
            self.cluster._client.wait_for_workers(1)
            loop.run({name: one_round(subjects[name].brain.space) for name in names})
            store.finish()
        return loop

    def close(self) -> None:
        self.cluster.close()
        del os.environ["SABOTAGE"]


def one_round(space) -> Chain:
    u = np.repeat(np.linspace(0.05, 0.95, DRAWS)[:, None], len(space), axis=1)
    u[:, 1:] = np.random.default_rng(0).permuted(u[:, 1:], axis=0)
    yield Simulate("round_000", space.from_unit(u))


@pytest.fixture(scope="module")
def bench(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(people_folder, tmp_path_factory.mktemp("bench"))
    yield bench
    bench.close()


@pytest.fixture(autouse=True)
def no_order_is_left(bench: Bench) -> Iterator[None]:
    yield
    left = list(bench.orders.iterdir())
    for path in left:
        path.unlink()
    assert not left


@pytest.fixture(scope="module")
def undisturbed(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert bench.run(folder).computed == 3
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return files(folder / "store.zarr")


def marks(folder: Path) -> dict[int, dict]:
    store = Store.open(folder)
    assert store.done_blocks("full") == set(store._marks.done())
    return {index: record for (_, _, index), record in store._marks.done().items()}


def test_workers_killed_in_a_block_cost_that_attempt_only(
    bench: Bench, undisturbed: Path, tmp_path: Path
) -> None:
    """While it simulates, while it writes, and when all is written but nothing reported."""
    for draw, moment in ((0, "sigkill"), (16, "writing"), (32, "written")):
        bench.order(draw, moment)
    assert bench.run(tmp_path).computed == 3
    assert bytes_of(tmp_path) == bytes_of(undisturbed)
    assert [mark["failed"] for mark in marks(tmp_path).values()] == [0, 0, 0]


def test_a_block_that_kills_its_workers_is_failed_and_the_others_are_not(
    bench: Bench, undisturbed: Path, tmp_path: Path
) -> None:
    bench.order(0, "error")
    bench.order(16, "sigkill", "sigkill")
    bench.order(32, "memory")
    loop = bench.run(tmp_path, "{attempts: 2}")
    assert loop.computed == 3 and not loop.failed

    found = Store.open(tmp_path).read("anna", "round_000")
    whole = Store.open(undisturbed).read("anna", "round_000")
    hit = np.arange(DRAWS) // SIZE == 1
    assert (found["status"][hit] == Status.FAILED).all()
    assert np.isnan(found["features"][hit]).all()
    for name in ("theta", "status", "features"):
        kept = slice(None) if name == "theta" else ~hit
        np.testing.assert_array_equal(found[name][kept], whole[name][kept])

    mark = marks(tmp_path)[1]
    assert (mark["failed"], mark["cause"]) == (16, "its worker was killed")
    (round_,) = progress(tmp_path).rounds
    assert (round_.draws_done, round_.failed, round_.diverged) == (48, 16, 0)
    assert round_.causes == {"its worker was killed": 1}
    assert "block 1: 16 draws failed (its worker was killed)" in bench.log.getvalue()

    # Kept when resumed; tried again when asked; then equal to a round that nothing disturbed.
    assert bench.run(tmp_path).computed == 0
    assert bench.run(tmp_path, again=True).computed == 1
    assert bytes_of(tmp_path) == bytes_of(undisturbed)


def test_a_block_that_never_ends_is_failed_and_its_worker_restarted(
    bench: Bench, undisturbed: Path, tmp_path: Path
) -> None:
    """A simulation that hangs, and a whole worker that neither answers nor dies (a partition)."""
    bench.order(0, "hang")
    bench.order(16, "sigstop")
    loop = bench.run(tmp_path, "{attempts: 1, seconds: 20, lost: 1}")
    assert loop.computed == 3 and not loop.failed
    causes = {i: mark.get("cause") for i, mark in marks(tmp_path).items()}
    assert causes == {0: "no end within 20 s", 1: "no end within 20 s", 2: None}
    assert bench.run(tmp_path, again=True).computed == 2
    assert bytes_of(tmp_path) == bytes_of(undisturbed)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("ENOSPC", "the file system is full"),
        ("EDQUOT", "the quota is used up"),
        ("EROFS", "the file system is read-only"),
        ("EIO", "input/output error"),
        ("ESTALE", "stale handle"),
    ],
)
def test_a_fault_of_the_store_stops_the_run_and_fails_no_draw(
    bench: Bench, undisturbed: Path, tmp_path: Path, fault: str, words: str
) -> None:
    bench.order(16, fault)
    with pytest.raises(StoreError, match=rf"cannot write .*{words}.* run the same command again"):
        bench.run(tmp_path)
    assert 1 not in marks(tmp_path)
    assert all(not mark["failed"] for mark in marks(tmp_path).values())
    begun = len(marks(tmp_path))
    assert bench.run(tmp_path).computed == 3 - begun
    assert bytes_of(tmp_path) == bytes_of(undisturbed)


def test_a_disk_that_fills_up_stops_the_run_and_fails_no_draw(
    bench: Bench,
    undisturbed: Path,
    disk: Disk,  # noqa: F811
) -> None:
    disk.mount("size=2m")
    folder, ballast = disk.place / "study", disk.place / "ballast"

    def fill() -> None:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

    with pytest.raises(StoreError, match=r"the file system is full \(0.0 MB"):
        bench.run(folder, prepared=fill)
    assert marks(folder) == {}
    ballast.unlink()
    assert bench.run(folder).computed == 3
    assert bytes_of(folder) == bytes_of(undisturbed)


def test_a_round_that_does_not_fit_is_refused_before_its_first_block(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(folder: Path) -> os.statvfs_result:
        return os.statvfs_result((4096, 4096, 1000, 0, 0, 1000, 900, 900, 0, 255))

    monkeypatch.setattr(os, "statvfs", nearly_full)
    with pytest.raises(StoreError, match=r"0\.0 MB in 6 files are needed, 0\.0 MB and 900 files"):
        bench.run(tmp_path)
    assert marks(tmp_path) == {}


def test_too_many_lost_draws_set_a_person_aside_and_say_where_they_lie(
    bench: Bench, undisturbed: Path, tmp_path: Path
) -> None:
    """Anna's draws fail at large G, and so do Ben's, but he may lose more."""
    for draw in (16, 32):
        bench.order(draw, "error")
    loop = bench.run(tmp_path, "{attempts: 1}")
    message = str(loop.failed["anna"])
    assert "32 of 48 draws are lost (0 diverged, 32 failed)" in message
    assert "lie at G 0.7" in message and "ZeroDivisionError" in message
    assert message.index("G 0.") < message.index("sigma")
    assert Store.open(tmp_path).events("failed")[0]["chain"] == "anna"
    assert "anna" in bench.run(tmp_path).failed  # the same answer when resumed
    assert not bench.run(tmp_path, "{lost: 0.7}").failed  # a limit is no part of the study
    assert bench.run(tmp_path, again=True).computed == 2
    assert bytes_of(tmp_path) == bytes_of(undisturbed)


def test_one_person_set_aside_does_not_stop_the_others(bench: Bench, tmp_path: Path) -> None:
    for draw in (0, 16, 32):
        bench.order(draw, "error", "error")
    loop = bench.run(tmp_path, "{attempts: 1, lost: 0.3}", ("anna", "ben"))
    assert set(loop.failed) == {"anna", "ben"}
    for path in bench.orders.iterdir():
        path.unlink()


def test_a_run_that_is_asked_to_stop_marks_what_is_finished(
    bench: Bench, undisturbed: Path, tmp_path: Path
) -> None:
    stop = Stop()
    stop.ask(signal.SIGTERM, None)
    with pytest.raises(Stopped, match="stopped by SIGTERM"):
        bench.run(tmp_path, stop=stop)
    begun = len(marks(tmp_path))
    assert 1 <= begun <= 3
    with pytest.raises(KeyboardInterrupt):
        stop.ask(signal.SIGINT, None)
    assert bench.run(tmp_path).computed == 3 - begun
    assert bytes_of(tmp_path) == bytes_of(undisturbed)


def test_strangers_are_refused_before_any_task(bench: Bench, tmp_path: Path) -> None:
    """Another authority's certificate, no certificate, no TLS, and bytes of a port scan."""
    refused_everywhere(bench.cluster._client.scheduler.address)
    assert bench.run(tmp_path).computed == 3


def failure(blamed: bool) -> Failure:
    return Failure(Block("anna", "round_000", 1, 16, 32), RuntimeError("x"), "x", blamed)


def test_only_the_block_at_work_is_blamed_for_its_workers_death() -> None:
    attempts = Attempts(2)
    assert not any(attempts.exhausted(failure(False)) for _ in range(WAITED - 1))
    assert not attempts.exhausted(failure(True))
    assert attempts.exhausted(failure(True))
    with pytest.raises(ClusterError, match="workers keep dying"):
        attempts.exhausted(failure(False))


def test_the_parameter_that_sets_lost_draws_apart_is_named_first() -> None:
    rng = np.random.default_rng(1)
    theta = rng.random((400, 3))
    lost = theta[:, 1] > 0.8
    words = where_lost(("a", "b", "c"), theta, lost, np.ones(400, bool))
    assert words.index(" b ") < min(words.index("a 0."), words.index("c 0."))
    assert "b 0.8" in words


@pytest.mark.parametrize(
    ("round_", "redone"),
    [
        (
            "round_001",
            {
                *("inference_001", "posterior", "predictive", "posterior_predictive"),
                "calibration",
            },
        ),
        ("predictive", {"posterior_predictive"}),
        ("grid", {"grid_fresh"}),
        ("grid_fresh", set()),
        ("calibration", set()),
    ],
)
def test_what_rests_on_failed_draws_is_done_again(round_: str, redone: set[str]) -> None:
    everything = {
        *("connectome", "observed_data", "grid", "round_000", "inference_000", "round_001"),
        *("inference_001", "posterior", "predictive", "posterior_predictive", "grid_fresh"),
        *("calibration", "evaluation"),
    }
    assert {g for g in everything if rests_on(g, round_)} == redone | {"evaluation"}


def test_a_report_of_failed_draws_is_small() -> None:
    report = BlockReport(failure(True).block, 0, 0.0, "here", {}, 16, "x" * 200)
    assert len(repr(report)) < 500


@pytest.mark.battery
def test_a_worker_that_falls_silent_is_given_up_after_its_time_to_live(
    bench: Bench, undisturbed: Path, tmp_path: Path
) -> None:
    """Without a limit for the block: Dask misses the worker's heartbeat after a minute."""
    bench.order(16, "sigstop")
    assert bench.run(tmp_path, "{seconds: null}").computed == 3
    assert bytes_of(tmp_path) == bytes_of(undisturbed)
