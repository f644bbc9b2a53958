"""Whole studies on an embedded cluster: what they write, and that only the study decides it."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from conftest import files, hpcvbi
from strangers import listening
from synthetic_people import write_study

from hpcvbi.cluster import Failure, local_executor
from hpcvbi.core.block import BlockReport, blocks_of
from hpcvbi.core.errors import StoreMismatch
from hpcvbi.store import Store, progress


def same_results(a: Path, b: Path, *groups: str) -> None:
    """Assert equal bits of every array of these groups."""
    for person in ("anna", "ben"):
        for group in groups:
            ours, theirs = (
                xr.open_datatree(folder / "store.zarr", engine="zarr")[f"{person}/{group}"].ds
                for folder in (a, b)
            )
            assert set(ours) == set(theirs)
            for name in ours:
                np.testing.assert_array_equal(ours[name].values, theirs[name].values)


def test_a_finished_study_opens_in_xarray_with_names_and_units(finished):
    tree = xr.open_datatree(finished.parent / "out/store.zarr", engine="zarr")
    assert set(tree.children) == {"anna", "ben"}
    round_ = tree["anna/round_000"].ds
    assert dict(round_.theta.sizes) == {"draw": 48, "param": 2}
    assert round_.param.values.tolist() == ["G", "sigma"]
    assert round_.param_unit.values.tolist() == ["1", "1/sqrt(ms)"]
    assert round_.feature.values.tolist() == ["fc_mean", "fc_sd", "fc_sc_r"]
    assert dict(round_.bold.sizes) == {"draw": 48, "time": 300, "region": 12}
    assert round_.time.attrs["units"] == "s"
    assert (round_.status == 1).all()
    assert dict(tree["ben/posterior"].ds.G.sizes) == {"chain": 1, "draw": 1000}
    assert set(tree["ben"].children) >= {"posterior_predictive", "observed_data", "evaluation"}


def test_a_finished_study_computes_no_block_again(finished):
    again = hpcvbi("run", finished)
    assert again.returncode == 0, again.stderr
    assert "0 blocks computed" in again.stdout


def test_results_depend_neither_on_workers_nor_on_the_size_of_blocks(
    finished, people_folder, tmp_path
):
    study = write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")
    text = study.read_text().replace("block: 16", "block: 7")
    study.write_text(text + "cluster: {kind: local, workers: 1}\n")
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    groups = ("round_000", "round_001", "predictive", "grid_fresh", "posterior", "evaluation")
    same_results(finished.parent / "out", tmp_path / "out", *groups)


def test_another_study_is_refused_with_what_differs(finished):
    text = finished.read_text()
    other = finished.with_name("other.yaml")
    other.write_text(text.replace("seed: 1", "seed: 2"))
    refused = hpcvbi("run", other)
    assert refused.returncode == 2
    assert "seed" in refused.stderr and "output" in refused.stderr


def test_status_reads_a_store_without_its_arrays(finished):
    shown = hpcvbi("status", finished)
    assert shown.returncode == 0, shown.stderr
    assert "round_001" in shown.stdout and "48/48" in shown.stdout


def test_plan_counts_draws_and_spends_nothing(people_folder, tmp_path):
    study = write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")
    planned = hpcvbi("plan", study)
    assert planned.returncode == 0, planned.stderr
    everything = 2 * (48 + 48 + 32 + 6 + 4 + 24)
    (line,) = [x for x in planned.stdout.splitlines() if x.strip().startswith("all")]
    assert str(everything) in line.split()
    assert not (tmp_path / "out").exists()


def test_every_run_is_stamped(finished):
    events = progress(finished.parent / "out").events
    (first, *_) = [event for event in events if event["kind"] == "run started"]
    assert first["versions"]["numpy"] == np.__version__
    assert first["host"] and first["time"] and first["cores"] >= 1


def test_every_block_says_where_it_was_computed_how_long_and_with_how_much_memory(finished):
    for mark in Store.open(finished.parent / "out")._marks.done().values():
        assert mark["host"] and mark["seconds"] > 0
        assert 50e6 < mark["memory"] < 50e9


@pytest.fixture
def worker(finished):
    executor = local_executor(str(finished.parent / "out"), 1)
    yield executor
    executor.close()


def test_a_worker_simulates_without_learning_libraries_and_with_one_thread(worker, finished):
    block = blocks_of("anna", "round_000", 48, 16)[1]
    before = files(finished.parent / "out/store.zarr")
    worker.submit(block)
    (report,) = worker.wait(timeout=120)
    assert isinstance(report, BlockReport) and report.block == block
    assert len(json.dumps(report.digests)) < 1500
    assert files(finished.parent / "out/store.zarr") == before

    state = looked_around(worker)
    assert state["threads"] == {"1"}
    unwanted = {"torch", "sbi", "pyabc", "matplotlib", "bokeh", "xarray", "pandas", "scipy.stats"}
    assert not unwanted & state["modules"]


def looked_around(worker):
    """What a worker sees; by a function that brings no module of the tests along."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

    def look():
        threads = {os.environ.get(name) for name in names}
        return {"threads": threads, "modules": set(sys.modules), "process": os.getpid()}

    (state,) = worker._client.run(look).values()
    return state


def test_connections_are_encrypted_and_strangers_refused(worker):
    from distributed import Client

    address = worker._client.scheduler.address
    assert address.startswith("tls://127.0.0.1")
    with pytest.raises((OSError, TypeError)):
        Client(address.replace("tls://", "tcp://"), timeout="3s", set_as_default=False)
    served = listening([os.getpid(), looked_around(worker)["process"]])
    assert served and {host for host, _ in served} == {"127.0.0.1"}


def test_the_window_of_blocks_in_flight_is_bounded(worker):
    free = worker.free
    for block in blocks_of("anna", "round_000", 48, 16)[:2]:
        worker.submit(block)
    assert worker.free == free - 2 <= 3
    done = []
    while len(done) < 2:
        done += worker.wait(timeout=120)
    assert worker.free == free


def test_data_that_changed_under_a_store_are_refused_by_the_worker(worker, finished, people_folder):
    path = people_folder / "anna/bold.csv"
    kept = path.read_bytes()
    try:
        path.write_bytes(kept.replace(b"1", b"2", 1))
        worker.submit(blocks_of("anna", "round_000", 48, 16)[0])
        (failure,) = worker.wait(timeout=120)
    finally:
        path.write_bytes(kept)
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, StoreMismatch)


def test_unknown_study_file_is_one_clear_line(tmp_path):
    refused = hpcvbi("run", tmp_path / "nothing.yaml")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ") and "nothing.yaml" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_report_is_built_from_the_store_alone(finished):
    page = finished.parent / "out/report.html"
    before = page.read_bytes()
    page.unlink()
    built = hpcvbi("report", finished)
    assert built.returncode == 0, built.stderr
    assert page.read_bytes() == before
    assert Store.open(finished.parent / "out").done_puts() >= {("anna", "evaluation")}


def test_a_person_without_enough_draws_is_set_aside_and_the_others_go_on(people_folder, tmp_path):
    study = write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")
    text = study.read_text().replace("min_survivors: 20", "min_survivors: 60")
    study.write_text(text)
    done = hpcvbi("run", study)
    assert done.returncode == 1
    assert "NOT INFERRED anna" in done.stdout and "NOT INFERRED ben" in done.stdout
    assert "Traceback" not in done.stderr
