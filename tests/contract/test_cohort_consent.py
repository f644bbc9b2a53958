"""Pseudonyms, participants' table and consent: who is read, under which name, and for what."""

import os
from pathlib import Path

import numpy as np
import pytest
from small_study import STUDY

from hpcvbi.cohort import COHORTS, allows
from hpcvbi.cohort.participants import read_participants
from hpcvbi.cohort.pseudonyms import read_pseudonyms
from hpcvbi.config import Study, load
from hpcvbi.config.brains import taking_part
from hpcvbi.core.errors import ConfigError, DataError

TABLE = (
    "participant_id\tage\tconsent_scope\tdata_use_terms\n"
    "anna smith\t33\tepilepsy research; Teaching\tDo not redistribute.\n"
    "sub-02\tn/a\tn/a\t\n"
)
KEY = "pseudonym,source\nP01,anna smith\nP02,sub-02\n"


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Two people in folders, with a participants' table and a key file beside the cohort."""
    folder = tmp_path / "cohort"
    for number, name in enumerate(("anna smith", "sub-02")):
        person = folder / name
        person.mkdir(parents=True)
        rng = np.random.default_rng(number)
        for stem, values in (
            ("weights", 1 - np.eye(4)),
            ("lengths", 30 * (1 - np.eye(4))),
            ("bold", rng.standard_normal((60, 4))),
        ):
            np.savetxt(person / f"{stem}.csv", values, delimiter=",")
    (folder / "participants.tsv").write_text(TABLE)
    write_key(tmp_path / "who.csv", KEY)
    return folder


def write_key(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def read(cohort: Path, people="all"):
    key = str(cohort.parent / "who.csv")
    return COHORTS["tables"](people, folder=str(cohort), tr=2.0, pseudonyms=key)


def study(at: Path, **change: str) -> Study:
    """The small study on these tables."""
    lines = [x for x in STUDY.splitlines() if not x.startswith(("cohort", "  kind: n", "  people"))]
    keys = {"output": f"output: {at.parent / 'out'}"}
    lines = [keys.pop("output") if x.startswith("output") else x for x in lines]
    section = change.pop("cohort", f"{{kind: tables, folder: {at}, tr: 2.0}}")
    lines += [f"cohort: {section}", *(f"{name}: {value}" for name, value in change.items())]
    path = at.parent / "study.yaml"
    path.write_text("\n".join(lines) + "\n")
    return load(path)


def with_key(cohort: Path, key: Path | None = None, people: str = "all") -> str:
    key = key or cohort.parent / "who.csv"
    return f"{{kind: tables, folder: {cohort}, tr: 2.0, pseudonyms: {key}, people: {people}}}"


def test_people_are_called_by_their_pseudonyms(cohort: Path) -> None:
    first, second = read(cohort)
    assert (first.id, second.id) == ("P01", "P02")
    assert first.bold is not None
    np.testing.assert_allclose(first.bold, np.random.default_rng(0).standard_normal((60, 4)))
    assert [person.id for person in read(cohort, ("P02",))] == ["P02"]
    with pytest.raises(DataError, match="has no person 'anna'; it has P01, P02"):
        read(cohort, ("anna",))


def test_consent_and_terms_come_from_the_table(cohort: Path) -> None:
    first, second = read(cohort)
    assert first.consent == "epilepsy research; Teaching"
    assert first.terms == "Do not redistribute."
    assert (second.consent, second.terms) == ("", "")
    (cohort / "participants.tsv").unlink()
    assert [person.consent for person in read(cohort)] == ["", ""]
    assert first.sha256 == read(cohort)[0].sha256


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("P01,anna smith\n", "must begin with the line pseudonym,source"),
        ("pseudonym,source\n", "names nobody"),
        ("pseudonym,source\nP01\n", "line 2: 1 cells, not 2"),
        ("pseudonym,source\n../P01,anna smith\n", "'../P01' cannot be a person's id"),
        ("pseudonym,source\n\nP.1,anna smith\n", "'P.1' cannot be a person's id"),
        ("pseudonym,source\nP01,../anna\n", "line 2: the source of P01 is no name of a folder"),
        ("pseudonym,source\nP01,/etc\n", "the source of P01 is no name of a folder"),
        ("pseudonym,source\nP01,..\n", "the source of P01 is no name of a folder"),
        ("pseudonym,source\nP01,\n", "the source of P01 is no name of a folder"),
        ("pseudonym,source\nP01,P01\n", "is the source's own identifier, no pseudonym"),
        ("pseudonym,source\nP01,a\nP01,b\n", "line 3: P01 or its source stands there twice"),
        ("pseudonym,source\nP01,a\nP02,a\n", "line 3: P02 or its source stands there twice"),
    ],
)
def test_a_key_file_that_does_not_tell_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says.replace(".", r"\.")) as error:
        read_pseudonyms(write_key(tmp_path / "who.csv", text))
    assert "anna" not in str(error.value)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = write_key(tmp_path / "who.csv", KEY)
    assert read_pseudonyms(path) == {"P01": "anna smith", "P02": "sub-02"}
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(DataError, match="can be read by others: chmod 600"):
            read_pseudonyms(path)
    path.unlink()
    with pytest.raises(DataError, match=r"cannot read the key file .*: No such file"):
        read_pseudonyms(path)
    os.mkfifo(path, 0o600)
    with pytest.raises(DataError, match="is no regular file"):
        read_pseudonyms(path)


def test_a_key_file_among_the_results_is_refused(cohort: Path) -> None:
    inside = cohort.parent / "out/keys/who.csv"
    inside.parent.mkdir(parents=True)
    write_key(inside, KEY)
    with pytest.raises(ConfigError, match=r"cohort\.pseudonyms: lies in the output folder"):
        taking_part(study(cohort, cohort=with_key(cohort, inside), purpose="teaching"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("id\tage\nx\t1\n", "must name each column once, participant_id too"),
        ("participant_id\tage\tage\nx\t1\t2\n", "must name each column once"),
        ("participant_id\tage\nx\n", "line 2: 1 cells, 2 in line 1"),
        ("participant_id\nx\nx\n", "line 3: 'x' stands there twice"),
    ],
)
def test_a_participants_table_that_does_not_tell_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "participants.tsv").write_text(text)
    with pytest.raises(DataError, match=says):
        read_participants(tmp_path)


def test_who_is_not_in_the_table_is_refused(cohort: Path) -> None:
    (cohort / "participants.tsv").write_text(TABLE.replace("sub-02", "sub-03"))
    with pytest.raises(DataError, match=r"participants\.tsv has no row for P02"):
        read(cohort)
    assert read(cohort, ("P01",))[0].consent


@pytest.mark.parametrize(
    ("consent", "purpose", "allowed"),
    [
        ("epilepsy research; Teaching", "teaching", True),
        ("epilepsy research; Teaching", "Epilepsy   Research", True),
        ("epilepsy research", "epilepsy", False),
        ("epilepsy research", "epilepsy research; marketing", False),
        ("no", "", False),
    ],
)
def test_a_purpose_is_one_of_those_consented_to(consent, purpose, allowed) -> None:
    assert allows(consent, purpose) is allowed


def test_a_purpose_outside_the_consent_is_refused(cohort: Path) -> None:
    keyed = with_key(cohort)
    with pytest.raises(ConfigError, match=r"P01 consented to certain purposes only \(epilepsy"):
        taking_part(study(cohort, cohort=keyed))
    with pytest.raises(DataError, match=r"yaml:\d+: purpose: P01 consented to .* not to 'mar"):
        taking_part(study(cohort, cohort=keyed, purpose="marketing"))
    allowed = taking_part(study(cohort, cohort=keyed, purpose="teaching"))
    assert [person.id for person in allowed] == ["P01", "P02"]
    left = study(cohort, cohort=with_key(cohort, people="[P02]"), purpose="marketing")
    assert [person.id for person in taking_part(left)] == ["P02"]


def test_who_has_withdrawn_is_not_read(cohort: Path) -> None:
    given = study(cohort, cohort=with_key(cohort, people="[P01, P02]"), purpose="teaching")
    for path in (cohort / "anna smith").iterdir():
        path.unlink()
    assert [person.id for person in taking_part(given, {"P01": None})] == ["P02"]
    with pytest.raises(DataError, match=r"cohort.people: everybody has withdrawn"):
        taking_part(given, {"P01": None, "P02": None})


def test_neither_purpose_nor_place_of_the_key_is_part_of_the_identity(cohort: Path) -> None:
    base = study(cohort)
    assert study(cohort, purpose="teaching").sha256 == base.sha256
    sealed = study(cohort, encryption="{key_file: a}")
    assert sealed.sha256 != base.sha256
    assert study(cohort, encryption="{key_variable: B}").sha256 == sealed.sha256
    assert sealed.canonical()["encryption"] == {"cipher": "aes-256-gcm"}
    assert Study.from_dict(sealed.canonical()).canonical() == sealed.canonical()
    assert "encryption" not in base.canonical() and "pseudonyms" not in base.canonical()["cohort"]
