"""A whole study some of whose blocks fail: it goes on, counts them, and can make them good."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import sabotage
from conftest import command, environment, files, hpcvbi
from synthetic_people import write_study

from hpcvbi.core.block import Status
from hpcvbi.store import Store, progress


@pytest.fixture(scope="module")
def failing(people_folder, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The study's file, and its run in which two blocks fail for good."""
    folder = tmp_path_factory.mktemp("failing")
    orders = folder / "orders"
    orders.mkdir()
    study = write_study(folder / "study.yaml", people_folder, folder / "out")
    study.write_text(study.read_text() + "limits: {attempts: 1}\n")
    sabotage.order(orders, 16, "error", "memory")
    preload = json.dumps([sabotage.PRELOAD])
    done = subprocess.run(
        command("run", study),
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **environment(),
            "SABOTAGE": str(orders),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": preload,
        },
    )
    assert not os.listdir(orders)
    return study, done


def test_the_study_goes_on_and_says_what_failed(failing):
    _, done = failing
    assert done.returncode == 0, done.stderr
    assert "16 draws failed (out of memory)" in done.stdout
    assert "16 draws failed (ZeroDivisionError: division by zero)" in done.stdout
    assert done.stdout.count("FAILED ") == 2
    assert "hpcvbi run --retry-failed" in done.stdout


def test_failed_draws_are_counted_and_left_out(failing):
    study, _ = failing
    rounds = progress(study.parent / "out").rounds
    assert sum(r.failed for r in rounds) == 32
    shown = hpcvbi("status", study).stdout
    assert "failed" in shown.splitlines()[0]
    store = Store.open(study.parent / "out")
    for chain, round_, index in store.failed_blocks():
        found = store.read(chain, round_)
        hit = np.arange(len(found["status"])) // 16 == index
        assert (found["status"][hit] == Status.FAILED).all()
        assert np.isnan(found["features"][hit]).all()
        if round_ == "round_000":
            attrs = store.get(chain, "inference_000")[1]
            assert attrs["masked"] == 16 and attrs["rows"] == 32


def test_a_repair_writes_them_as_failed_again(failing):
    study, _ = failing
    out = study.parent / "out"
    whole = files(out / "store.zarr")
    (chain, round_, index), *_ = Store.open(out).failed_blocks()
    (out / "store.zarr" / chain / round_ / "features" / f"c.{index}.0").unlink()
    mended = hpcvbi("verify", out, "--repair", "--workers", 1)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert files(out / "store.zarr") == whole
    assert sum(r.failed for r in progress(out).rounds) == 32
    assert all(r.causes for r in progress(out).rounds if r.failed)


def test_a_resumed_run_keeps_them_and_another_attempt_ends_equal(failing, finished):
    study, _ = failing
    kept = hpcvbi("run", study)
    assert kept.returncode == 0, kept.stderr
    assert "0 blocks computed" in kept.stdout and kept.stdout.count("FAILED ") == 2
    again = hpcvbi("run", "--retry-failed", study)
    assert again.returncode == 0, again.stderr
    assert "FAILED" not in again.stdout
    ours, theirs = (files(s.parent / "out/store.zarr") for s in (study, finished))
    assert ours.keys() == theirs.keys()
    assert [name for name in theirs if ours[name] != theirs[name]] == []
