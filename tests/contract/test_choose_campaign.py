"""A choice between two studies, driven in this process: whose model it finds, what it keeps when it
is torn, what it refuses, and what the commands make of its store.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import files, hpcvbi
from in_process import Enough, Silent, Together
from rival_studies import SETTINGS, TRUTHS, write_rivals
from typer import BadParameter

from hpcvbi.campaign import (
    Rivals,
    Verdict,
    conduct,
    people_of,
    plan_choice,
    plan_extension,
    repair,
    rivals_of,
    verdicts,
    verify,
)
from hpcvbi.campaign.choice import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.cli.show_choice import check_table
from hpcvbi.config import load
from hpcvbi.core.errors import ConfigError, HpcvbiError, StoreError, StoreMismatch
from hpcvbi.store import Driver, Store, progress, withdraw


class Torn(Together):
    """Computes one block at a time, and has had enough after some waits."""

    def __init__(self, folder: Path, waits: int) -> None:
        super().__init__(folder)
        self.left = waits

    def wait(self, timeout: float | None = None) -> list:
        self.left -= 1
        if not self.left:
            raise Enough
        later, self.submitted = self.submitted[1:], self.submitted[:1]
        found = super().wait(timeout)
        self.submitted = later
        return found


def chosen(rivals: Rivals, executor: Together | None = None) -> int:
    """Run a choice, and return how many blocks it computed."""
    with Driver.create(rivals.folder, *rivals.manifest()) as store:
        start = lambda: executor or Together(rivals.folder)  # noqa: E731
        outcome = run(rivals, store, start, Silent(), Stop())
        assert not outcome.failed
    return outcome.blocks


def read(paths: list[Path], folder: Path, **settings: object) -> Rivals:
    return rivals_of([load(path) for path in paths], folder, {**SETTINGS, **settings})


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_rivals(tmp_path_factory.mktemp("rivals"))


@pytest.fixture(scope="module")
def folder(paths: list[Path]) -> Path:
    chosen(read(paths, folder := paths[0].parent / "choice"))
    return folder


@pytest.fixture(scope="module")
def alone(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same studies of one person."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "people").symlink_to(paths[0].parent / "people")
    return write_rivals(folder, people="[e1]")


@pytest.fixture(scope="module")
def whole(alone: list[Path]) -> Path:
    chosen(read(alone, folder := alone[0].parent / "whole", rounds=3))
    return folder


def test_the_model_that_simulated_a_recording_is_the_probable_one(folder: Path) -> None:
    found = verdicts(folder)
    assert found.keys() == TRUTHS.keys()
    for person, truth in TRUTHS.items():
        verdict = found[person]
        assert verdict.models == ("gating", "linear_")
        index = verdict.models.index(truth)
        assert verdict.best == index and verdict.probability[index] > 0.8
        assert verdict.probability.sum() == pytest.approx(1.0)
        assert len(verdict.epsilon) >= 2 and (verdict.epsilon[1:] < verdict.epsilon[:-1]).all()
        assert np.diag(verdict.told_apart) == pytest.approx(1.0, abs=0.1)
        ratio = verdict.bayes_factor * verdict.bayes_factor.T
        assert ratio == pytest.approx(1.0)


def test_a_torn_choice_ends_with_the_same_bytes_in_any_order_of_its_studies(
    alone: list[Path], whole: Path
) -> None:
    folder, blocks = alone[0].parent / "torn", 0
    rivals = read(alone[::-1], folder, rounds=3)
    for waits in (2, 4, 6):
        with pytest.raises(Enough):
            chosen(rivals, Torn(rivals.folder, waits))
    done = sum(of.blocks_done for of in progress(folder).rounds)
    assert done >= 5
    blocks = chosen(rivals, Torn(rivals.folder, -1))
    assert blocks + done == sum(of.blocks for of in progress(folder).rounds)
    assert files(folder / "store.zarr") == files(whole / "store.zarr")


def test_more_rounds_go_on_where_fewer_ended(alone: list[Path], whole: Path) -> None:
    longer = read(alone, whole, rounds=4)
    before = files(whole / "store.zarr/e1/wave_002_gating")
    wanted = read(alone, alone[0].parent / "longer", rounds=4)
    blocks = chosen(longer)
    assert 0 < blocks < chosen(wanted)
    assert files(whole / "store.zarr/e1/wave_002_gating") == before
    assert files(whole / "store.zarr") == files(wanted.folder / "store.zarr")
    assert chosen(longer) == 0


def test_another_setting_is_another_choice(alone: list[Path], whole: Path) -> None:
    with pytest.raises(StoreMismatch, match=r"choice\.quantile"):
        chosen(read(alone, whole, quantile=0.3))


def test_whose_choice_cannot_be_made_is_set_aside(alone: list[Path]) -> None:
    folder = alone[0].parent / "strict"
    rivals = read(alone, folder, rounds=1, draws=32, epsilon="constant", epsilons="1e-9")
    with Driver.create(rivals.folder, *rivals.manifest()) as store:
        outcome = run(rivals, store, lambda: Together(rivals.folder), Silent(), Stop())
    assert "write a larger epsilon" in str(outcome.failed["e1"])
    assert verdicts(folder) == {}


def test_damage_loses_its_marks_and_is_computed_again(
    paths: list[Path], folder: Path, tmp_path: Path
) -> None:
    before = files(folder / "store.zarr")
    spoiled = [
        "e1/wave_000_linear_/features/c.0.0",
        "e1/wave_001_gating/theta/c.0.0",
        "l1/inference_001/particle_weight/c.0",
        "l2/choice/zarr.json",
    ]
    for name in spoiled:
        path = folder / "store.zarr" / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 255
        path.write_bytes(data)
    assert len(verify(folder).damage) == len(spoiled)
    with pytest.raises(StoreError, match="run the same `hpcvbi choose` again"):
        repair(folder, Silent())
    assert chosen(read(paths, folder)) == 1
    assert verify(folder).holds
    assert files(folder / "store.zarr") == before


def test_the_command_prints_and_writes_what_was_found(
    paths: list[Path], folder: Path, tmp_path: Path
) -> None:
    words = ["choose", *paths, "--output", folder, "--settings", json.dumps(SETTINGS)]
    done = hpcvbi(*words, "--table", tmp_path / "t.csv", env={"COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    assert f"0 blocks computed; report: {folder / 'report.html'}" in done.stdout
    assert "gating" in done.stdout and (folder / "report.html").is_file()
    assert "can mislead" in done.stdout and "Robert" in done.stdout
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [(row["person"], row["model"]) for row in rows[:2]] == [
        ("e1", "gating"),
        ("e1", "linear_"),
    ]
    with pytest.raises(BadParameter, match="table ends in"):
        check_table(tmp_path / "t.txt")


def test_a_plan_counts_what_a_choice_computes_at_most(paths: list[Path], folder: Path) -> None:
    planned = plan_choice(read(paths, folder))
    assert len(planned.rounds) == SETTINGS["rounds"]
    assert sum(r.draws for r in planned.rounds) == 3 * 4 * 64
    waves = [of for of in progress(folder).rounds if of.round.startswith("wave_000")]
    assert planned.rounds[0].blocks == sum(of.blocks for of in waves)


def test_a_choice_is_no_study(paths: list[Path], folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    text = paths[0].read_text()
    study.write_text(text.replace(f"output: {load(paths[0]).output}", f"output: {folder}"))
    loaded = load(study)
    people = people_of(loaded)
    with pytest.raises(StoreMismatch, match="Choose another `output:`"):
        conduct(loaded, people, Silent())
    with pytest.raises(StoreMismatch, match="a choice between studies"):
        plan_extension(loaded, people)
    Store.create(tmp_path / "out", {"study": {}, "people": {}}, "0" * 64)
    with pytest.raises(StoreError, match="not a choice"):
        verdicts(tmp_path / "out")


DIFFERENT = {
    "features": ("names: [fc_mean, fc_sd, fc_sc_r]", "names: [fc_mean, fc_sd]", r"features\.names"),
    "people": ("people: all", "people: [e1, l1]", "l2 is in gating only"),
    "name": ("name: linear-", "name: gating", "a name of its own"),
    "no name": ("name: linear-", "name: ''", "by their studies' names"),
    "data": ("tr: 0.72", "tr: 0.73", "the data of e1 differ"),
    "output": ("output: ", "output: choice #", "a store of its own"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_must_be_the_same_is_said(what: str, paths: list[Path], tmp_path: Path) -> None:
    old, new, words = DIFFERENT[what]
    text = paths[1].read_text()
    assert old in text
    (tmp_path / "other.yaml").write_text(text.replace(old, new))
    target = "choice" if what == "output" else tmp_path / "choice"
    with pytest.raises(HpcvbiError, match=words):
        rivals_of([load(paths[0]), load(tmp_path / "other.yaml")], target)
    assert not (tmp_path / "choice").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"round": 3}, "did you mean 'rounds'"),
        ({"draws": "many"}, "draws must be such as 1000"),
        ({"prior": {"nobody": 1}}, "known: gating, linear_"),
        ({"prior": {"gating": 0}}, "a number above 0"),
        ({"quantile": 2.0}, "quantile must lie between"),
    ],
)
def test_settings_are_checked(paths: list[Path], settings: dict, words: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=words):
        rivals_of([load(path) for path in paths], tmp_path, settings)
    with pytest.raises(ConfigError, match="two studies at least"):
        rivals_of([load(paths[0])], tmp_path)


def test_whoever_withdraws_is_gone_and_the_others_stay(paths: list[Path], folder: Path) -> None:
    """The last test of this folder."""
    before = verdicts(folder)
    withdraw(folder, "l1")
    assert not (folder / "store.zarr/l1").exists()
    assert chosen(read(paths, folder)) == 0
    after = verdicts(folder)
    assert after.keys() == {"e1", "l2"}
    assert _same(before["e1"], after["e1"])


def test_whoever_withdrew_from_a_study_has_to_be_taken_out_of_the_choice(
    paths: list[Path], folder: Path
) -> None:
    study = Path(load(paths[0]).output)
    Store.create(study, {"study": {}, "people": {"l2": "0"}}, "0" * 64)
    withdraw(study, "l2")
    with pytest.raises(ConfigError, match=r"hpcvbi withdraw .*choice l2"):
        read(paths, folder)


def _same(a: Verdict, b: Verdict) -> bool:
    return a.rows() == b.rows()
