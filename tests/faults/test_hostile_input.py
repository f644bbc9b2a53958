"""Whatever file a user is handed: nothing is executed, written, or taken without bounds.

The table below is made of files, each read as a study or a cohort would read it; every one has to
end in an error that names the file, the reason and what to do instead.
"""

import bz2
import gzip
import lzma
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hostile_files import (
    GOOD,
    HUGE,
    LONG_FORM,
    ZEROS,
    described,
    directory,
    duplicated,
    encrypted,
    end_of,
    escaping_person,
    fifo,
    holds,
    link,
    linked,
    listening,
    mat,
    nifti,
    npy,
    npz,
    objects,
    one_npz,
    packed,
    part,
    patched,
    person,
    saved,
    tar,
    torch_zip,
    tvb,
    understated,
    variable,
    zipped,
)
from hostile_harness import (
    ADDRESS_SPACE,
    CANARY,
    MEMORY,
    Case,
    Trap,
    Verdict,
    check,
    judge_all,
    judged,
)

from hpcvbi.cohort import COHORTS
from hpcvbi.cohort.limits import LONGEST_LINE, MOST_MEMBERS
from hpcvbi.cohort.maps import read_maps
from hpcvbi.cohort.matrix import read_matrix
from hpcvbi.cohort.tvb_zip import read_connectivity
from hpcvbi.config import load, load_trial, prepare
from hpcvbi.core.errors import DataError


def matrix(name: str) -> Callable[[Path], object]:
    return lambda folder: read_matrix(folder / name)


def cohort(folder: Path) -> object:
    return COHORTS["tables"]("all", folder=str(folder / "cohort"), tr=1.0)


def connectivity(folder: Path) -> object:
    return read_connectivity(folder / "connectivity.zip")


def maps(folder: Path) -> object:
    return read_maps(folder / "maps.csv", ("a", "b"))


def study(folder: Path) -> object:
    return load(folder / "study.yaml")


def trial(folder: Path) -> object:
    return prepare(load_trial(folder / "study.yaml"))


TRIAL = """\
output: t.nc
connectome: {kind: random, regions: 2}
model: {name: stuart_landau}
simulation: {duration: 10}
monitors: [{kind: sample, of: x, period: 1}]
"""
ALIASES = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{k}: &{k} [{', '.join(f'*{j}' for _ in range(9))}]\n"
    for j, k in zip("abcdefgh", "bcdefghi", strict=True)
)
TAG = "!!python/object/apply:os.open"
VALUES = ", ".join(["1"] * 2**16)
AXES = ", ".join(f"{name}: [{VALUES}]" for name in ("G", "a", "omega", "sigma"))
GRID = f"draws: {{kind: grid, of: {{{AXES}}}}}\n"
CROWD = ", ".join(["a"] * 10**5)


def yaml(text: str) -> Callable[[Path], object]:
    return holds("study.yaml", text.encode())


def model_file(kind: Callable[[str], Callable[[Path], object]]) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        kind("model.py")(folder)
        yaml(TRIAL.replace("stuart_landau", "model.py:m"))(folder)

    return make


LINE = b"1," * LONGEST_LINE
CSV, NPY, NPZ, MAT = (matrix(f"weights{suffix}") for suffix in (".csv", ".npy", ".npz", ".mat"))
CASES = {
    # NumPy
    "npy_pickle": Case(holds("weights.npy", objects), NPY, "holds object, not plain .* as float64"),
    "npy_8_tb": Case(holds("weights.npy", HUGE), NPY, "claims 8000000000000 bytes .* holds 64"),
    "npy_code": Case(
        holds("weights.npy", npy("{'descr': __import__('os').getcwd()}")), NPY, "save it with nump"
    ),
    "npy_nested": Case(holds("weights.npy", npy("[" * 110)), NPY, "save it with numpy.save"),
    "npy_structure": Case(
        holds("weights.npy", npy(described("[('a', '|O'), ('b', '<f8')]", "(1, 1)"), bytes(16))),
        NPY,
        "not plain numbers; save it as float64",
    ),
    "npy_long_header": Case(
        holds("weights.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b" " * 64), NPY, "numpy.save"
    ),
    "npz_pickle": Case(
        holds("weights.npz", lambda f: zipped("", {"weights.npy": objects(f)})), NPZ, "not plain"
    ),
    "npz_8_tb": Case(npz({"weights.npy": HUGE}), NPZ, "claims .* at most 67108864 are read|holds"),
    "npz_bomb": Case(npz({"weights.npy": ZEROS}), NPZ, "would expand .*: if it is no zip bomb, sa"),
    "npz_understated": Case(holds("weights.npz", understated()), NPZ, "damaged|claims .* holds 64"),
    "npz_traversal": Case(npz({"../../weights.npy": b""}), NPZ, "may lead out of it: it is forged"),
    "npz_absolute": Case(npz({"/etc/weights.npy": b""}), NPZ, "may lead out of it: it is forged"),
    "npz_nameless": Case(
        holds("weights.npz", patched(one_npz(), b"weights.npy", b"\0" * 11)), NPZ, "names no file"
    ),
    "npz_crowd": Case(
        npz({f"{i}.npy": b"" for i in range(MOST_MEMBERS + 1)}), NPZ, "1025 members .* pack only"
    ),
    "npz_endless": Case(
        holds("weights.npz", end_of(one_npz(), bytes=2**31)), NPZ, "2147483648 bytes of directory"
    ),
    "npz_long_form": Case(
        holds("weights.npz", one_npz()[:-22] + LONG_FORM + one_npz()[-22:]), NPZ, "in the long form"
    ),
    "npz_encrypted": Case(holds("weights.npz", encrypted()), NPZ, "encrypted: unpack it with"),
    "npz_twice": Case(holds("weights.npz", duplicated()), NPZ, "twice: pack it anew"),
    "npz_link": Case(holds("weights.npz", linked()), NPZ, "a symbolic link: pack the file it"),
    "npz_lzma": Case(npz({"weights.npy": HUGE}, zipfile.ZIP_LZMA), NPZ, "pack it with plain zip"),
    "npz_torn": Case(holds("weights.npz", one_npz()[:-30]), NPZ, "no end, .* copy it again"),
    "npz_damaged": Case(
        holds("weights.npz", patched(one_npz(), b"PK\x01\x02", b"PK\x01\x03")), NPZ, "damaged"
    ),
    "npz_of_zips": Case(npz({"a.zip": one_npz()}), NPZ, "no array of NumPy: save it with"),
    "npz_torch": Case(holds("weights.npz", torch_zip), NPZ, "a PyTorch checkpoint.* numpy.save"),
    "npz_excel": Case(npz({"xl/workbook.xml": b"<"}), NPZ, "an Excel file: save the sheet as csv"),
    "npz_several": Case(
        npz({f"{name}.npy": npy(described("'<f8'", "(1, 1)"), bytes(8)) for name in "ab"}), NPZ,
        r"holds 'a' \(1, 1\) float64, 'b' .*: save one matrix in it, or name it 'weights'",
    ),
    # MATLAB
    "mat_7_3": Case(
        holds("weights.mat", b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n"), MAT,
        "MATLAB 7.3 .*-v7",
    ),
    "mat_8_tb": Case(holds("weights.mat", mat(variable(10**6, 10**6, bytes(8)))), MAT, "at most"),
    "mat_lying_part": Case(
        holds("weights.mat", mat(packed(variable(2, 2, bytes(32), claimed=2**32 - 8)))), MAT,
        "4294967288 bytes claimed, 32 there.*-v7",
    ),
    "mat_lying_element": Case(
        holds("weights.mat", mat(struct.pack("<II", 14, 2**32 - 8))), MAT, "bytes claimed, 0 there"
    ),
    "mat_bomb": Case(
        holds("weights.mat", mat(packed(variable(1500, 1500, bytes(8 * 1500**2))))), MAT,
        "would expand .* save it without compression",
    ),
    "mat_overfull": Case(
        holds("weights.mat", mat(packed(variable(2, 2, bytes(2**25))))), MAT, "33554432 bytes cla"
    ),
    "mat_negative": Case(holds("weights.mat", mat(variable(-2, -2, bytes(32)))), MAT, "a matrix"),
    "mat_crowd": Case(
        holds("weights.mat", mat(*[part(14, b"")] * 2000)), MAT, "more than 1024 variables: save"
    ),
    "mat_cell": Case(saved("weights", np.array([["a", 1]], object)), MAT, "holds cell, not plain"),
    "mat_struct": Case(saved("weights", {"sc": np.eye(2)}), MAT, "holds struct, not plain numbers"),
    "mat_complex": Case(saved("weights", 1j * np.eye(2)), MAT, "holds complex double, not plain"),
    "mat_sparse": Case(
        saved("weights", scipy.sparse.csc_matrix(np.eye(3)), do_compression=True), MAT,
        r"is sparse; save full\(...\) of it",
    ),
    "mat_torn": Case(
        holds("weights.mat", mat(packed(variable(9, 9, np.arange(81.0).tobytes())))[:-20]), MAT,
        "bytes claimed.*copy it again",
    ),
    "mat_octave": Case(holds("weights.mat", b"# Created by Octave 8"), MAT, "save it with save -v"),
    # what is not read, whatever its name says
    "hdf5": Case(holds("weights.csv", b"\x89HDF\r\n\x1a\n" + bytes(99)), CSV, "an HDF5 file: save"),
    "nifti": Case(holds("weights.npy", nifti), NPY, "a NIfTI image: average it over the regions"),
    "nifti_gz": Case(holds("weights.csv", lambda f: gzip.compress(nifti(f))), CSV, "NIfTI .*aver"),
    "pickle": Case(
        holds("weights.csv", lambda f: pickle.dumps(Trap(f))), CSV, "pickle: it would execute code"
    ),
    "pickle_0": Case(
        holds("weights.csv", lambda f: pickle.dumps(Trap(f), 0)), CSV, "is no number; tables hold"
    ),
    "torch_old": Case(
        holds("weights.npy", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(9)), NPY, "Torch"
    ),
    "torch_new": Case(holds("weights.csv", torch_zip), CSV, "a zip archive: arrays of NumPy"),
    "tar": Case(holds("weights.csv", tar), CSV, "a tar archive: unpack it"),
    "tar_gz": Case(holds("weights.csv", lambda f: gzip.compress(tar(f))), CSV, "tar archive .*un"),
    "gzip_bomb": Case(
        holds("weights.csv", gzip.compress(b"1," * 2**23)), CSV, r"compressed \(gzip\): unpack it"
    ),
    "bzip2": Case(holds("weights.csv", bz2.compress(b"1")), CSV, r"compressed \(bzip2\): unpack"),
    "xz": Case(holds("weights.csv", lzma.compress(b"1")), CSV, r"compressed \(xz\): unpack it"),
    "page": Case(holds("weights.csv", b"\n<!DOCTYPE html><html>"), CSV, "a web page: its download"),
    "pointer": Case(
        holds("weights.csv", b"version https://git-lfs.github.com/spec/v1\n"), CSV, "git lfs pull"
    ),
    # text
    "utf_16": Case(holds("weights.csv", GOOD.encode("utf-16")), CSV, "UTF-16 text: save it"),
    "no_text": Case(holds("weights.csv", b"1,2\n\xff\xfe"), CSV, "no UTF-8 text .* as plain text"),
    "one_line": Case(holds("weights.csv", LINE), CSV, "more than 4194304 characters: a table has"),
    "zero_bytes": Case(holds("weights.csv", b"\0" * 1000), CSV, "is no number; tables hold"),
    "underscore": Case(holds("weights.csv", b"1_000,2\n"), CSV, "'1_000' is no number"),
    "empty": Case(holds("weights.csv", b""), CSV, "is empty: write or copy it anew"),
    "wide_maps": Case(
        holds("maps.csv", ",".join(f"m{i}" for i in range(2000)).encode() + b"\n1\n2\n"), maps,
        "has 2000 columns, at most 1000 are read",
    ),
    "long_labels": Case(person(labels=b"a\n" * (2**23 + 1)), cohort, "at most 16777216 are read"),
    "escape_labels": Case(
        person(labels=b"\x1b]0;pwned\x07\nb\n"), cohort, "line 1: .* cannot name a region: use 1 to"
    ),
    # no regular files, and links
    "pipe": Case(fifo("weights.csv"), CSV, "cannot read .*: it is a named pipe, no file"),
    "device": Case(link("weights.csv", "/dev/zero"), CSV, "it is a device, no file"),
    "socket": Case(listening, CSV, "it is a socket, no file"),
    "directory": Case(directory, cohort, "weights.csv: it is a directory, no file"),
    "link_out": Case(person(labels="/etc/passwd"), cohort, "leads out of .*: copy the file there"),
    "person_out": Case(escaping_person, cohort, "leads out of .*: copy the file there"),
    "link_broken": Case(person(weights="annex"), cohort, "link to annex, .*datalad get"),
    "link_circle": Case(link("weights.csv", "weights.csv"), CSV, "cannot read .*symbolic links"),
    # The Virtual Brain
    "tvb_bomb": Case(
        tvb({"weights.txt": b"0 " * 10**7, "tract_lengths.txt": b"0"}), connectivity, "would expand"
    ),
    "tvb_bz2_bomb": Case(
        tvb({"weights.txt.bz2": bz2.compress(b"0\n" * 10**7), "tract_lengths.txt": b"0"}),
        connectivity, "would expand .* bytes to .*: if it is no zip bomb",
    ),
    "tvb_traversal": Case(tvb({"../weights.txt": b"0"}), connectivity, "may lead out of it"),
    "tvb_other": Case(tvb({"readme.txt": b""}), connectivity, "no weights.txt, as .* readme.txt"),
    # study files
    "yaml_aliases": Case(yaml(ALIASES), study, "anchor &a: remove it, write values out"),
    "yaml_tag": Case(
        holds("study.yaml", lambda f: f"a: {TAG} [{f / CANARY}, 65]\n".encode()), study,
        "tag .*: remove it, write a plain value",
    ),
    "yaml_nested": Case(yaml("a: " + "[" * 10**5), study, "nested deeper than 50 levels"),
    "yaml_large": Case(yaml("a: 1\n" * 2**18), study, "more than 1048576 bytes, too many for"),
    "yaml_long_key": Case(yaml("k" * 1000 + ": 1"), study, "a key of more than 200 characters"),
    "yaml_long_value": Case(
        yaml(TRIAL.replace("stuart_landau", "m" * 10**6)), trial, "there is no 'mmm"
    ),
    "yaml_crowd": Case(
        yaml(f"cohort: {{kind: tables, folder: f, tr: 1, people: [{CROWD}]}}"),
        study, "named twice: a",
    ),
    "yaml_grid": Case(
        yaml(TRIAL + GRID + "noise: {on: [x]}\n"), trial,
        f"{2**64} combinations; at most 1000000 draws",
    ),
    "yaml_repeat": Case(
        yaml(TRIAL + "draws: {kind: repeat, count: 1000000000}\n"), trial, r"must be 1e\+06 at most"
    ),
    "yaml_pipe": Case(fifo("study.yaml"), study, "it is a named pipe, no file"),
    "model_pipe": Case(model_file(fifo), trial, "it is a named pipe, no file"),
    "model_device": Case(
        model_file(lambda name: link(name, "/dev/zero")), trial, "it is a device, no file"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    return judged(__file__, CASES, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_ends_in_a_clear_error(verdicts: dict[str, Verdict], name: str) -> None:
    check(verdicts[name], CASES[name], f"/{name}/")


def test_the_trap_would_be_seen(tmp_path: Path) -> None:
    """What unpickles, takes memory, hangs or writes: the harness sees it."""
    verdicts = judged(__file__, CONTROLS, tmp_path)
    assert verdicts["unpickles"].changed
    assert verdicts["takes"].error == "MemoryError"
    assert verdicts["touches"].memory > MEMORY
    assert verdicts["hangs"].error == "killed"
    for name, case in CONTROLS.items():
        with pytest.raises(AssertionError):
            check(verdicts[name], case, f"/{name}/")


def touch(folder: Path) -> None:
    np.ones(2 * MEMORY // 8)
    raise DataError(f"{folder}/")


CONTROLS = {
    "unpickles": Case(
        holds("weights.npy", objects),
        lambda folder: np.load(folder / "weights.npy", allow_pickle=True),
        "",
    ),
    "takes": Case(holds("weights.npy", HUGE), lambda folder: np.ones(2 * ADDRESS_SPACE // 8), ""),
    "touches": Case(holds("weights.npy", HUGE), touch, ""),
    "hangs": Case(fifo("weights.csv"), lambda folder: (folder / "weights.csv").read_bytes(), "", 1),
}


if __name__ == "__main__":
    judge_all(Path(sys.argv[1]), CASES, CONTROLS)
