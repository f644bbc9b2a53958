"""A study run in parts, a store each, and merged: the store that one driver would have written."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Quiet, files, hpcvbi
from synthetic_people import write_study
from test_private_study import write_private_study

from hpcvbi import campaign
from hpcvbi.config import load
from hpcvbi.core.errors import ConfigError, HpcvbiError, KeyRefused, StoreError
from hpcvbi.report.cost import cost_of
from hpcvbi.store import Driver, Store, tombstones, withdraw


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory, people_folder: Path) -> Path:
    """Folder of a study whose two parts ran to their ends; nobody changes it."""
    folder = tmp_path_factory.mktemp("halves")
    study = write_study(folder / "study.yaml", people_folder, folder / "out")
    for part in ("1/2", "2/2"):
        done = hpcvbi("run", study, "--part", part)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copied(halves: Path, tmp_path: Path, people_folder: Path) -> Path:
    """The study file of a copy of it."""
    shutil.copytree(halves / "out/parts", tmp_path / "out/parts")
    return write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")


def part(study: Path, k: int) -> Path:
    return study.parent / f"out/parts/{k}-of-2"


def merge(study: Path, *stores: Path, some: bool = False) -> campaign.Merged:
    return campaign.merge(load(study), stores, some)


def run(study: Path) -> int:
    loaded = load(study)
    return campaign.conduct(loaded, campaign.people_of(loaded), Quiet()).blocks


def test_parts_that_are_merged_are_the_store_of_one_driver(copied: Path, finished: Path) -> None:
    shown = hpcvbi("status", copied)
    assert shown.returncode == 0, shown.stderr
    assert "1-of-2: 1 of 1 people judged, 12 of 12 prepared blocks done, no driver" in shown.stdout
    assert "hpcvbi merge" in shown.stdout
    early = hpcvbi("run", copied)
    assert early.returncode == 2 and "`hpcvbi merge STUDY` first" in early.stderr

    parts = files(copied.parent / "out/parts")
    merged = hpcvbi("merge", copied)
    assert merged.returncode == 0, merged.stderr
    assert "2 people copied" in merged.stdout and "hpcvbi run" in merged.stdout
    again = hpcvbi("run", copied)
    assert again.returncode == 0, again.stderr
    assert "0 blocks computed" in again.stdout
    out = copied.parent / "out"
    assert files(out / "store.zarr") == files(finished.parent / "out/store.zarr")
    assert files(out / "parts") == parts
    found = campaign.verify(out)
    assert found.holds
    assert not (found.strangers or found.unmarked or found.unmarked_files or found.refused)

    before = files(out)
    repeated = merge(copied)
    assert (repeated.copied.files, repeated.copied.people, repeated.lacking) == (0, (), ())
    assert files(out) == before


def test_the_cost_of_the_parts_is_the_cost_of_the_study(copied: Path) -> None:
    merge(copied)
    whole, *parts = (
        cost_of(Store.open(place))
        for place in (copied.parent / "out", part(copied, 1), part(copied, 2))
    )
    assert sorted(map(str, whole.shares)) == sorted(str(s) for p in parts for s in p.shares)
    assert [(r.begin, r.end) for r in whole.runs] == [
        (r.begin, r.end) for p in parts for r in p.runs
    ]
    assert all(run.finished for run in whole.runs)


def test_one_part_after_the_other(copied: Path, finished: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)ben is in no part.*--partial") as refused:
        merge(copied, part(copied, 1))
    assert "anna" not in str(refused.value)
    assert not (copied.parent / "out/MANIFEST.json").exists()
    first = merge(copied, part(copied, 1), some=True)
    assert first.copied.people == ("anna",) and first.lacking == ("ben is in no part",)
    second = merge(copied, part(copied, 2))
    assert second.copied.people == ("ben",) and second.lacking == ()
    assert run(copied) == 0
    assert files(copied.parent / "out/store.zarr") == files(finished.parent / "out/store.zarr")


def test_a_part_that_is_not_finished_may_be_merged_on_request(copied: Path) -> None:
    with Driver.open(part(copied, 2)) as store:
        store.void([("ben", "round_001", 1)], [("ben", "posterior"), ("ben", "evaluation")])
    with pytest.raises(ConfigError, match=r"ben is not finished in .*2-of-2"):
        merge(copied)
    assert merge(copied, some=True).lacking == (f"ben is not finished in {part(copied, 2)}",)
    assert run(copied) == 1


def refused(study: Path, *stores: Path) -> str:
    """What a merge is refused with; not a byte is changed by it."""
    before = files(study.parent)
    with pytest.raises(HpcvbiError) as error:
        merge(study, *stores)
    assert files(study.parent) == before
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("seed: 1", "seed: 2"), r"1-of-2 is no part of this study:\n  seed: 1 in the store, 2 in"),
        (("draws: 48", "draws: 64"), r"no part of this study:\n  inference\.draws: 48 .* 64 in"),
        (("tr: 0.72}", "tr: 0.72, people: [ben]}"), r"people\.anna: \S+ in the store, absent in"),
    ],
)
def test_parts_of_another_study_are_refused(
    copied: Path, change: tuple[str, str], says: str
) -> None:
    copied.write_text(copied.read_text().replace(*change))
    assert re.search(says, refused(copied))


def test_data_may_have_moved_and_not_changed(copied: Path, people_folder: Path) -> None:
    moved = copied.parent / "moved"
    shutil.copytree(people_folder, moved)
    copied.write_text(copied.read_text().replace(str(people_folder), str(moved)))
    assert merge(copied).copied.people == ("anna", "ben")
    shutil.rmtree(copied.parent / "out/store.zarr")
    (copied.parent / "out/MANIFEST.json").unlink()
    shutil.rmtree(copied.parent / "out/ledger")
    lengths = moved / "ben/lengths.csv"
    lengths.write_text(lengths.read_text().replace("0.0", "1.0", 1))
    assert re.search(r"people\.ben: \S+ in the store, \S+ in your study", refused(copied))


def test_parts_that_share_people_or_are_none_are_refused(copied: Path) -> None:
    one, out = part(copied, 1), copied.parent / "out"
    assert "is named twice" in refused(copied, one, one)
    assert "is the study's own output" in refused(copied, out)
    assert "holds no study" in refused(copied, copied.parent / "nowhere")
    shutil.copytree(one, out / "parts/1-of-1")
    assert re.search(r"anna is in .*1-of-1 and in .*1-of-2: name parts that", refused(copied))
    shutil.rmtree(out / "parts")
    assert "`hpcvbi run STUDY --part 1/N` makes one" in refused(copied)


def test_a_part_with_a_driver_is_refused(copied: Path) -> None:
    with Driver.open(part(copied, 2)):
        assert re.search(r"2-of-2 is being written by process \d+", refused(copied))


def test_a_damaged_part_is_named_and_merged_when_it_is_mended(copied: Path) -> None:
    shard = part(copied, 2) / "store.zarr/ben/round_000/bold/c.1.0.0"
    whole = shard.read_bytes()
    for bad in (whole[:-1], whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], None):
        shard.unlink()
        if bad is not None:
            shard.write_bytes(bad)
        with pytest.raises(StoreError, match=r"damaged: ben/round_000 block 1 is not .*--repair"):
            merge(copied)
        assert campaign.verify(copied.parent / "out").holds
        assert not Store.open(copied.parent / "out").is_marked("ben", "round_000")
        shard.write_bytes(whole)
    assert merge(copied).copied.people == ("ben",)
    assert run(copied) == 0


def test_what_was_computed_twice_and_differs_is_refused(copied: Path) -> None:
    merge(copied)
    two = part(copied, 2)
    with Driver.open(two) as store:
        arrays, _ = store.get("ben", "posterior")
        store.put("ben", "posterior", [], attrs={"draws": len(arrays)})
    assert f"has another ben/posterior than {two}" in refused(copied)


def test_who_has_withdrawn_from_a_part_does_not_come_back(copied: Path) -> None:
    one, out = part(copied, 1), copied.parent / "out"
    withdraw(one, "anna")
    assert merge(copied).copied.people == ("ben",)
    assert list(tombstones(out)) == ["anna"]
    assert run(copied) == 0
    named = [p for p, data in files(out).items() if b"anna" in data and not p.startswith("parts/")]
    assert sorted(named) == ["withdrawn/anna.json"]
    assert not (out / "store.zarr/anna").exists()
    # the one who is left keeps the place, and does not move to the other's part
    assert campaign.part_of(load(copied), "2/2").cohort.people == ("ben",)


def test_who_withdraws_later_has_to_withdraw_from_both(copied: Path) -> None:
    one, out = part(copied, 1), copied.parent / "out"
    merge(copied)
    shutil.copytree(one, one.with_name("kept"))
    withdraw(one, "anna")
    shutil.rmtree(one.with_name("kept"))
    assert f"run `hpcvbi withdraw {out} anna` first" in refused(copied)
    gone = hpcvbi("withdraw", out, "anna")
    assert gone.returncode == 0, gone.stderr
    assert "LOOK" not in gone.stdout
    assert merge(copied).copied.files == 0 and run(copied) == 0


def test_a_withdrawal_from_the_study_names_the_parts_that_hold_the_person(copied: Path) -> None:
    one, out = part(copied, 1), copied.parent / "out"
    merge(copied)
    gone = hpcvbi("withdraw", out, "anna")
    assert gone.returncode == 0, gone.stderr
    assert f"LOOK {one}: holds anna; run `hpcvbi withdraw {one} anna`" in gone.stdout
    assert gone.stdout.count("LOOK") == 1
    again = hpcvbi("merge", copied)
    assert again.returncode == 0, again.stderr
    assert f"LOOK {one}: holds anna, who has withdrawn" in again.stdout
    assert not (out / "store.zarr/anna").exists()
    assert b"anna" not in b"".join(data for data in files(out / "ledger").values())


def test_parts_of_an_encrypted_study_bring_their_keys(people_folder: Path, tmp_path: Path) -> None:
    study = write_private_study(tmp_path, people_folder)
    for k in (1, 2):
        loaded = campaign.part_of(load(study), f"{k}/2")
        campaign.conduct(loaded, campaign.people_of(loaded), Quiet())
    out, key = tmp_path / "out", tmp_path / "study.key"
    right = key.read_text()
    key.write_text("b8" * 32)
    before = files(out)
    with pytest.raises(KeyRefused, match=r"wrong one: it does not open .*1-of-2/keys/study\.key"):
        merge(study)
    key.write_text(right)
    assert files(out) == before
    assert merge(study).copied.people == ("P01", "P02")
    for person, k in (("P01", 1), ("P02", 2)):
        theirs = part(study, k) / f"keys/people/{person}.key"
        assert (out / f"keys/people/{person}.key").read_bytes() == theirs.read_bytes()
    assert run(study) == 0
    store, one = Store.open(out), Store.open(part(study, 1))
    ours, theirs = (side.get("P01", "posterior")[0] for side in (store, one))
    np.testing.assert_array_equal(ours["G"], theirs["G"])
    assert store.is_marked("P02", "evaluation") and campaign.verify(out).holds
    assert merge(study).copied.files == 0


@pytest.mark.parametrize(
    ("which", "says"),
    [
        ("3/2", "'3/2' is no part of a study: write K/N with K from 1 to N"),
        ("0/2", "no part of a study"),
        ("1", "no part of a study"),
        ("1/2/3", "no part of a study"),
        ("-1/2", "no part of a study"),
        ("2/3", "2/3 is no part of a study of 2 people: there are at most 2 parts"),
    ],
)
def test_a_part_that_does_not_exist_is_refused(
    people_folder: Path, tmp_path: Path, which: str, says: str
) -> None:
    study = write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")
    with pytest.raises(ConfigError, match=re.escape(says)):
        campaign.part_of(load(study), which)
    assert not (tmp_path / "out").exists()


def test_parts_share_out_everybody_by_name(people_folder: Path, tmp_path: Path) -> None:
    for name in ("dora", "carl", "emma"):
        shutil.copytree(people_folder / "anna", tmp_path / "people" / name)
    study = load(write_study(tmp_path / "study.yaml", tmp_path / "people", tmp_path / "out"))
    parts = [campaign.part_of(study, f"{k}/2") for k in (1, 2)]
    assert [p.cohort.people for p in parts] == [("carl", "emma"), ("dora",)]
    assert parts[1].output == str(tmp_path / "out/parts/2-of-2")
    assert all(p.canonical() | {"cohort": 0} == study.canonical() | {"cohort": 0} for p in parts)
