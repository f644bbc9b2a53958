"""The containers in which tables come: NumPy, MATLAB, The Virtual Brain; links, growing files."""

import bz2
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from hpcvbi.cohort import COHORTS
from hpcvbi.cohort.matrix import read_matrix
from hpcvbi.cohort.recognise import opened
from hpcvbi.cohort.tvb_zip import read_connectivity
from hpcvbi.config import load_trial, prepare
from hpcvbi.core.errors import DataError

SC = np.array([[0.0, 1.5, -2.0], [3.0, 0.0, 1e-9], [5.0, 6.0, 0.0]])
TRIAL = """\
output: t.nc
connectome: {kind: files, weights: %s}
model: {name: stuart_landau}
coupling: {speed: 5.0}
simulation: {duration: 10}
monitors: [{kind: sample, of: x, period: 1}]
"""


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u2", "i8", ">f8", "?"])
def test_a_matrix_of_matlab_is_read_as_scipy_reads_it(
    tmp_path: Path, compress: bool, dtype: str
) -> None:
    path = tmp_path / "weights.mat"
    wanted = SC.astype(dtype)
    scipy.io.savemat(path, {"weights": wanted, "note": "by hand"}, do_compression=compress)
    np.testing.assert_array_equal(read_matrix(path), wanted.astype(float))
    np.testing.assert_array_equal(read_matrix(path), scipy.io.loadmat(path)["weights"])


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
def test_the_array_named_after_the_file_the_only_one_or_the_one_asked_for(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"

    def save(**arrays: np.ndarray) -> None:
        if suffix == ".mat":
            scipy.io.savemat(path, arrays)
        else:
            np.savez_compressed(path, **arrays)  # type: ignore[arg-type]

    save(sc=SC, labels=np.array(["a", "b", "c"]))
    np.testing.assert_array_equal(read_matrix(path), SC)
    save(sc=SC, weights=2 * SC)
    np.testing.assert_array_equal(read_matrix(path), 2 * SC)
    np.testing.assert_array_equal(read_matrix(tmp_path / f"weights{suffix}:sc"), SC)
    with pytest.raises(DataError, match=r"has no 'len'; it holds 'sc' \(3, 3\)"):
        read_matrix(tmp_path / f"weights{suffix}:len")
    save(sc=SC, len=SC)
    with pytest.raises(DataError, match=r"'sc' \(3, 3\) .*: save one matrix in it, or name it 'we"):
        read_matrix(path)


def test_an_array_in_fortran_order_is_not_transposed(tmp_path: Path) -> None:
    np.save(tmp_path / "weights.npy", np.asfortranarray(SC))
    np.testing.assert_array_equal(read_matrix(tmp_path / "weights.npy"), SC)


def write_connectivity(path: Path, folder: str = "", packed: bool = False) -> None:
    texts = {
        "weights": "\n".join(" ".join(map(repr, row)) for row in SC.tolist()),
        "tract_lengths": "0 10 20\n10 0 30\n20 30 0\n",
        "centres": "rA1 1.0 2.0 3.0\nrA2 1.0 2.0 3.0\n lA1 1 2 3\n",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in texts.items():
            raw = content.encode()
            member = f"{folder}{name}.txt"
            archive.writestr(*((f"{member}.bz2", bz2.compress(raw)) if packed else (member, raw)))
        archive.writestr(f"{folder}info.txt", "made up")
        archive.writestr("__MACOSX/weights.txt", b"\0")


@pytest.mark.parametrize("folder", ["", "connectivity_3/"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_connectome_of_the_virtual_brain_is_read_in_place(
    tmp_path: Path, folder: str, packed: bool
) -> None:
    write_connectivity(tmp_path / "c.zip", folder, packed)
    weights, lengths, labels = read_connectivity(tmp_path / "c.zip")
    np.testing.assert_array_equal(weights, SC)
    np.testing.assert_array_equal(lengths[0], [0, 10, 20])
    assert labels == ("rA1", "rA2", "lA1")
    assert os.listdir(tmp_path) == ["c.zip"]


def test_a_person_may_bring_a_connectome_of_the_virtual_brain(tmp_path: Path) -> None:
    home = tmp_path / "anna"
    home.mkdir()
    write_connectivity(home / "connectivity.zip")
    scipy.io.savemat(home / "bold.mat", {"tc": np.random.default_rng(0).random((5, 3))})
    (person,) = COHORTS["tables"]("all", folder=str(tmp_path), tr=2.0)
    np.testing.assert_array_equal(person.connectome.weights, SC)
    assert person.connectome.labels == ("rA1", "rA2", "lA1")
    assert person.bold is not None
    np.save(home / "weights.npy", SC)
    with pytest.raises(DataError, match=r"holds connectivity\.zip and weights\.npy: keep one"):
        COHORTS["tables"]("all", folder=str(tmp_path), tr=2.0)


def test_a_trial_names_a_variable_or_an_archive(tmp_path: Path) -> None:
    write_connectivity(tmp_path / "c.zip")
    path = tmp_path / "t.yaml"
    path.write_text(TRIAL % "c.zip")
    archive = prepare(load_trial(path)).brain.connectome
    assert archive.labels == ("rA1", "rA2", "lA1")
    scipy.io.savemat(tmp_path / "SC.mat", {"sc": SC, "len": archive.lengths})
    path.write_text(TRIAL % "'SC.mat:sc', lengths: 'SC.mat:len'")
    named = prepare(load_trial(path)).brain.connectome
    np.testing.assert_array_equal(named.weights, archive.weights)
    np.testing.assert_array_equal(named.lengths, archive.lengths)
    path.write_text(TRIAL % "c.zip, lengths: 'SC.mat:len'")
    with pytest.raises(DataError, match=r"brings the lengths: leave .* out"):
        prepare(load_trial(path))


def test_links_are_followed_inside_the_cohort_and_into_its_annex(tmp_path: Path) -> None:
    cohort, annex = tmp_path / "data/cohort", tmp_path / "data/.git/annex/objects/aa"
    for folder in (cohort / "anna", annex):
        folder.mkdir(parents=True)
    (annex / "key").write_text("0,1\n1,0\n")
    os.symlink("../../.git/annex/objects/aa/key", cohort / "anna/weights.csv")
    os.symlink("weights.csv", cohort / "anna/lengths.csv")
    os.symlink("anna", cohort / "ben")
    anna, ben = COHORTS["tables"]("all", folder=str(cohort), tr=1.0)
    np.testing.assert_array_equal(anna.connectome.weights, ben.connectome.lengths)
    cohort.rename(tmp_path / "data/moved")
    os.symlink("moved", cohort)
    assert len(COHORTS["tables"]("all", folder=str(cohort), tr=1.0)) == 2


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.csv"
    path.write_text("1,2\n")
    os.utime(path, ns=(0, 0))
    with pytest.raises(DataError, match="changed while it was read"), opened(path, "") as file:
        assert file.read() == b"1,2\n"
        with path.open("a") as other:
            other.write("3,4\n")
