"""The files of `test_hostile_input.py`: how each of them is forged."""

import io
import os
import pickle
import socket
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import scipy.io
from hostile_harness import Trap

GOOD = "1,2\n3,4\n"


def npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def described(dtype: str, shape: str) -> str:
    return f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"


HUGE = npy(described("'<f8'", "(1000000, 1000000)"), b"x" * 64)
ZEROS = npy(described("'<f8'", "(1500, 1500)")) + bytes(8 * 1500**2)


def objects(folder: Path) -> bytes:
    return npy(described("'|O'", "(1, 1)"), pickle.dumps(Trap(folder)))


def holds(name: str, content: bytes | Callable[[Path], bytes]) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content(folder))

    return make


def zipped(name: str, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return raw.getvalue()


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], object]:
    return holds("weights.npz", zipped("weights.npz", members, method))


def tvb(members: dict[str, bytes]) -> Callable[[Path], object]:
    return holds("connectivity.zip", zipped("", members))


def patched(raw: bytes, old: bytes, new: bytes) -> bytes:
    assert old in raw
    assert len(old) == len(new)
    return raw.replace(old, new)


def end_of(raw: bytes, **fields: int) -> bytes:
    """Forge the last 22 bytes of an archive."""
    at = raw.rfind(b"PK\x05\x06")
    end = list(struct.unpack("<4sHHHHIIH", raw[at:]))
    for name, value in fields.items():
        end[("", "", "", "members", "all", "bytes", "at").index(name)] = value
    return raw[:at] + struct.pack("<4sHHHHIIH", *end)


def one_npz() -> bytes:
    return zipped("", {"weights.npy": npy(described("'<f8'", "(1, 1)"), bytes(8))})


def encrypted() -> bytes:
    raw = bytearray(one_npz())
    raw[6] |= 1
    raw[raw.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


LONG_FORM = b"PK\x06\x07" + bytes(16)
"""Locator of a directory with numbers of 64 bits."""


def duplicated() -> bytes:
    return patched(zipped("", {"a.npy": b"1", "b.npy": b"2"}), b"b.npy", b"a.npy")


def linked() -> bytes:
    raw = io.BytesIO()
    info = zipfile.ZipInfo("weights.npy")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return raw.getvalue()


def understated() -> bytes:
    """A member that says it is small and is not."""
    raw = zipped("", {"weights.npy": npy(described("'<f8'", "(512, 512)")) + bytes(8 * 512**2)})
    size = struct.pack("<I", 128 + 8 * 512**2)
    return raw.replace(size, struct.pack("<I", 128 + 64))


def mat(*elements: bytes, head: bytes = b"MATLAB 5.0 MAT-file") -> bytes:
    return head.ljust(124) + b"\x00\x01IM" + b"".join(elements)


def part(kind: int, data: bytes, claimed: int | None = None) -> bytes:
    length = len(data) if claimed is None else claimed
    return struct.pack("<II", kind, length) + data + bytes(-len(data) % 8)


def variable(
    rows: int, columns: int, numbers: bytes, flags: int = 6, claimed: int | None = None
) -> bytes:
    body = part(6, struct.pack("<II", flags, 0)) + part(5, struct.pack("<ii", rows, columns))
    body += part(1, b"weights") + part(9, numbers, claimed)
    return part(14, body)


def packed(element: bytes) -> bytes:
    raw = zlib.compress(element)
    return struct.pack("<II", 15, len(raw)) + raw


def saved(name: str, content: object, **options: bool) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        scipy.io.savemat(folder / "weights.mat", {name: content}, **options)

    return make


def nifti(folder: Path) -> bytes:
    """A header that claims (32767)^4 voxels of 8 bytes."""
    header = bytearray(352)
    header[:4] = struct.pack("<i", 348)
    header[40:56] = struct.pack("<8h", 4, 32767, 32767, 32767, 32767, 1, 1, 1)
    header[344:348] = b"n+1\0"
    return bytes(header)


def tar(folder: Path) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        info = tarfile.TarInfo("../../escaped.csv")
        info.size = len(GOOD)
        archive.addfile(info, io.BytesIO(GOOD.encode()))
    return raw.getvalue()


def torch_zip(folder: Path) -> bytes:
    return zipped("", {"archive/data.pkl": pickle.dumps(Trap(folder)), "archive/version": b"3\n"})


def fifo(name: str) -> Callable[[Path], object]:
    return lambda folder: os.mkfifo(folder / name)


def link(name: str, target: str) -> Callable[[Path], object]:
    return lambda folder: os.symlink(target, folder / name)


def listening(folder: Path) -> None:
    here = os.getcwd()
    os.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as found:
        found.bind("weights.csv")
    os.chdir(here)


def person(**files: bytes | str) -> Callable[[Path], object]:
    """A cohort of one person, with files that are good unless they are given."""

    def make(folder: Path) -> None:
        home = folder / "cohort/anna"
        home.mkdir(parents=True)
        for name in ("weights", "lengths"):
            (home / f"{name}.csv").write_text(GOOD)
        for name, content in files.items():
            path = home / f"{name}.{'txt' if name == 'labels' else 'csv'}"
            path.unlink(missing_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                os.symlink(content, path)

    return make


def directory(folder: Path) -> None:
    person()(folder)
    (folder / "cohort/anna/weights.csv").unlink()
    (folder / "cohort/anna/weights.csv").mkdir()


def escaping_person(folder: Path) -> None:
    person()(folder)
    os.symlink("/etc", folder / "cohort/ben")
