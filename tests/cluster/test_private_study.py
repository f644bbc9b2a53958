"""A study of people under pseudonyms, encrypted, with consent, until one of them withdraws."""

import io
import json
import os
import re
import shutil
from pathlib import Path

import learning_steps
import numpy as np
import pytest
import xarray as xr
from conftest import TRUTHS, hpcvbi
from synthetic_people import write_study

from hpcvbi.campaign import conduct, people_of
from hpcvbi.cli.progress import Tally
from hpcvbi.cluster import Learned, local_executor
from hpcvbi.config import load
from hpcvbi.core.block import BlockReport, blocks_of
from hpcvbi.core.errors import HpcvbiError
from hpcvbi.store import KeySource, Store, keys, progress, unlock

KEY, DRAWS = "a7" * 32, 24
# long enough that encrypted bytes do not spell them by chance
SOURCES = {"P01": "annabella", "P02": "benedetta"}
TABLE = (
    "participant_id\tage\tconsent_scope\tdata_use_terms\n"
    "annabella\t33\tepilepsy research; teaching\tNo redistribution.\n"
    "benedetta\t41\tTeaching\tn/a\n"
)


def write_private_study(folder: Path, people: Path, **change: str) -> Path:
    """Write study, key files and cohort into `folder`, from the tables in `people`."""
    cohort = shutil.copytree(people, folder / "cohort")
    for plain, name in zip(TRUTHS, SOURCES.values(), strict=True):
        (cohort / plain).rename(cohort / name)
    (cohort / "participants.tsv").write_text(TABLE)
    key, who = folder / "study.key", folder / "who.csv"
    key.write_text(KEY)
    who.write_text("pseudonym,source\nP01,annabella\nP02,benedetta\n")
    for path in (key, who):
        path.chmod(0o600)
    study = write_study(folder / "study.yaml", cohort, folder / "out", draws=DRAWS, epochs=5)
    text = study.read_text().replace("tr: 0.72}", f"tr: 0.72, pseudonyms: {who}}}")
    settings = {"purpose": "teaching", "encryption": f"{{key_file: {key}}}"} | change
    study.write_text(text + "".join(f"{name}: {value}\n" for name, value in settings.items()))
    return study


@pytest.fixture(scope="module")
def private(tmp_path_factory, people_folder) -> Path:
    """A private study that ran; nobody changes it."""
    study = write_private_study(tmp_path_factory.mktemp("private"), people_folder)
    before = os.umask(0o022)
    try:
        done = hpcvbi("run", study)
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    return study


def all_bytes(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_no_file_knows_the_sources_or_the_keys(private: Path) -> None:
    out, word = private.parent / "out", re.compile("|".join(SOURCES.values()).encode())
    held = [keys.data_key(out, person).secret for person in SOURCES]
    secrets = [KEY.encode(), bytes.fromhex(KEY), *held, *(secret.hex().encode() for secret in held)]
    assert len(all_bytes(out)) > 100
    for path, data in all_bytes(out).items():
        assert not word.search(data) and not word.search(str(path.relative_to(out)).encode()), path
        assert not any(secret in data for secret in secrets), path


def test_everything_a_run_writes_is_private(private: Path) -> None:
    out = private.parent / "out"
    modes = {p: p.stat().st_mode & 0o777 for p in (out, *out.rglob("*"))}
    assert {oct(mode) for p, mode in modes.items() if p.is_file()} == {"0o600"}
    assert {oct(mode) for p, mode in modes.items() if p.is_dir()} == {"0o700"}


def test_consent_and_terms_are_carried_into_groups_and_report(private: Path) -> None:
    tree = xr.open_datatree(private.parent / "out/store.zarr", engine="zarr")
    for group in ("posterior", "round_000", "observed_data", "evaluation"):
        attrs = tree[f"P01/{group}"].attrs
        assert attrs["consent_scope"] == "epilepsy research; teaching"
        assert attrs["data_use_terms"] == "No redistribution."
        assert tree[f"P02/{group}"].attrs["consent_scope"] == "Teaching"
        assert "data_use_terms" not in tree[f"P02/{group}"].attrs
    page = (private.parent / "out/report.html").read_text()
    assert "Consent: epilepsy research; teaching" in page and "No redistribution." in page
    assert "encrypted (AES-256-GCM)" in page
    (event, *_) = Store.open(private.parent / "out").events("run started")
    assert event["purpose"] == "teaching"


def test_status_needs_no_key(private: Path, tmp_path: Path) -> None:
    study = private.with_name("elsewhere.yaml")
    study.write_text(private.read_text().replace("study.key", "nowhere.key"))
    shown = hpcvbi("status", study)
    assert shown.returncode == 0, shown.stderr
    assert f"{DRAWS}/{DRAWS}" in shown.stdout


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"encryption": "{key_file: /nowhere/x.key}"}, "encryption: cannot read the key"),
        ({"encryption": "{key_variable: NOT_SET_HERE}"}, "NOT_SET_HERE is not set"),
        ({"encryption": "{}"}, "name either the file or the environment variable"),
        ({"encryption": "null"}, 'encryption.cipher: "aes-256-gcm" in the store, absent'),
        ({"purpose": "marketing"}, "P01 consented to 'epilepsy research; teaching', not to 'mark"),
        ({"purpose": "null"}, "say what this study is for"),
    ],
    ids=["no key", "no variable", "no source", "not encrypted", "other purpose", "no purpose"],
)
def test_what_is_not_allowed_is_refused_before_anything_is_spent(
    private: Path, change: dict[str, str], says: str
) -> None:
    (name,) = change
    text = re.sub(rf"^{name}:.*$", f"{name}: {change[name]}", private.read_text(), flags=re.M)
    other = private.with_name("other.yaml")
    other.write_text(text)
    before = all_bytes(private.parent / "out")
    with pytest.raises(HpcvbiError, match=re.escape(says)):
        given = load(other)
        conduct(given, people_of(given), Tally(io.StringIO(), None))
    assert all_bytes(private.parent / "out") == before


def test_after_a_withdrawal_the_study_runs_on_without_the_person(
    private: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(private.parent, tmp_path / "study")
    study = folder / "study.yaml"
    study.write_text(study.read_text().replace(str(private.parent), str(folder)))
    out = folder / "out"
    manifest = (out / "MANIFEST.json").read_text()
    assert str(private.parent) in manifest
    # the paths of cohort and key file belong to the study
    study.write_text(
        study.read_text()
        .replace(f"folder: {folder}", f"folder: {private.parent}")
        .replace(f"pseudonyms: {folder}", f"pseudonyms: {private.parent}")
    )
    others = all_bytes(out / "store.zarr/P02")
    kept = {path: data for path, data in others.items() if "evaluation" not in path.parts}

    gone = hpcvbi("withdraw", out, "P01")
    assert gone.returncode == 0, gone.stderr
    assert "withdrawn: P01" in gone.stdout and "STALE: results of P02" in gone.stdout
    for path, data in all_bytes(out).items():
        if path.name not in ("report.html", "P01.json"):
            assert b"P01" not in data and "P01" not in str(path.relative_to(out)), path
    shown = hpcvbi("status", study)
    assert "withdrawn: P01" in shown.stdout and "STALE P02/evaluation" in shown.stdout
    page = (out / "report.html").read_text()
    assert "somebody has withdrawn" in page and page.count("P01") == 1

    again = hpcvbi("run", study)
    assert again.returncode == 0, again.stderr
    assert "0 blocks computed" in again.stdout
    assert progress(out).stale == () and progress(out).withdrawn[0].person == "P01"
    assert "P01" not in "".join(p.name for p in (out / "store.zarr").iterdir())
    assert np.isnan(Store.open(out).get("P02", "evaluation")[0]["others_r"])
    for path, data in kept.items():
        assert path.read_bytes() == data


def test_workers_get_the_key_over_the_connection(private: Path, tmp_path: Path) -> None:
    """The worker cannot find the key by itself; the driver has it."""
    out = shutil.copytree(private.parent / "out", tmp_path / "out")
    path = out / "keys/study.key"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"from": {"variable": "NOWHERE"}}))
    unlock(out, KeySource(file=str(private.parent / "study.key")).read())
    before = all_bytes(out / "store.zarr")
    executor = local_executor(str(out), 1)
    try:
        executor.submit(blocks_of("P01", "round_000", DRAWS, 16)[1])
        (report,) = executor.wait(timeout=120)
        (seen,) = executor._client.run(_surroundings).values()
        reads = {"draws": ("round_000", ("theta", "features"))}
        executor.learn("P01", "a child's", learning_steps.features_and_surroundings, reads, 1)
        (learned,) = executor.wait(timeout=120)
    finally:
        executor.close()
    assert isinstance(report, BlockReport), report
    assert all_bytes(out / "store.zarr") == before
    assert isinstance(learned, Learned) and learned.error is None, learned
    features, surroundings = learned.result
    stored = Store.open(out).read("P01", "round_000", ["features"])["features"]
    np.testing.assert_array_equal(features, stored)
    assert KEY not in seen and KEY not in surroundings["words"]


def _surroundings() -> str:
    import os
    from pathlib import Path

    return f"{os.environ}{Path('/proc/self/cmdline').read_bytes()!r}"


def test_verification_needs_no_key_and_repair_gives_the_same_bytes(
    private: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(private.parent / "out", tmp_path / "out")
    (out / "report.html").unlink()
    before = all_bytes(out / "store.zarr")
    path = out / "keys/study.key"
    locked = json.dumps(json.loads(path.read_text()) | {"from": {"variable": "NOWHERE"}})
    unlocked = path.read_text()
    path.write_text(locked)
    whole = hpcvbi("verify", out)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    for name in ("P01/round_000/features/c.1.0", "P01/round_000/theta/c.0.0"):
        damaged = bytearray(before[out / "store.zarr" / name])
        damaged[40] ^= 1
        (out / "store.zarr" / name).write_bytes(damaged)
    found = hpcvbi("verify", out)
    assert found.returncode == 1 and "P01" in found.stdout, found.stdout + found.stderr
    refused = hpcvbi("verify", out, "--repair")
    assert refused.returncode == 2 and "NOWHERE is not set" in refused.stderr, refused.stderr
    path.write_text(unlocked)
    repaired = hpcvbi("verify", out, "--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert all_bytes(out / "store.zarr") == before
