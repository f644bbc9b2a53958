"""A study that is done before its rounds are is judged, mended, extended and exported by the rounds
that it took.
"""

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from conftest import Quiet, files
from generations_study import TOOK, write_generations
from in_process import Silent, Together

from hpcvbi import campaign
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.campaign.whole import lacking, learned_rounds
from hpcvbi.config import cohort_of, identity, load
from hpcvbi.store import Driver, Store


@pytest.fixture(scope="module")
def done(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Study file of a study that is finished."""
    path = write_generations(tmp_path_factory.mktemp("generations"), people_folder)
    assert compute(path) > 0
    return path


def compute(path: Path) -> int:
    """Run a study in this process, and return how many blocks were computed."""
    study, out = load(path), path.parent / "out"
    people = cohort_of(study)
    with Driver.create(out, *identity(study, people)) as store:
        outcome = run(study, people, store, lambda: Together(out), Silent(), Stop())  # type: ignore
    assert not outcome.failed
    return outcome.blocks


def copied(done: Path, to: Path) -> Path:
    shutil.copytree(done.parent / "out", to / "out")
    return to / "out"


def test_a_study_may_be_done_early_and_lacks_nothing(done: Path) -> None:
    study, store = load(done), Store.open(done.parent / "out")
    assert learned_rounds(study, store, "anna") == TOOK < study.inference.rounds
    assert not store.is_marked("anna", f"inference_{TOOK:03d}")
    assert not store.is_marked("anna", f"round_{TOOK:03d}")
    assert lacking(study, store, ["anna"]) == {"anna": []}
    assert compute(done) == 0
    about = store.get("anna", "posterior")[1]
    assert about["draws_proposed"] == 48 * TOOK
    assert campaign.verify(done.parent / "out").damage == ()


def test_damage_is_found_and_mended_by_the_rounds_it_took(done: Path, tmp_path: Path) -> None:
    out, study = copied(done, tmp_path), load(done)
    for group in ("posterior/G", "inference_001/epsilon"):
        shutil.rmtree(out / "store.zarr/anna" / group)
    store = Store.open(out)
    assert learned_rounds(study, store, "anna") == TOOK
    assert lacking(study, store, ["anna"]) == {"anna": ["posterior", "inference_001"]}
    found = campaign.verify(out).damage
    assert {damage.group for damage in found} == {"posterior", "inference_001"}
    mended = campaign.repair(out, Quiet(), workers=1)
    assert not mended.failed and mended.after.damage == ()
    assert files(out / "store.zarr") == files(done.parent / "out/store.zarr")


def test_more_rounds_change_nothing_where_the_epsilons_are_reached(
    done: Path, people_folder: Path, tmp_path: Path
) -> None:
    out = copied(done, tmp_path)
    path = write_generations(tmp_path, people_folder, rounds=5)
    study = load(path)
    planned = campaign.plan_extension(study, cohort_of(study))
    assert set(planned.superseded) == {
        "posterior", "calibration", "predictive", "posterior_predictive", "evaluation",
    }  # fmt: skip
    assert planned.kept == ("round_000", "round_001", "grid", "grid_fresh")
    campaign.extend(study, cohort_of(study))
    assert "posterior" in lacking(study, Store.open(out), ["anna"])["anna"]
    assert compute(path) == 2 + 7  # predictive and calibration
    assert lacking(study, Store.open(out), ["anna"]) == {"anna": []}
    assert files(out / "store.zarr/anna") == files(done.parent / "out/store.zarr/anna")


@pytest.mark.filterwarnings("ignore")  # of what pyABC imports
def test_pyabc_reads_and_draws_the_generations(done: Path, tmp_path: Path) -> None:
    import matplotlib
    import pyabc.visualization as shown
    from pyabc.storage import History

    matplotlib.use("agg")
    out, path = done.parent / "out", tmp_path / "history.db"
    campaign.export(out, path)
    store, history = Store.open(out), History(f"sqlite:///{path}", create=False)
    arrays = store.get("anna", f"inference_{TOOK - 1:03d}")[0]
    populations = history.get_all_populations().set_index("t")
    assert history.max_t == 2
    assert populations.epsilon[[0, 1]].tolist() == arrays["epsilon"].tolist() == [2.5, 1.5]
    assert populations.samples[[0, 1, 2]].tolist() == [*arrays["simulated"].tolist(), 24]
    for t in range(2):
        of = arrays["particle_generation"] == t
        drawn, weights = history.get_distribution(t=t)
        order, own = np.argsort(drawn["G"].values), np.argsort(arrays["particle_u"][of, 0])
        G = 0.4 + 0.9 * arrays["particle_u"][of, 0]
        np.testing.assert_allclose(drawn["G"].values[order], G[own])
        np.testing.assert_allclose(weights[order], arrays["particle_weight"][of][own])
        distances = np.sort(history.get_weighted_distances(t=t).distance)
        np.testing.assert_allclose(distances, np.sort(arrays["particle_distance"][of]))
        assert distances.max() <= populations.epsilon[t]
    shown.plot_epsilons(history)
    shown.plot_sample_numbers(history)
    shown.plot_acceptance_rates_trajectory(history)
    shown.plot_kde_1d(*history.get_distribution(t=1), "G", xmin=0.4, xmax=1.3)
    shown.plot_kde_matrix(*history.get_distribution(t=1))


@pytest.mark.filterwarnings("ignore")
def test_pyabcs_server_shows_the_run(done: Path, tmp_path: Path) -> None:
    from pyabc import History

    before = signal.getsignal(signal.SIGINT)
    from pyabc.visserver.server_flask import app

    signal.signal(signal.SIGINT, before)
    campaign.export(done.parent / "out", tmp_path / "history.db")
    app.config["HISTORY"] = History(f"sqlite:///{tmp_path / 'history.db'}", create=False)
    client = app.test_client()
    assert client.get("/").status_code == 200
    assert client.get("/abc").status_code == 200
