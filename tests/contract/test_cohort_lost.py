"""A cohort's network when people withdraw, draws are lost, or the network itself is."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cohort_study import KNOWN, Disorderly, compute, grown, write_everybody, written
from conftest import Quiet, files
from in_process import Together

from hpcvbi import campaign
from hpcvbi.campaign.again import try_again
from hpcvbi.campaign.together import learners
from hpcvbi.campaign.whole import lacking
from hpcvbi.core.block import BlockReport
from hpcvbi.core.errors import ExportError, StoreError
from hpcvbi.core.identifier import COHORT
from hpcvbi.store import Driver, Store, withdraw


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


def test_a_network_goes_with_who_it_was_learned_from(place: Path, three: Path) -> None:
    study = grown(place, three)
    compute(study)
    done = withdraw(three, "ben")
    assert done.stale == ("anna", "carl", "dora")
    assert not (three / "store.zarr" / COHORT).exists()
    store = Store.open(three)
    assert not store.groups(COHORT) and learners(store) == {"anna", "carl"}
    assert store.is_stale("anna", "posterior") and store.is_stale("dora", "predictive")
    assert campaign.verify(three).damage == ()
    with pytest.raises(StoreError, match="anna was built on somebody who has withdrawn"):
        campaign.pool_people(three)
    with pytest.raises(ExportError, match="anna, carl, dora were built on somebody who has"):
        campaign.export(three, three.parent / "stale.csv")
    first = {name: store.get(name, "posterior")[0]["G"] for name in ("anna", "dora")}
    blocks = compute(study)
    assert {b.round for b in blocks} == {"predictive"}
    store = Store.open(three)
    assert list(store.get(COHORT, "network")[0]["person"]) == ["anna", "carl"]
    for name, was in first.items():
        assert not np.array_equal(store.get(name, "posterior")[0]["G"], was)
        theta = store.read(name, "predictive", ["theta"])["theta"]
        assert np.array_equal(theta[:, 0], store.get(name, "posterior")[0]["G"][0][: len(theta)])
    assert not any(lacking(study, store, ["anna", "carl", "dora"]).values())
    assert campaign.verify(three).damage == ()
    assert withdraw(three, "dora").stale == ("anna", "carl")
    assert (three / "store.zarr" / COHORT / "network").exists()


def test_a_lost_network_is_learned_again_to_the_same_bytes(place: Path, three: Path) -> None:
    shutil.rmtree(three / "store.zarr" / COHORT / "network" / "weights")
    assert {d.chain for d in campaign.verify(three).damage} == {COHORT}
    mended = campaign.repair(three, Quiet(), workers=1)
    assert not mended.failed and mended.after.damage == ()
    assert mended.written == (f"{COHORT}/network",) and not mended.simulated
    assert files(three / "store.zarr") == files(place / "three/store.zarr")


def test_who_has_too_few_draws_is_left_out_whenever_that_shows(place: Path, tmp_path: Path) -> None:
    """Carl's blocks of the first round fail; Ben's grid does, which the network does not mind."""
    lost = {("carl", "round_000"), ("ben", "grid")}
    stores = []
    for executor in (Together, Disorderly):

        class Losing(executor):
            def wait(self, timeout=None):
                store = Store.open(self.folder)
                return [
                    replace(o, failed=o.block.size, digests=store.fail_block(o.block))
                    if isinstance(o, BlockReport) and o.block.key[:2] in lost
                    else o
                    for o in super().wait(timeout)
                ]

        study = written(place, tmp_path / executor.__name__, list(KNOWN))
        assert compute(study, Losing, failed=["ben", "carl"])
        store = Store.open(study.output)
        assert list(store.get(COHORT, "network")[0]["person"]) == ["anna", "ben"]
        assert learners(store) == set(KNOWN)
        stores.append(files(Path(study.output, "store.zarr", COHORT)))
        stores.append(files(Path(study.output, "store.zarr", "anna")))
    assert stores[:2] == stores[2:]
    compute(study, Losing, failed=["ben", "carl"])
    with Driver(Path(study.output)) as store:
        try_again(store)
    assert lacking(study, store, ["anna"])["anna"]
    compute(study)
    assert files(Path(study.output, "store.zarr")) == files(place / "three/store.zarr")


def test_too_few_draws_of_all_set_everybody_aside(place: Path, tmp_path: Path) -> None:
    study = written(
        place, tmp_path / "out", list(KNOWN), ("min_survivors: 20", "min_survivors: 99")
    )
    compute(study, failed=list(KNOWN))
    assert {*Store.open(study.output).groups("anna")} >= {"grid", "round_000", "covariates"}


def test_a_key_of_its_own_goes_with_the_network(place: Path, tmp_path: Path) -> None:
    key = tmp_path / "study.key"
    key.write_text("3c" * 32)
    key.chmod(0o600)
    sealed = ("seed:", f"encryption: {{key_file: {key}}}\nseed:")
    study = written(place, tmp_path / "out", ["anna", "ben"], sealed)
    compute(study)
    path, network = (Path(study.output, f) for f in (f"keys/people/{COHORT}.key", "store.zarr"))
    named = files(network / COHORT / "network/person")
    assert path.exists() and not any(b"anna" in content for content in named.values())
    withdraw(Path(study.output), "anna")
    assert not path.exists()
    compute(study)
    assert list(Store.open(study.output).get(COHORT, "network")[0]["person"]) == ["ben"]
