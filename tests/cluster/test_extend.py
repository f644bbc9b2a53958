"""A study grows in two steps, and ends with the bytes of a fresh run of the larger one."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import Quiet, files, hpcvbi

from hpcvbi import campaign
from hpcvbi.campaign.extension import extension_of
from hpcvbi.campaign.identity import manifest_of
from hpcvbi.config import cohort_of, load
from hpcvbi.core.errors import ConfigError, StoreMismatch
from hpcvbi.store import Driver, Store, withdraw

STUDY = """\
name: growing
output: {output}
cohort: {{kind: tables, folder: {folder}, tr: 0.72, people: {people}}}
model: {{name: wong_wang_ei}}
noise: {{on: [S_E]}}
parameters:
  G: {{prior: uniform, low: 0.4, high: 1.3}}
  sigma: {{prior: log_uniform, low: 5e-5, high: 4e-4}}
simulation: {{dt: 2.0, burn_in: 10080}}
bold: {{of: S_E, step: 20.0}}
features: {{names: [fc_mean, fc_sd, fc_sc_r]}}
inference:
  rounds: {rounds}
  draws: {draws}
  settings: {{hidden: 16, transforms: 2, min_survivors: 20, max_epochs: 5}}
yardsticks:
  predictive: {predictive}
  calibration: {calibration}
  grid: {{over: G, points: 3, draws: 2, fresh: {fresh}}}
block: 16
cluster: {{kind: local, workers: 1}}
"""
SMALL = {
    "people": ["anna"],
    "rounds": 1,
    "draws": 24,
    "predictive": 24,
    "fresh": 4,
    "calibration": 0,
}
DEEPER = {**SMALL, "rounds": 2, "draws": 40, "calibration": 20}
LARGER = {**DEEPER, "people": ["ben", "anna"], "predictive": 36, "fresh": 6, "calibration": 32}


def write(path: Path, people_folder: Path, sizes: dict, output: Path | None = None) -> Path:
    people = json.dumps(sizes["people"])
    output = output or path.parent / "out"
    path.write_text(
        STUDY.format(**{**sizes, "people": people}, folder=people_folder, output=output)
    )
    return path


def test_a_design_that_does_not_begin_with_the_smaller_one_is_simulated_again(
    people_folder: Path, tmp_path: Path
) -> None:
    for design, stays in (("sobol", True), ("factorial", False)):
        plans = []
        for draws in (16, 36):
            path = write(tmp_path / f"{design}.yaml", people_folder, {**SMALL, "draws": draws})
            lines = path.read_text().splitlines()
            (at,) = (k for k, line in enumerate(lines) if line.startswith("  settings:"))
            lines[at] = f"  algorithm: grid\n  settings: {{design: {design}}}"
            path.write_text("\n".join(lines) + "\n")
            study = load(path)
            people = cohort_of(study)
            plans.append(manifest_of(study, people))
        with Driver.create(tmp_path / design, *plans[0]):
            pass
        extension = extension_of(Store.open(tmp_path / design), plans[1][0])
        assert ("round_000" in extension.grown) == stays
        assert ("round_000" in extension.superseded) == (not stays)
        assert extension.draws["round_000"] == 36


def conduct(path: Path) -> int:
    study = load(path)
    return campaign.conduct(study, cohort_of(study), Quiet()).blocks


def plan(path: Path) -> campaign.Extension:
    study = load(path)
    return campaign.plan_extension(study, cohort_of(study))


@pytest.fixture(scope="module")
def small(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the study file `study.yaml` of a small study, and its store `out`."""
    folder = tmp_path_factory.mktemp("small")
    assert conduct(write(folder / "study.yaml", people_folder, SMALL)) == 2 + 2 + 1 + 1
    return folder


def test_two_extensions_end_like_a_fresh_run_of_the_larger_study(
    small: Path, people_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    study, first = tmp_path / "study.yaml", (tmp_path / "out/MANIFEST.json").read_bytes()

    write(study, people_folder, DEEPER)
    says = r"(?s)inference\.draws: 24 in .* 40 in .*hpcvbi extend"
    with pytest.raises(StoreMismatch, match=says):
        conduct(study)
    planned = plan(study)
    assert (planned.grown, planned.stay) == ({"round_000": 40}, {"round_000": 16})
    assert planned.kept == ("grid", "grid_fresh")
    assert set(planned.superseded) == {
        "inference_000", "posterior", "predictive", "posterior_predictive", "evaluation",
    }  # fmt: skip
    assert planned.draws["round_000"] == 24 and planned.draws["round_001"] == 40
    assert planned.draws["calibration"] == 20
    assert planned.draws["grid"] == 0
    loaded = load(study)
    campaign.extend(loaded, cohort_of(loaded))
    assert (
        conduct(study) == 2 + 3 + 2 + 2
    )  # round_000 keeps its full block, the grid all of its own

    write(study, people_folder, LARGER)
    planned = plan(study)
    assert planned.people == ("ben",)
    assert planned.grown == {"predictive": 36, "grid_fresh": 6}
    assert planned.stay == {"predictive": 16, "grid_fresh": 0}
    assert planned.draws == {
        "round_000": 40, "round_001": 40, "predictive": 36 + 20, "grid": 6, "grid_fresh": 6 + 6,
        "calibration": 32 + 32,
    }  # fmt: skip
    assert set(planned.superseded) == {"posterior_predictive", "calibration", "evaluation"}
    loaded = load(study)
    campaign.extend(loaded, cohort_of(loaded))
    assert conduct(study) == (2 + 1 + 2) + (3 + 3 + 3 + 1 + 1 + 2)
    assert conduct(study) == 0

    fresh = tmp_path / "fresh"
    conduct(write(tmp_path / "fresh.yaml", people_folder, LARGER, fresh))
    ours, theirs = files(tmp_path / "out/store.zarr"), files(fresh / "store.zarr")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []

    assert (tmp_path / "out/MANIFEST.json").read_bytes() == first
    chain = Store.open(tmp_path / "out").manifests
    assert [m.before for m in chain] == [None, chain[0].sha256, chain[1].sha256]
    assert "inference.rounds: 1 in the store, 2 in your study" in chain[1].changes
    assert Store.open(fresh).sha256 == chain[2].sha256
    found = campaign.verify(tmp_path / "out")
    assert found.holds and not (found.strangers or found.unmarked_files or found.unmarked)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"people": ["ben"]}, "person anna is missing in your study"),
        ({"draws": 20}, r"inference\.draws: 24 in the store, 20 in your study \(it may only"),
        ({"rounds": 2, "seed": 7}, r"seed: 1 in the store, 7 in your study"),
        ({"rounds": 2, "block": 8}, r"block: 16 in the store, 8 in your study"),
    ],
)
def test_what_is_no_pure_addition_is_refused(
    small: Path, people_folder: Path, tmp_path: Path, change: dict, says: str
) -> None:
    before = files(small / "out")
    study = write(tmp_path / "study.yaml", people_folder, {**SMALL, **change}, small / "out")
    text = study.read_text().replace("block: 16", f"block: {change.get('block', 16)}")
    study.write_text(text + f"seed: {change.get('seed', 1)}\n")
    with pytest.raises(StoreMismatch, match=says):
        plan(study)
    with pytest.raises(StoreMismatch) as refused:
        conduct(study)
    assert "hpcvbi extend" not in str(refused.value)
    assert files(small / "out") == before


def test_the_same_study_has_nothing_to_extend(small: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to extend"):
        plan(small / "study.yaml")


def test_the_command_says_first_and_does_it_when_told(
    small: Path, people_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    study = write(tmp_path / "study.yaml", people_folder, {**SMALL, "fresh": 20})
    before = files(tmp_path / "out")
    said = hpcvbi("extend", study)
    assert said.returncode == 0, said.stderr
    assert (
        "nothing was written" in said.stdout and "0 draws stay, 20 each in the end" in said.stdout
    )
    assert files(tmp_path / "out") == before
    done = hpcvbi("extend", study, "--yes")
    assert done.returncode == 0, done.stderr
    assert "2 blocks computed" in done.stdout


def test_data_may_move_when_they_stay_the_same(
    small: Path, people_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    shutil.copytree(people_folder, tmp_path / "moved")
    study = write(tmp_path / "study.yaml", tmp_path / "moved", SMALL)
    with pytest.raises(StoreMismatch, match=r"(?s)cohort\.folder: .*hpcvbi extend"):
        conduct(study)
    assert plan(study).superseded == ()
    loaded = load(study)
    campaign.extend(loaded, cohort_of(loaded))
    assert Store.open(tmp_path / "out").study["study"]["cohort"]["folder"] == str(
        tmp_path / "moved"
    )
    assert conduct(study) == 0


def test_somebody_may_come_when_all_have_withdrawn(people_folder: Path, tmp_path: Path) -> None:
    study = load(write(tmp_path / "study.yaml", people_folder, SMALL))
    manifest, sha256 = manifest_of(study, cohort_of(study))
    with Driver.create(tmp_path / "out", manifest, sha256):
        pass
    withdraw(tmp_path / "out", "anna")
    found = plan(write(tmp_path / "study.yaml", people_folder, {**SMALL, "people": ["ben"]}))
    assert found.people == ("ben",) and found.changes == ("person ben comes in",)
