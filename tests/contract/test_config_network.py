"""The sections that declare a brain: couplings, noise, stimuli, maps and priors as they are written
in a file, and as they arrive in the brain.
"""

from pathlib import Path

import numpy as np
import pytest
from synthetic_people import write_people

from hpcvbi import MODELS, Brain, OrnsteinUhlenbeck, Uniform
from hpcvbi.config import Study, brain_of, cohort_of, identity, load
from hpcvbi.core.errors import ConfigError, DataError

STUDY = """\
name: all
output: results/all
cohort: {kind: tables, folder: FOLDER, tr: 0.72}
model: {name: jansen_rit, maps: {a: [myelin, gradient]}, values: {a_myelin: 0.001}}
coupling: {kind: sigmoidal, of: [y1], speed: 5.0, rounding: round, step: 2}
noise: {kind: ornstein_uhlenbeck, on: [y4, y5], separate: true}
values: {cmin: 0.001, tau_noise: 20.0, speed: 6.0}
stimuli:
  - name: kick
    on: mu
    regions: {L0: 0.5, R1: -1}
    waveform: {kind: file, file: kick.csv}
  - {name: hum, on: y4, waveform: {kind: sine, frequency: 10}}
parameters:
  G: {}
  a_gradient: {prior: uniform, low: -0.001, high: 0.001}
  kick: {prior: uniform, low: 0, high: 2}
  sigma_y4: {}
simulation: {dt: 1.0, burn_in: 100, scheme: heun, refine: 2}
bold: {of: psp}
features: {names: [fc_mean]}
yardsticks: {grid: {over: G}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("network")
    write_people(root / "people", {"anna": 1.0, "ben": 1.0}, volumes=40)
    labels = [f"{side}{k}" for k in range(6) for side in "LR"]
    cohort = [f"{label},{k / 100},{-k}" for k, label in enumerate(labels)]
    (root / "people/maps.csv").write_text("\n".join(["region,myelin,gradient", *cohort[::-1]]))
    (root / "people/ben/maps.csv").write_text("\n".join(["myelin", *["0.5"] * 12]))
    (root / "kick.csv").write_text("time_ms,value\n0,0\n10,1\n20,0\n")
    (root / "s.yaml").write_text(STUDY.replace("FOLDER", str(root / "people")))
    return root


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return load(folder / "s.yaml")


@pytest.fixture(scope="module")
def brain(study: Study) -> Brain:
    return brain_of(study, cohort_of(study)[0])


def test_coupling_noise_and_scheme_arrive_in_the_brain(brain: Brain) -> None:
    assert (brain.coupling.name, brain.sends, brain.hold) == ("sigmoidal", ("y1",), 2)
    assert (brain.speed, brain.values["speed"], brain.rounding) == (5.0, 6.0, "round")
    assert brain.noise == OrnsteinUhlenbeck(("y4", "y5"), separate=True)
    assert (brain.scheme, brain.refine) == ("heun", 2)
    assert brain.values["cmin"] == 0.001 and brain.values["tau_noise"] == 20.0


def test_an_empty_prior_is_that_of_the_declaration(brain: Brain) -> None:
    assert brain.space.names == ("G", "sigma_y4", "kick", "a_gradient")
    priors = {p.name: p.prior for p in brain.space.params}
    assert priors["G"] == {p.name: p.prior for p in brain.coupling.params}["G"]
    assert priors["sigma_y4"] == OrnsteinUhlenbeck.sigma.prior
    assert priors["kick"] == Uniform(0.0, 2.0)


def test_maps_are_the_cohorts_unless_a_person_has_their_own(study: Study) -> None:
    anna, ben = (brain_of(study, person).maps["a"] for person in cohort_of(study))
    np.testing.assert_array_equal(anna["myelin"], np.arange(12) / 100)
    np.testing.assert_array_equal(anna["gradient"], -np.arange(12))
    np.testing.assert_array_equal(ben["myelin"], np.full(12, 0.5))
    np.testing.assert_array_equal(ben["gradient"], -np.arange(12))


def test_a_map_changes_the_parameter_of_each_region(brain: Brain) -> None:
    table = brain.parameters(np.array([[1.0, 0.001, 1.0, 0.0005]]))
    k = np.arange(12)
    default = {p.name: p.default for p in MODELS["jansen_rit"].params}["a"]
    np.testing.assert_allclose(table["a"][0], default + 0.001 * k / 100 - 0.0005 * k)


def test_a_stimulus_reaches_the_regions_that_it_names(brain: Brain) -> None:
    kick, hum = brain.stimuli
    np.testing.assert_array_equal(kick.regions[:4], [0.5, 0.0, 0.0, -1.0])
    np.testing.assert_array_equal(hum.regions, np.ones(12))
    time = np.array([-5.0, 0.0, 5.0, 10.0, 25.0])
    np.testing.assert_allclose(kick.waveform.sample(time), [0.0, 0.0, 0.5, 1.0, 0.0])


def test_speed_can_be_inferred(study: Study, folder: Path) -> None:
    changed = study.canonical() | {"values": {}, "parameters": {"speed": {}}}
    changed["yardsticks"] = {"grid": {"over": "speed"}}
    found = brain_of(Study.from_dict(changed), cohort_of(study)[0])
    assert found.space.names == ("speed",)
    assert len(np.unique(found.delays(np.array([[5.0], [10.0]]))[:, 0, 1])) <= 2


def test_files_that_are_named_belong_to_the_study(study: Study, folder: Path) -> None:
    people = cohort_of(study)
    assert Study.from_dict(study.canonical()).texts == study.texts
    path = folder / "kick.csv"
    kept = path.read_text()
    try:
        path.write_text(kept.replace("10,1", "10,2"))
        changed = load(folder / "s.yaml")
    finally:
        path.write_text(kept)
    assert identity(changed, people)[1] != identity(study, people)[1]


def test_maps_belong_to_the_data(study: Study, folder: Path) -> None:
    before = cohort_of(study)
    path = folder / "people/ben/maps.csv"
    kept = path.read_text()
    try:
        path.write_text(kept.replace("0.5", "0.25", 1))
        after = cohort_of(study)
    finally:
        path.write_text(kept)
    assert before[0].sha256 == after[0].sha256
    assert before[1].sha256 != after[1].sha256


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "maps.csv is empty"),
        ("region\n", "line 1: there is no map beside the column region"),
        ("region,my map\n", "line 1: 'my map' cannot name a map"),
        ("m,m\n", "line 1: 'm' cannot name a map"),
        ("m\n1\n", "has 1 rows below its header, 12 regions"),
        ("m\n" + "1\n" * 11 + "x\n", "line 13: 'x' is not all numbers"),
        ("m\n" + "1\n" * 11 + "nan\n", "line 13: all numbers must be finite"),
        ("m\n" + "1\n" * 11 + "1,2\n", "line 13: 2 cells, 1 in line 1"),
        ("region,m\n" + "L0,1\n" * 12, "line 3: region 'L0' is there twice"),
        ("region,m\n" + "L9,1\n" * 12, "line 2: there is no region 'L9'"),
    ],
)
def test_a_table_of_maps_with_a_mistake_is_refused(
    study: Study, folder: Path, text: str, said: str
) -> None:
    path = folder / "people/ben/maps.csv"
    kept = path.read_text()
    try:
        path.write_text(text)
        with pytest.raises(DataError, match=said):
            cohort_of(study)
    finally:
        path.write_text(kept)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,1\n", r"kick\.csv:1: the header must be time_ms,value, got '0,1'"),
        ("time_ms,value\n0\n", r"kick\.csv:2: two numbers are needed, got '0'"),
        ("time_ms,value\n0,1\n", r"kick\.csv: waypoints: times and values must be"),
        ("time_ms,value\n1,1\n0,1\n", r"kick\.csv: waypoints: times must increase"),
    ],
)
def test_a_waveform_with_a_mistake_is_refused(
    study: Study, folder: Path, text: str, said: str
) -> None:
    changed = Study.from_dict(study.canonical() | {"texts": {"kick.csv": text.split("\n")}})
    with pytest.raises((ConfigError, DataError), match=said):
        brain_of(changed, cohort_of(study)[0])
