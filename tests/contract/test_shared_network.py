"""One network for a study's people, from its store, and people of whom nothing was simulated."""

from pathlib import Path

import numpy as np
import pytest
from in_process import Enough, Silent, Together
from synthetic_people import write_people, write_study

from hpcvbi.campaign import learn_together
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.shared import _covariates
from hpcvbi.campaign.stop import Stop
from hpcvbi.campaign.together import NAMES
from hpcvbi.config import Study, cohort_of, identity, load
from hpcvbi.core.errors import ConfigError, DataError, StoreError
from hpcvbi.infer import Npe, Tsnpe
from hpcvbi.store import Driver

DRAWS, VOLUMES = 24, 60
NPE = Npe(hidden=8, transforms=1, max_epochs=4, stop_after=2, min_survivors=20)
KNOWN = {"anna": 0.8, "ben": 0.7, "carl": 1.0}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder of three people whose first round is simulated, and of two others."""
    place = tmp_path_factory.mktemp("shared")
    write_people(place / "known", KNOWN, VOLUMES)
    write_people(place / "further", {"dora": 0.9, "emil": 0.6}, VOLUMES)
    scale = 1.5 * np.loadtxt(place / "further/emil/lengths.csv", delimiter=",") + 90.0
    np.savetxt(place / "further/emil/lengths.csv", scale, delimiter=",")
    study = written(place, "known")
    people = cohort_of(study)
    with (
        Driver.create(Path(study.output), *identity(study, people)) as store,
        pytest.raises(Enough),
    ):
        run(study, people, store, lambda: Together(Path(study.output), False), Silent(), Stop())
    return place


def written(place: Path, name: str, change=("", "")) -> Study:
    file = place / f"{name}.yaml"
    write_study(file, place / name, place / f"out_{name}", DRAWS)
    file.write_text(file.read_text().replace(*change))
    return load(file)


@pytest.fixture(scope="module")
def cohort(place):
    return learn_together(written(place, "known"), NPE)


def test_it_learns_from_everybody_in_the_store(cohort):
    assert cohort.people == tuple(KNOWN)
    assert cohort.state.people.covariates.shape == (3, len(NAMES))
    assert np.ptp(cohort.state.people.covariates, axis=0)[NAMES.index("clustering")] > 0
    assert sum(cohort.info.rows) == cohort.info.network.rows <= 3 * DRAWS
    assert min(cohort.info.rows) > DRAWS / 2


def test_people_of_another_study_are_inferred_without_a_simulation(place, cohort):
    further = written(place, "further")
    found = cohort.infer(further, draws=40)
    assert not Path(further.output).exists()
    assert list(found) == ["dora", "emil"]
    for one in found.values():
        assert one.theta.shape == (40, 2)
        cohort.space.to_unit(one.theta)  # inside the prior
    differ = dict(zip(NAMES, found["emil"].place.differ, strict=True))
    assert found["emil"].place.unlike and differ["length_50"] and not differ["log_tr"]
    assert not found["dora"].place.unlike  # of the same connectome as anna
    again = learn_together(written(place, "known"), NPE).infer(further, draws=40)
    for name, one in found.items():
        np.testing.assert_array_equal(one.theta, again[name].theta)


def test_people_it_learned_from_are_where_they_were(place, cohort):
    for one in cohort.infer(written(place, "known"), draws=5).values():
        assert one.place.distance == 0.0 and not one.place.unlike


def test_another_model_or_prior_is_refused(place, cohort):
    with pytest.raises(ConfigError, match=r"parameters.G.high: 1.3 there, 1.4 here"):
        cohort.infer(written(place, "further", ("high: 1.3", "high: 1.4")))


def test_simulations_of_another_study_are_not_learned_from(place):
    other = written(place, "known", ("fc_mean, fc_sd", "fc_sd, fc_mean"))
    with pytest.raises(ConfigError, match=r"features\.names"):
        learn_together(other, NPE)
    study, bold = written(place, "known"), place / "known/ben/bold.csv"
    recorded = bold.read_text()
    bold.write_text((place / "known/carl/bold.csv").read_text())
    with pytest.raises(DataError, match="the data of ben are not those"):
        learn_together(study, NPE)
    bold.write_text(recorded)


def test_what_it_cannot_learn_from_is_said(place):
    with pytest.raises(ConfigError, match="rounds: 1"):
        learn_together(written(place, "known"), Tsnpe())
    with pytest.raises(StoreError):
        learn_together(written(place, "further"), NPE)
    mapped = written(place, "known")
    model = mapped.model.model_copy(update={"maps": {"w": ("myelin",)}})
    with pytest.raises(ConfigError, match="regional maps"):
        _covariates(mapped.model_copy(update={"model": model}), None)
