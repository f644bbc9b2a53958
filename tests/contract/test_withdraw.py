"""Withdrawal: nothing of the person is left, the others keep all of theirs, and nobody forgets."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import test_store as small
from finished_study import Cohort, Fate, write
from test_store import SHA, STUDY

from hpcvbi.core.block import Block
from hpcvbi.core.errors import KeyRefused, StoreBusy, StoreError, StoreMismatch
from hpcvbi.report import build, judged
from hpcvbi.store import Driver, KeySource, Store, begin, keys, progress, tombstones, withdraw

PEOPLE = ("anna", "ben")
MANIFEST = {
    "study": {**STUDY, "cohort": {"kind": "tables", "people": ["anna", "ben"]}},
    "people": {"anna": "0" * 64, "ben": "1" * 64},
}


@pytest.fixture(params=["plain", "sealed"])
def folder(request, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    if request.param == "sealed":
        key = tmp_path / "study.key"
        key.write_text("3c" * 32)
        key.chmod(0o600)
        begin(folder, KeySource(file=str(key)))
    with Driver.create(folder, MANIFEST, SHA) as store:
        store.append("run started", terms=[])
        for person in PEOPLE:
            small.fill(store, person)
            small.put_posterior(store, person, shift=PEOPLE.index(person))
            store.append("learned", chain=person, label="inference_000", seconds=1.0)
            store.put(person, "evaluation", [small.Variable("others_r", (), 0.5)])
        store.append("run finished", failed=["anna", "ben"], note="anna, then ben")
        store.finish()
    (folder / "run.log").write_text("x  anna  round_000  10 draws\nx  ben  round_000  10 draws\n")
    (folder / "report.html").write_text("anna and ben")
    return folder


def mentions(folder: Path, person: str) -> list[str]:
    """Files that hold the person's name, or are named by it."""
    word = re.compile(rf"\b{person}\b".encode())
    found = [p for p in folder.rglob("*") if p.is_file()]
    return sorted(
        str(p.relative_to(folder))
        for p in found
        if word.search(p.read_bytes()) or word.search(str(p.relative_to(folder)).encode())
    )


def of(folder: Path, person: str) -> dict[str, bytes]:
    root = folder / "store.zarr" / person
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_nothing_of_the_person_is_left_but_the_tombstone(folder: Path) -> None:
    bens = of(folder, "ben")
    done = withdraw(folder, "anna")
    assert mentions(folder, "anna") == ["withdrawn/anna.json"]
    assert of(folder, "ben") == bens and len(bens) > 20
    assert done.stone.finished is not None and done.elsewhere == ()
    assert done.stone.files > 20 and done.stone.bytes > 2000
    body = json.loads((folder / "withdrawn/anna.json").read_text())
    assert body["person"] == "anna" and re.fullmatch("[0-9a-f]{64}", body["sha256"])
    assert (folder / "withdrawn/anna.json").stat().st_mode & 0o777 == 0o600
    assert (folder / "run.log").read_text() == "x  ben  round_000  10 draws\n"
    assert not (folder / "report.html").exists()
    assert "anna" not in json.loads((folder / "MANIFEST.json").read_text())["study"]["people"]


def test_the_others_stay_whole_and_marked(folder: Path) -> None:
    withdraw(folder, "anna")
    store = Store.open(folder)
    assert len(store.done_blocks("full")) == 3 and store.ignored == 0
    assert store.done_puts("full") == {("ben", "posterior"), ("ben", "evaluation")}
    np.testing.assert_array_equal(store.read("ben", "round_000")["theta"], small.theta_of("ben"))
    (event,) = store.events("learned")
    assert event["chain"] == "ben"
    (event,) = store.events("run finished")
    assert event["failed"] == ["ben"] and event["note"] == "(withdrawn), then ben"


def test_nothing_more_is_done_for_the_person(folder: Path) -> None:
    withdraw(folder, "anna")
    block = Block("anna", "round_000", 0, 0, small.SIZE)
    with Driver.create(folder, MANIFEST, SHA) as store:
        for work in (
            lambda: small.fill(store, "anna"),
            lambda: small.put_posterior(store, "anna"),
            lambda: store.theta("anna", "round_000"),
            lambda: store.write_block(block, small.values_of(block)),
            lambda: store.read("anna", "round_000"),
        ):
            with pytest.raises(StoreError, match=r"anna has withdrawn|has not been prepared"):
                work()
    assert mentions(folder, "anna") == ["withdrawn/anna.json"]


def test_a_worker_that_wrote_meanwhile_leaves_nothing(folder: Path, monkeypatch) -> None:
    """The driver died, its worker still simulates, and writes while the person withdraws."""
    from hpcvbi.store import arrays

    write_shard, group = arrays.write_shard, folder / "store.zarr/anna/round_000"

    def slow(*words):
        found = write_shard(*words)
        if (folder / "withdrawn").exists():
            return found
        kept = shutil.copytree(group, folder.parent / "kept")
        withdraw(folder, "anna")
        shutil.copytree(kept, group)
        return found

    monkeypatch.setattr(arrays, "write_shard", slow)
    block = Block("anna", "round_000", 0, 0, small.SIZE)
    with pytest.raises(StoreError, match="anna has withdrawn"):
        Store.open(folder).write_block(block, small.values_of(block))
    assert mentions(folder, "anna") == ["withdrawn/anna.json"]


def test_results_built_on_the_person_are_stale_until_made_anew(folder: Path) -> None:
    done = withdraw(folder, "anna")
    assert done.stale == ("ben",)
    seen = progress(folder)
    assert seen.stale == (("ben", "evaluation"),)
    assert [stone.person for stone in seen.withdrawn] == ["anna"]
    with Driver.create(folder, MANIFEST, SHA) as store:
        assert store.is_stale("ben", "evaluation") and store.has("ben", "evaluation")
        store.put("ben", "evaluation", [small.Variable("others_r", (), 0.5)])
        assert not store.is_stale("ben", "evaluation")
    assert progress(folder).stale == ()
    assert withdraw(folder, "anna").stale == ()


def test_withdrawing_twice_verifies_and_cleans_what_came_back(folder: Path) -> None:
    backup = shutil.copytree(folder / "store.zarr/anna", folder.parent / "backup")
    first = withdraw(folder, "anna")
    assert withdraw(folder, "anna") == first
    shutil.copytree(backup, folder / "store.zarr/anna")
    assert withdraw(folder, "anna").stone == first.stone
    assert mentions(folder, "anna") == ["withdrawn/anna.json"]


def test_a_copy_of_an_encrypted_store_is_unreadable_once_the_key_is_gone(folder: Path) -> None:
    sealed = keys.is_sealed(folder)
    root = shutil.copytree(folder / "store.zarr", folder.parent / "copy/store.zarr")
    withdraw(folder, "anna")
    shutil.copytree(folder / "keys", root.parent / "keys") if sealed else None
    from hpcvbi.store.arrays import read_rows

    for person, group in (
        ("anna", "posterior/G"),
        ("ben", "posterior/G"),
        ("anna", "round_000/theta"),
    ):
        if sealed and person == "anna":
            with pytest.raises(KeyRefused, match=r"wrapped key .* is gone"):
                read_rows(root / person / group)
        else:
            assert np.isfinite(read_rows(root / person / group)).all()


def test_the_same_study_runs_on_with_and_without_the_person_in_it(folder: Path) -> None:
    withdraw(folder, "anna")
    fewer = {
        "study": {**STUDY, "cohort": {"kind": "tables", "people": ["ben"]}},
        "people": {"ben": "1" * 64},
    }
    for manifest in (MANIFEST, fewer, {**MANIFEST, "people": fewer["people"]}):
        assert Store.create(folder, manifest, "b" * 64).sha256 == SHA
    with pytest.raises(StoreMismatch, match=r"people.ben: .* in the store"):
        Store.create(folder, {**fewer, "people": {"ben": "2" * 64}}, "b" * 64)
    with pytest.raises(StoreMismatch, match=r"people.carl: absent in the store"):
        Store.create(folder, {**fewer, "people": {"ben": "1" * 64, "carl": "3" * 64}}, "b" * 64)


def test_an_unfinished_withdrawal_is_said_and_no_driver_opens_the_store(folder: Path) -> None:
    withdraw(folder, "anna")
    path = folder / "withdrawn/anna.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"finished": None}))
    with (
        pytest.raises(StoreError, match=r"withdrawal of anna .* is not finished: run `hpcvbi with"),
        Driver.create(folder, MANIFEST, SHA),
    ):
        pass
    assert not (folder / "driver.lock").exists()
    assert progress(folder).withdrawn[0].finished is None
    withdraw(folder, "anna")
    with Driver.create(folder, MANIFEST, SHA):
        pass


def test_what_cannot_be_removed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from hpcvbi.store import withdraw as module  # noqa: F401

    kept = sys.modules["hpcvbi.store.withdraw"].shutil
    monkeypatch.setattr(kept, "rmtree", lambda path: None)
    with pytest.raises(StoreError, match=r"of anna there remain .*store.zarr/anna"):
        withdraw(folder, "anna")
    assert tombstones(folder)["anna"].finished is None


def test_files_that_are_not_the_stores_are_pointed_at(folder: Path) -> None:
    (folder / "notes.txt").write_text("anna was tired")
    (folder / "export").mkdir()
    (folder / "export/anna_posterior.nc").write_bytes(b"CDF")
    (folder / "export/all.csv").write_text("susanna,1\n")
    found = withdraw(folder, "anna").elsewhere
    assert [p.name for p in found] == ["notes.txt"]


def test_somebody_unknown_and_a_live_driver(folder: Path) -> None:
    with pytest.raises(StoreError, match="has no person 'carl'; it has anna, ben"):
        withdraw(folder, "carl")
    with pytest.raises(StoreError, match="holds no study"):
        withdraw(folder.parent, "anna")
    with pytest.raises(Exception, match="cannot be a person's id"):
        withdraw(folder, "../ben")
    with Driver.create(folder, MANIFEST, SHA), pytest.raises(StoreBusy, match="is being written"):
        withdraw(folder, "anna")
    assert mentions(folder, "anna") and not (folder / "withdrawn").exists()


def test_a_person_may_be_called_like_a_word_of_the_ledger(tmp_path: Path) -> None:
    with Driver.create(tmp_path, {"people": {"block": "0", "kind": "1"}}, SHA) as store:
        for person in ("block", "kind"):
            small.fill(store, person)
    withdraw(tmp_path, "block")
    store = Store.open(tmp_path)
    assert {key[0] for key in store.done_blocks("full")} == {"kind"}
    assert len(store.done_blocks("full")) == 3 and store.ignored == 0


def test_the_report_says_who_withdrew_and_what_is_stale(tmp_path: Path) -> None:
    write(tmp_path, Cohort({"101": Fate(), "102": Fate()}))
    assert not any(result.stale for result in judged(tmp_path))
    withdraw(tmp_path, "101")
    page = build(tmp_path).read_text()
    assert "Withdrawn, with all their data: 101 (" in page
    assert "somebody has withdrawn" in page and "WARNING · STALE" in page
    assert [(r.person, r.stale) for r in judged(tmp_path)] == [("102", True)]


def test_a_store_that_was_extended_forgets_the_person_in_all_its_manifests(folder: Path) -> None:
    larger = {**MANIFEST, "people": {**MANIFEST["people"], "carl": "2" * 64}}
    with Driver.create(folder, MANIFEST, SHA) as store:
        store.extend(larger, "b" * 64, ("evaluation",))
    with Driver.create(folder, larger, "b" * 64) as store:
        small.put_posterior(store, "carl")
    for person in ("anna", "carl"):
        withdraw(folder, person)
        assert mentions(folder, person) == [f"withdrawn/{person}.json"]
    assert Store.create(folder, larger, "b" * 64).sha256 == "b" * 64
    with Driver.create(folder, larger, "b" * 64) as store:
        assert store.done_puts("full") == {("ben", "posterior")}
        assert len(store.done_blocks("full")) == 3 and store.ignored == 0


def test_where_there_is_no_store_nothing_is_written(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match="holds no study"):
            withdraw(place, "anna")
    assert list(tmp_path.iterdir()) == []
