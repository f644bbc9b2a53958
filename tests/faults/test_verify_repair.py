"""A finished study is damaged in every way: each is named, none is read, the repair is exact."""

import contextlib
import itertools
import json
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Quiet, files, hpcvbi

from hpcvbi import campaign
from hpcvbi.core.block import BlockReport, blocks_of
from hpcvbi.core.errors import DataError, StoreBusy, StoreError, StoreMismatch
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Store, Survey, Variable, survey

ROUND = "store.zarr/anna/round_000"


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished.parent / "out", tmp_path / "out")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def swap(path: Path) -> None:
    other = path.with_name(path.name.replace("c.1", "c.2"))
    mine = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(mine)


def rewrite(path: Path) -> None:
    """A whole shard of other content, as a program writes that means well."""
    import zarr

    array = zarr.open_array(str(path.parent), mode="r+")
    rows = slice(array.shards[0], 2 * array.shards[0])
    array[rows] = array[rows] + 1


def edit(path: Path) -> None:
    body = json.loads(path.read_text())
    body["attributes"]["units"] = "furlong"
    path.write_text(json.dumps(body))


DAMAGES: list[tuple[str, Callable[[Path], None], str, int | None]] = [
    ("features/c.1.0", flip, "flipped bits", 1),
    ("features/c.1.0", truncate, "truncated", 1),
    ("features/c.1.0", lengthen, "longer", 1),
    ("features/c.1.0", Path.unlink, "missing", 1),
    ("features/c.1.0", rewrite, "other content", 1),
    ("features/c.1.0", swap, "swapped", 1),
    ("bold/c.1.0.0", flip, "flipped bits", 1),
    ("features/zarr.json", edit, "other content", None),
    ("features/zarr.json", truncate, "truncated", None),
    ("theta/c.0.0", flip, "flipped bits", None),
    ("feature/c.0", Path.unlink, "missing", None),
]


def named(found: Survey) -> set[tuple]:
    return {(d.chain, d.group, d.block, d.array, d.kind) for d in found.damage}


def test_an_undamaged_store_holds_and_is_read_in_full(folder: Path) -> None:
    found = campaign.verify(folder)
    assert found.holds and not found.index_behind
    assert not (found.leftovers or found.strangers or found.unmarked_files or found.refused)
    assert found.blocks == 2 * (3 + 3 + 2 + 1 + 1 + 2)
    tree = files(folder / "store.zarr")
    assert found.files == len(tree) - 3  # the root's metadata and those of two people
    assert found.bytes == sum(len(d) for n, d in tree.items() if n.count("/") > 1)


@pytest.mark.parametrize(("name", "damage", "kind", "block"), DAMAGES)
def test_every_damage_is_named_and_never_read(
    folder: Path, name: str, damage: Callable[[Path], None], kind: str, block: int | None
) -> None:
    before = files(folder)
    damage(folder / ROUND / name)
    array = name.split("/")[0]
    wanted = {("anna", "round_000", block, array, kind)}
    if damage is swap:
        wanted.add(("anna", "round_000", 2, array, kind))
    assert named(campaign.verify(folder)) == wanted
    changed = {n for n, d in files(folder).items() if before.get(n) != d}
    assert changed <= {f"{ROUND}/{name}", f"{ROUND}/features/c.2.0"}  # checking writes nothing
    with pytest.raises(StoreError, match=r"damaged|gone"):
        Store.open(folder).read("anna", "round_000")


@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink])
def test_a_damaged_data_set_is_named_and_never_read(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder / "store.zarr/ben/posterior/G/c.0.0")
    ((chain, group, block, array, _),) = named(campaign.verify(folder))
    assert (chain, group, block, array) == ("ben", "posterior", None, "G")
    with pytest.raises(StoreError, match=r"posterior is damaged; `hpcvbi verify .* --repair`"):
        Store.open(folder).get("ben", "posterior")


def test_a_stale_file_is_told_from_a_strange_one(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((2, 4))
    with Driver.create(tmp_path, {"seed": 1}, "a" * 64) as store:
        store.put("a", "x", [Variable("G", ("chain", "draw"), values)])
        old = (tmp_path / "store.zarr/a/x/G/c.0.0").read_bytes()
        store.put("a", "x", [Variable("G", ("chain", "draw"), values + 1)])
    assert survey(tmp_path).holds
    (tmp_path / "store.zarr/a/x/G/c.0.0").write_bytes(old)
    assert [(d.array, d.kind) for d in survey(tmp_path).damage] == [("G", "stale")]


def test_all_damages_at_once_are_repaired_to_the_same_bytes_and_nothing_else(folder: Path) -> None:
    before = files(folder / "store.zarr")
    ledger = {p.name for p in (folder / "ledger").glob("*.log")}
    for person, name, damage in (
        ("anna", "round_000/features/c.0.0", flip),
        ("anna", "round_000/bold/c.2.0.0", Path.unlink),
        ("anna", "round_001/features/c.1.0", swap),
        ("anna", "round_001/theta/c.0.0", flip),
        ("anna", "grid/fc/zarr.json", edit),
        ("anna", "posterior/G/c.0.0", truncate),
        ("anna", "inference_000/weights/c.0.0", flip),
        ("ben", "predictive/fc_model/c.1.0", truncate),
        ("ben", "zarr.json", Path.unlink),
    ):
        damage(folder / "store.zarr" / person / name)
    repaired = campaign.repair(folder, Quiet(), 1)
    assert repaired.after.holds and not repaired.failed and not repaired.different
    assert {b.key for b in repaired.simulated} == {
        ("anna", "round_000", 0),
        ("anna", "round_000", 2),
        ("anna", "round_001", 1),
        ("anna", "round_001", 2),
        ("ben", "predictive", 1),
    }
    assert repaired.equal == repaired.files > 0
    assert set(repaired.written) == {
        "anna/round_001", "anna/grid", "anna/posterior", "anna/inference_000",
    }  # fmt: skip
    assert files(folder / "store.zarr") == before
    new = [p for p in (folder / "ledger").glob("*.log") if p.name not in ledger]
    lines = [json.loads(line[9:]) for p in new for line in p.read_bytes().splitlines()]
    assert sum(r["kind"] == "block" for r in lines) == len(repaired.simulated)


def test_the_command_says_what_it_found_and_what_it_mended(folder: Path) -> None:
    flip(folder / ROUND / "features/c.1.0")
    (folder / "store.zarr/anna/stranger.bin").write_bytes(b"x")
    found = hpcvbi("verify", folder)
    assert found.returncode == 1, found.stderr
    assert "flipped bits" in found.stdout and "stranger.bin" in found.stdout
    mended = hpcvbi("verify", folder, "--repair", "--workers", 1)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "simulated again: anna/round_000 1" in mended.stdout
    assert "equal byte for byte" in mended.stdout
    assert (folder / "store.zarr/anna/stranger.bin").exists()
    (folder / "MANIFEST.json").write_text("{")
    refused = hpcvbi("verify", folder)
    assert refused.returncode == 2 and "MANIFEST.json is damaged" in refused.stderr


def test_checking_beside_a_driver_that_replaces_everything_finds_nothing(tmp_path: Path) -> None:
    params, stop = (Param("G", 1.0),), threading.Event()
    outputs = (Output("x", ("draw",)),)

    def drive() -> None:
        with Driver.create(tmp_path / "s", {"seed": 1}, "a" * 64) as store:
            for number in itertools.count():
                theta = np.full((8 + number, 1), float(number))
                theta = store.prepare("a", "round_000", theta, params, outputs, 2 + number % 4 // 2)
                blocks = blocks_of("a", "round_000", len(theta), 2 + number % 4 // 2)
                for block in store.missing(blocks):
                    x = np.random.default_rng(block.index).random(block.size, np.float32)
                    status = np.ones(block.size, np.uint8)
                    digests = store.write_block(block, {"x": x, "status": status})
                    store.mark(BlockReport(block, 0, 0.1, "here", digests))
                store.put("a", "posterior", [Variable("G", ("chain", "draw"), theta.T)])
                if stop.is_set():
                    return

    def history() -> int:
        return len(Store.open(tmp_path / "s")._marks.history)

    driver = threading.Thread(target=drive)
    driver.start()
    seen = 0
    try:
        end = time.monotonic() + 300
        while driver.is_alive() and (seen <= 50 or history() <= 100):
            assert time.monotonic() < end
            with contextlib.suppress(StoreError):  # not created yet
                found = survey(tmp_path / "s")
                assert found.damage == ()
                seen += found.blocks
    finally:
        stop.set()
        driver.join()
    assert seen > 50 and history() > 100
    assert survey(tmp_path / "s").holds


def test_lines_of_the_ledger_that_are_not_believed_are_shown(folder: Path) -> None:
    path = max((folder / "ledger").glob("*.log"))
    with path.open("ab") as file:
        file.write(b"00000000 {}\nhalf a li")
    found = campaign.verify(folder)
    assert found.holds
    number = path.read_bytes().count(b"\n")
    assert [(r.segment, r.line) for r in found.refused] == [
        (path.name, number),
        (path.name, number + 1),
    ]


def test_marks_that_a_finished_person_lost_are_found_and_made_again(folder: Path) -> None:
    before = files(folder / "store.zarr")
    for path in (folder / "ledger").glob("*.log"):
        lines = path.read_bytes().splitlines(keepends=True)
        lost = [b'"kind":"block","chain":"ben","group":"grid"', b'"group":"posterior","files"']
        kept = [line for line in lines if not any(text in line for text in lost)]
        path.write_bytes(b"".join(kept))
    found = campaign.verify(folder)
    assert {(d.chain, d.group, d.kind) for d in found.damage} >= {("ben", "grid", "no mark")}
    assert campaign.repair(folder, Quiet(), 1).after.holds
    assert files(folder / "store.zarr") == before


def test_an_unfinished_person_is_repaired_as_far_as_it_had_come(folder: Path) -> None:
    later = ("round_001", "inference_001", "posterior", "predictive", "posterior_predictive",
             "grid_fresh", "evaluation")  # fmt: skip
    for path in (folder / "ledger").glob("*.log"):
        lines = path.read_bytes().splitlines(keepends=True)
        records = [json.loads(line[9:]) for line in lines]
        kept = [r.get("chain") != "anna" or r.get("group") not in later for r in records]
        path.write_bytes(b"".join(line for line, keep in zip(lines, kept, strict=True) if keep))
    before = files(folder / "store.zarr")
    assert campaign.verify(folder).holds
    learned = "inference_000/weights/c.0.0"
    for name in ("round_000/features/c.2.0", "round_000/theta/c.0.0", learned):
        flip(folder / "store.zarr/anna" / name)
    repaired = campaign.repair(folder, Quiet(), 1)
    assert repaired.after.holds and not repaired.failed
    assert [b.key for b in repaired.simulated] == [("anna", "round_000", 2)]
    assert repaired.written == ("anna/inference_000", "anna/round_000")
    assert files(folder / "store.zarr") == before


def test_checking_needs_no_lock_and_repairing_does(folder: Path) -> None:
    flip(folder / ROUND / "features/c.1.0")
    with Driver.open(folder):
        assert not campaign.verify(folder).holds
        with pytest.raises(StoreBusy, match="is being written by process"):
            campaign.repair(folder, Quiet(), 1)


def test_data_that_are_gone_or_changed_are_said(folder: Path, people_folder: Path) -> None:
    flip(folder / ROUND / "features/c.1.0")
    path = people_folder / "anna/bold.csv"
    kept = path.read_bytes()
    try:
        path.write_bytes(kept.replace(b"1", b"2", 1))
        with pytest.raises(StoreMismatch, match="the data of anna have changed"):
            campaign.repair(folder, Quiet(), 1)
        (people_folder / "anna").rename(people_folder.parent / "away")
        with pytest.raises(DataError, match="in the working directory of the run"):
            campaign.repair(folder, Quiet(), 1)
        (people_folder.parent / "away").rename(people_folder / "anna")
    finally:
        path.write_bytes(kept)
    assert not campaign.verify(folder).holds


def test_code_in_a_store_is_not_executed_without_being_trusted(folder: Path) -> None:
    executed = folder.parent / "executed"
    lines = ["import pathlib", f"pathlib.Path({str(executed)!r}).touch()"]
    study = {**Store.open(folder).study["study"], "model": {"name": "evil.py:model"}}
    manifest = {"study": {**study, "texts": {"evil.py": lines}}, "people": {"anna": "0" * 64}}
    evil = folder.parent / "evil"
    with Driver.create(evil, manifest, "a" * 64) as store:
        store.put("anna", "connectome", [Variable("G", ("draw",), np.ones(3))])
    assert campaign.verify(evil).holds
    (evil / "store.zarr/anna/connectome/G/c.0").unlink()
    with pytest.raises(StoreError, match=r"Read it in .*MANIFEST\.json .* --trust-model"):
        campaign.repair(evil, Quiet(), 1)
    assert not executed.exists()


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    path = folder / ROUND / "features/c.1.0"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert named(campaign.verify(folder)) == {("anna", "round_000", 1, "features", "unreadable")}


def test_what_comes_back_otherwise_is_not_marked_and_said(folder: Path) -> None:
    """A ledger that names other content than the engine makes stands for another engine."""
    marks = Store.open(folder)._marks
    block, posterior = marks.done()["anna", "round_000", 1], marks.puts["ben", "posterior"]
    size, sha256, _ = block["digests"]["features"]
    digests = {**block["digests"], "features": [size, sha256, "0" * 64]}
    with max((folder / "ledger").glob("*.log")).open("ab") as file:
        for forged in ({**block, "digests": digests}, {**posterior, "id": "0" * 16}):
            body = json.dumps(forged).encode()
            file.write(b"%08x %s\n" % (zlib.crc32(body), body))
    flip(folder / ROUND / "features/c.1.0")
    flip(folder / "store.zarr/ben/posterior/G/c.0.0")
    repaired = campaign.repair(folder, Quiet(), 1)
    assert [b.key for b in repaired.different] == [("anna", "round_000", 1)]
    assert repaired.simulated == ()
    assert "ben/posterior: it does not come back as the ledger has it" in str(
        repaired.failed["ben"]
    )
    assert {(d.chain, d.group, d.kind) for d in repaired.after.damage} == {
        ("anna", "round_000", "no mark"),
        ("ben", "posterior", "no mark"),
    }
