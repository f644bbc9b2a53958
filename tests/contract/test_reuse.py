"""Draws of an earlier study of the same brain enter a later one; those of another brain do not."""

from pathlib import Path

import numpy as np
import pytest
from in_process import Enough, Silent, Together
from synthetic_people import write_people, write_study

from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.campaign.whole import lacking
from hpcvbi.config import Study, check, cohort_of, identity, load
from hpcvbi.core.errors import ConfigError, DataError, StoreError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.store import Driver, Store

DRAWS, VOLUMES = 24, 60


def start(study: Study, learns: bool = True) -> Store:
    people = cohort_of(study)
    check(study, people)
    output = Path(study.output)
    with Driver.create(output, *identity(study, people)) as store:
        run(study, people, store, lambda: Together(output, learns), Silent(), Stop())
    return Store.open(output)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder of one person, and a study whose first round is simulated."""
    place = tmp_path_factory.mktemp("reuse")
    write_people(place / "people", {"anna": 0.8}, VOLUMES)
    file = write_study(place / "first.yaml", place / "people", place / "first", DRAWS, epochs=2)
    with pytest.raises(Enough):
        start(load(file), learns=False)
    return place


def later(place: Path, name: str = "later", seed: int = 2, change=("", "")) -> Study:
    file = place / f"{name}.yaml"
    write_study(file, place / "people", place / name, DRAWS, epochs=2, seed=seed)
    reuse = f"inference:\n  reuse: {place / 'first'}\n"
    file.write_text(file.read_text().replace("inference:\n", reuse).replace(*change))
    return load(file)


def test_what_an_earlier_study_simulated_is_learned_from_as_well(place):
    study = later(place)
    store, first = start(study), Store.open(place / "first")
    taken, was = store.get("anna", "earlier")[0], first.read("anna", "round_000")
    for name in ("theta", "status", "features"):
        np.testing.assert_array_equal(taken[name], was[name])
    own = store.read("anna", "round_000")
    assert not np.isin(own["theta"], taken["theta"]).any()
    whole = [int(np.isfinite(r["features"]).all(axis=1).sum()) for r in (taken, own)]
    assert store.get("anna", "inference_000")[1]["rows"] == sum(whole)
    about = store.get("anna", "posterior")[1]
    assert about["draws_proposed"] == 3 * DRAWS and about["rounds_learned_from"] == 2
    assert about["draws_excluded"] == 3 * DRAWS - about["draws_learned_from"] >= 0
    assert lacking(study, store, ["anna"]) == {"anna": []}


def test_its_own_copy_is_what_a_study_resumes_from(place, tmp_path):
    study = later(place, "moved")
    with pytest.raises(Enough):
        start(study, learns=False)
    before = Store.open(study.output).get("anna", "earlier")[0]
    (place / "first").rename(tmp_path / "gone")
    try:
        with pytest.raises(Enough):
            start(study, learns=False)
    finally:
        (tmp_path / "gone").rename(place / "first")
    np.testing.assert_array_equal(
        Store.open(study.output).get("anna", "earlier")[0]["theta"], before["theta"]
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("high: 1.3", "high: 1.4"), r"parameters.G.high: 1.3 there, 1.4 here"),
        (("fc_sc_r]", "fc_sc_r, lag1_autocorrelation]"), "features.names"),
        (("dt: 2.0", "dt: 1.0"), "simulation.dt"),
    ],
)
def test_draws_of_something_else_are_refused(place, change, said):
    with pytest.raises(ConfigError, match=said) as error:
        start(later(place, f"other{derive_seed(*change)}", change=change))
    assert "inference.reuse" in str(error.value)


def test_the_same_draws_twice_are_refused(place):
    with pytest.raises(ConfigError, match="write another `seed`"):
        start(later(place, "again", seed=1))


def test_an_algorithm_that_cannot_use_them_says_so(place):
    study = later(place, "search", change=("  reuse", "  algorithm: cmaes\n  reuse"))
    study = study.model_copy(
        update={"inference": study.inference.model_copy(update={"settings": {}})}
    )
    with pytest.raises(ConfigError, match="learns from its own draws only"):
        start(study)


def test_other_people_and_other_data_are_refused(place, tmp_path):
    study = later(place, "others")
    for name, seed in (("anna", 0.9), ("ben", 0.8)):
        write_people(tmp_path / name, {name: seed}, VOLUMES)
        other = study.model_copy(
            update={
                "output": str(tmp_path / f"out_{name}"),
                "cohort": study.cohort.model_copy(update={"folder": str(tmp_path / name)}),
            }
        )
        with pytest.raises(DataError, match="another brain" if name == "anna" else "no person ben"):
            start(other)


def test_a_study_that_is_not_there_or_not_far_enough_is_named(place):
    nowhere = later(place, "nowhere", change=(str(place / "first"), str(place / "none")))
    with pytest.raises(StoreError, match="none"):
        start(nowhere)
