"""Readers on random input: what is valid comes back equal; the rest ends in an error of hpcvbi."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hpcvbi.cohort.maps import read_maps
from hpcvbi.cohort.matrix import READERS, read_matrix
from hpcvbi.cohort.tvb_zip import read_connectivity
from hpcvbi.config import load, load_trial
from hpcvbi.config.yaml_lines import parse
from hpcvbi.core.errors import ConfigError, DataError, HpcvbiError

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": " "}
MAGIC = (
    b"", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08",
    b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM", b"MATLAB 5.0".ljust(124) + b"\x01\x00MI",
    b"1,2\n", b"\xef\xbb\xbf1,", b"# ",
)  # fmt: skip
# YAML allows no control characters, and PyYAML takes two separators for the ends of lines.
PLAIN = st.characters(min_codepoint=0x20, max_codepoint=0xD7FF, exclude_characters="\u2028\u2029")
TEXT = st.text(PLAIN.filter(lambda c: not 0x7F <= ord(c) < 0xA0), max_size=20)
NAME = st.text("abcdefgh_XYZ019", min_size=1, max_size=8).map(lambda name: f"m{name}")
MATRIX = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.floats(allow_nan=False, allow_infinity=False),
)
CELL = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9) | st.booleans()
VALUES = st.recursive(
    st.none() | CELL | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
STUDY = (Path(__file__).parents[2] / "configs/quickstart.yaml").read_bytes()
TRIAL = (Path(__file__).parents[2] / "configs/simulate.yaml").read_bytes()


@pytest.fixture(params=[40, pytest.param(4000, marks=pytest.mark.battery)])
def holds(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run a property on a few examples, or on many."""

    def run(*strategies: st.SearchStrategy) -> Callable[[Callable], None]:
        def on(check: Callable) -> None:
            many = settings(max_examples=request.param, suppress_health_check=list(HealthCheck))
            many(given(*strategies)(check))()

        return on

    return run


def save(path: Path, matrix: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, matrix)
    elif path.suffix == ".npz":
        np.savez_compressed(path, sc=matrix)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"sc": matrix}, do_compression=bool(matrix.size % 2))
    else:
        rows = [SEPARATORS[path.suffix].join(map(repr, row)) for row in matrix.tolist()]
        path.write_text("\n".join(rows))


@st.composite
def mutated(draw: st.DrawFn, raw: bytes) -> bytes:
    """A file with a few bytes changed, cut, repeated or put in."""
    found = bytearray(raw)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(found) - 1, 0)))
        until = min(len(found), at + draw(st.integers(1, 40)))
        how = draw(st.sampled_from(["set", "set", "cut", "repeat", "insert", "end"]))
        some = draw(st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 4, b"\0" * 8]))
        if how == "set":
            found[at : at + len(some)] = some
        elif how == "cut":
            del found[at:until]
        elif how == "repeat":
            found[at:at] = found[at:until] * 3
        elif how == "insert":
            found[at:at] = some
        else:
            del found[at:]
    return bytes(found)


@pytest.mark.parametrize("suffix", READERS)
def test_a_matrix_comes_back_equal(tmp_path: Path, holds: Callable, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"

    @holds(MATRIX)
    def check(matrix: np.ndarray) -> None:
        save(path, matrix)
        np.testing.assert_array_equal(read_matrix(path), matrix)


@pytest.mark.parametrize("suffix", READERS)
def test_any_bytes_are_a_matrix_or_an_error(tmp_path: Path, holds: Callable, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    save(path, np.array([[1.5, 2.0], [0.0, -4.0], [1e-300, 1e300]]))
    good = path.read_bytes()
    random = st.tuples(st.sampled_from(MAGIC), st.binary(max_size=300)).map(b"".join)

    @holds(mutated(good) | random)
    def check(raw: bytes) -> None:
        path.write_bytes(raw)
        try:
            matrix = read_matrix(path)
        except DataError as error:
            assert str(path) in str(error)
        else:
            assert matrix.ndim == 2 and matrix.dtype == np.float64
            assert matrix.size <= 8 * len(raw)


def test_any_archive_is_a_connectome_or_an_error(tmp_path: Path, holds: Callable) -> None:
    path = tmp_path / "connectivity.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("weights", "tract_lengths", "centres"):
            archive.writestr(f"{name}.txt", "1 2 3\n4 5 6\n7 8 9\n")
    good = path.read_bytes()

    @holds(mutated(good))
    def check(raw: bytes) -> None:
        path.write_bytes(raw)
        try:
            weights, _, _ = read_connectivity(path)
        except DataError as error:
            assert str(path) in str(error)
        else:
            assert weights.ndim == 2


def test_maps_come_back_equal(tmp_path: Path, holds: Callable) -> None:
    path = tmp_path / "maps.csv"
    finite = st.floats(allow_nan=False, allow_infinity=False)

    @holds(st.lists(NAME, min_size=1, max_size=4, unique=True), st.data(), st.booleans())
    def check(names: list[str], data: st.DataObject, named: bool) -> None:
        labels = tuple(data.draw(st.lists(NAME, min_size=1, max_size=5, unique=True)))
        values = {n: [data.draw(finite) for _ in labels] for n in names}
        order = data.draw(st.permutations(range(len(labels)))) if named else range(len(labels))
        rows = [",".join([*(["region"] if named else []), *names])]
        for k in order:
            cells = [repr(values[n][k]) for n in names]
            rows.append(",".join([*([labels[k]] if named else []), *cells]))
        path.write_text("\n".join(rows))
        found = read_maps(path, labels)
        assert list(found) == names
        for name in names:
            np.testing.assert_array_equal(found[name], values[name])


def test_any_bytes_are_maps_or_an_error(tmp_path: Path, holds: Callable) -> None:
    path = tmp_path / "maps.csv"

    @holds(mutated(b"region,myelin,gradient\na,1.5,2\nb,-3,4e-1\n") | st.binary(max_size=200))
    def check(raw: bytes) -> None:
        path.write_bytes(raw)
        try:
            found = read_maps(path, ("a", "b"))
        except DataError as error:
            assert str(path) in str(error)
        else:
            assert all(v.shape == (2,) and np.isfinite(v).all() for v in found.values())


def lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: lists(inner) for key, inner in value.items()}
    return [lists(inner) for inner in value] if isinstance(value, tuple) else value


def test_json_is_read_as_it_is_meant(holds: Callable) -> None:
    """JSON is a part of YAML: values and types come back, and every key has a line."""

    @holds(st.dictionaries(TEXT, VALUES, max_size=5), st.sampled_from([None, 1, 2]))
    def check(data: dict[str, Any], indent: int | None) -> None:
        raw = json.dumps(data, ensure_ascii=False, indent=indent).encode()
        found, source = parse(raw, "f")
        found = lists(found)
        assert found == data
        assert json.dumps(found) == json.dumps(data)  # types too: True is not 1, nor 1.0
        assert all((key,) in source.lines for key in data)


@pytest.mark.parametrize(("read", "good"), [(load, STUDY), (load_trial, TRIAL)])
def test_any_bytes_are_a_file_or_an_error(
    tmp_path: Path, holds: Callable, read: Callable, good: bytes
) -> None:
    path = tmp_path / "study.yaml"

    @holds(mutated(good) | st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
    def check(raw: bytes) -> None:
        path.write_bytes(raw)
        try:
            read(path)
        except ConfigError as error:
            assert str(path) in str(error)
        except HpcvbiError:
            pass
