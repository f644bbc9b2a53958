"""One network for all people of a study, learned inside the campaign: who it is learned from, who
joins it later, and what goes with somebody who withdraws.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Quiet, files, hpcvbi
from in_process import Enough, Silent, Together
from synthetic_people import write_people, write_study

from hpcvbi import campaign
from hpcvbi.campaign.again import try_again
from hpcvbi.campaign.identity import manifest_of
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.campaign.together import NAMES, learners
from hpcvbi.campaign.whole import lacking
from hpcvbi.cluster import Learned
from hpcvbi.cluster.task import simulate_block
from hpcvbi.config import Study, check, cohort_of, identity, load
from hpcvbi.core.block import Block, BlockReport
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.identifier import COHORT
from hpcvbi.report import build, findings, judged
from hpcvbi.store import Driver, Store, withdraw

DRAWS, VOLUMES = 32, 60
KNOWN = {"anna": 0.8, "ben": 0.7, "carl": 1.0}
EVERYBODY = {**KNOWN, "dora": 0.9}
INFERENCE = """\
inference:
  algorithm: npe
  rounds: 1
  cohort: true
"""


class Disorderly(Together):
    """Hands over one thing at a time, the last first, as a cluster of many workers might."""

    def wait(self, timeout: float | None = None) -> list[BlockReport | Learned]:
        if self.learned:
            return [self.learned.pop()]
        return [simulate_block(self.folder, self.submitted.pop())] if self.submitted else []


def written(place: Path, out: Path, people: Sequence[str], change=("", "")) -> Study:
    """A study of these people, in the folder of all."""
    file = out.with_suffix(".yaml")
    write_study(file, place / "people", out, DRAWS, epochs=4)
    text = file.read_text().replace("inference:\n", INFERENCE)
    text = text.replace("tr: 0.72", f"tr: 0.72, people: [{', '.join(people)}]")
    file.write_text(text.replace(*change))
    return load(file)


def compute(
    study: Study, executor: Callable[[Path], Together] = Together, failed: Sequence[str] = ()
) -> list[Block]:
    """Run a study in this process, and return the blocks that were computed."""
    people, out, seen = campaign.people_of(study), Path(study.output), []

    class Seeing(Silent):
        def computed(self, report: BlockReport) -> None:
            seen.append(report.block)

    with Driver.create(out, *identity(study, people)) as store:
        outcome = run(study, people, store, lambda: executor(out), Seeing(), Stop())  # type: ignore
    assert sorted(outcome.failed) == list(failed), outcome.failed
    return seen


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder of four people, three of whom are in a study that is finished."""
    place = tmp_path_factory.mktemp("cohort")
    write_people(place / "people", EVERYBODY, VOLUMES)
    compute(written(place, place / "three", list(KNOWN)))
    return place


@pytest.fixture
def three(place: Path, tmp_path: Path) -> Path:
    """The store of the three, to change."""
    return shutil.copytree(place / "three", tmp_path / "out")


def grown(place: Path, out: Path) -> Study:
    """Let dora join the study of the three."""
    study = written(place, out, list(EVERYBODY))
    planned = campaign.plan_extension(study, cohort_of(study))
    assert planned.draws["round_000"] == 0 and planned.draws["predictive"] == 32
    campaign.extend(study, cohort_of(study))
    return study


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
            Driver.create(out, *identity(study, people)) as store,
            pytest.raises(Enough),
        ):
            run(study, people, store, lambda: Killed(out), Silent(), Stop())  # type: ignore
    compute(study, Disorderly)
    assert files(out / "store.zarr") == files(place / "three/store.zarr")


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
    study = written(place, tmp_path / "out", list(KNOWN), ("min_survivors: 20", "min_survivors: 99"))
    compute(study, failed=list(KNOWN))
    assert {*Store.open(study.output).groups("anna")} >= {"grid", "round_000", "covariates"}


def test_a_key_of_its_own_goes_with_the_network(place: Path, tmp_path: Path) -> None:
    key = tmp_path / "study.key"
    key.write_text("3c" * 32)
    key.chmod(0o600)
    sealed = ("seed:", f"encryption: {{key_file: {key}}}\nseed:")
    study = written(place, tmp_path / "out", ["anna", "ben"], sealed)
    manifest, sha256 = manifest_of(study, cohort_of(study))
    executor = Together(Path(study.output))
    with Driver.create(study.output, manifest, sha256) as store:
        run(study, cohort_of(study), store, lambda: executor, Silent(), Stop())  # type: ignore
    path = Path(study.output, "keys/people", f"{COHORT}.key")
    assert path.exists() and b"anna" not in b"".join(
        files(Path(study.output, "store.zarr", COHORT, "network", "person")).values()
    )
    withdraw(Path(study.output), "anna")
    assert not path.exists()
    left = campaign.people_of(study)
    with Driver.create(study.output, *manifest_of(study, left)) as store:
        run(study, left, store, lambda: Together(Path(study.output)), Silent(), Stop())  # type: ignore
        assert list(store.get(COHORT, "network")[0]["person"]) == ["ben"]


def test_two_workers_make_the_same_bytes(place: Path, tmp_path: Path) -> None:
    workers = ("keep:", "cluster: {kind: local, workers: 2}\nkeep:")
    written(place, tmp_path / "out", list(KNOWN), workers)
    done = hpcvbi("run", tmp_path / "out.yaml")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "out/store.zarr") == files(place / "three/store.zarr")
    shown = hpcvbi("status", tmp_path / "out.yaml")
    assert "judged: anna, ben, carl" in shown.stdout and COHORT not in shown.stdout
