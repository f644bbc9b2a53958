"""One network for all people of a study, learned inside the campaign: who it is learned from, and
who joins it later.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from cohort_study import (
    DRAWS,
    EVERYBODY,
    KNOWN,
    Disorderly,
    compute,
    grown,
    write_everybody,
    written,
)
from conftest import files, hpcvbi
from in_process import Enough, Silent

from hpcvbi import campaign
from hpcvbi.campaign.identity import manifest_of
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.campaign.together import NAMES, learners
from hpcvbi.campaign.whole import lacking
from hpcvbi.config import check, cohort_of
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.identifier import COHORT
from hpcvbi.report import build, findings, judged
from hpcvbi.store import Driver, Store


@pytest.fixture(scope="module", autouse=True)
def no_fsync():
    """What is not about crashes does not wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder of four people, three of whom are in a study that is finished."""
    return write_everybody(tmp_path_factory.mktemp("cohort"))


@pytest.fixture
def three(place: Path, tmp_path: Path) -> Path:
    """The store of the three, to change."""
    return shutil.copytree(place / "three", tmp_path / "out")


def test_one_network_answers_for_all(place: Path) -> None:
    store = Store.open(place / "three")
    arrays, about = store.get(COHORT, "network")
    assert list(arrays["person"]) == list(KNOWN)
    assert list(arrays["covariate"]) == list(NAMES)
    assert about["draws"] == 3 * DRAWS
    for name in KNOWN:
        assert not any("weights" in store.get(name, g)[0] for g in ("inference_000",))
        assert store.get(name, "posterior")[1]["draws_learned_from"] == about["rows"]
        place_of = store.get(name, "inference_000")[1]
        assert place_of["people"] == 3 and place_of["distance"] == 0.0
        assert place_of["place"] == ""
    of = [store.get(name, "posterior")[0]["G"] for name in KNOWN]
    assert not np.array_equal(of[0], of[1])
    study = written(place, place / "three", list(KNOWN))
    assert not any(lacking(study, store, KNOWN).values())
    assert campaign.verify(place / "three").damage == ()


def test_neither_order_nor_a_kill_shows(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study = written(place, out, list(KNOWN))
    people = campaign.people_of(study)
    for label in ("network", "inference_000", "twins"):

        class Killed(Disorderly):
            def learn(self, chain, wanted, *words, until=label):
                if wanted == until:
                    raise Enough
                super().learn(chain, wanted, *words)

        with (
            Driver.create(out, *manifest_of(study, people)) as store,
            pytest.raises(Enough),
        ):
            run(study, people, store, lambda: Killed(out), Silent(), Stop())  # type: ignore
    compute(study, Disorderly)
    assert files(out / "store.zarr") == files(place / "three/store.zarr")


def test_two_workers_make_the_same_bytes(place: Path, tmp_path: Path) -> None:
    workers = ("keep:", "cluster: {kind: local, workers: 2}\nkeep:")
    written(place, tmp_path / "out", list(KNOWN), workers)
    done = hpcvbi("run", tmp_path / "out.yaml")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "out/store.zarr") == files(place / "three/store.zarr")
    shown = hpcvbi("status", tmp_path / "out.yaml")
    assert "judged: anna, ben, carl" in shown.stdout and COHORT not in shown.stdout


def test_who_joins_later_is_not_simulated_to_learn_from(place: Path, three: Path) -> None:
    before = files(three / "store.zarr" / COHORT)
    study = grown(place, three)
    planned = campaign.plan(study, campaign.subjects_of(study, cohort_of(study)))
    assert {r.round: r.draws for r in planned.rounds}["round_000"] == 3 * DRAWS
    blocks = compute(study)
    assert {b.round for b in blocks if b.chain == "dora"} == {
        "grid", "grid_fresh", "predictive", "calibration",
    }  # fmt: skip
    assert {b.chain for b in blocks} == {"dora"}
    assert files(three / "store.zarr" / COHORT) == before
    store = Store.open(three)
    assert learners(store) == set(KNOWN)
    assert not any(lacking(study, store, EVERYBODY).values())
    assert campaign.verify(three).damage == ()
    build(three)
    (dora,) = [r for r in judged(three) if r.person == "dora"]
    info = store.get("dora", "inference_000")[1]
    assert info["people"] == 3 and info["distance"] > 0
    loud = [f.about for f in findings(dora) if f.loud]
    assert ("extrapolates to a person" in loud) == bool(info["place"])
    assert campaign.pool_people(three)["all"].people == tuple(EVERYBODY)
    with pytest.raises(ConfigError, match="has no parts"):
        campaign.part_of(study, "1/2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("algorithm: npe\n  rounds: 1", "algorithm: tsnpe"), "rounds: 1"),
        (("algorithm: npe", "algorithm: nle"), "nle learns how features are distributed"),
        (("cohort: true", "cohort: true\n  reuse: results/other"), "reuse"),
        (("cohort: true", "cohort: 1"), "true or false"),
    ],
)
def test_what_cannot_be_shared_is_refused_with_its_line(
    place: Path, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        study = written(place, tmp_path / "bad", ["anna"], change)
        check(study, cohort_of(study))
        campaign.subjects_of(study, cohort_of(study))
    assert "bad.yaml" in str(raised.value) and "inference" in str(raised.value)
