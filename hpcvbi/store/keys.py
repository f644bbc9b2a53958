"""Keys: a random one per person, wrapped by the study's key, which never lies in the store.

    keys/study.key              a random secret of the store, wrapped: it tells a wrong key at once
    keys/people/<person>.key    the person's data key, wrapped; to delete it is to erase the person

The study's key is 256 bits, from a file that only its owner can read, or from an environment
variable; `study.key` remembers which (the place, never the key), so that the owner's readers find
it. Wrapping is AES-256-GCM with a random nonce, bound to whose key it is.
"""

import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import KeyRefused, StoreError
from hpcvbi.core.identifier import check_chain
from hpcvbi.store.durable import make_directory, sync, write_durably
from hpcvbi.store.seal import DataKey
from hpcvbi.store.trust import read_json

_LARGEST = 1024
"""Bytes of the largest file that is looked at as a key."""
_HOW = "(umask 077; openssl rand -hex 32 > FILE) makes one"


@dataclass(frozen=True)
class KeySource:
    """Where the study's key comes from: a file or an environment variable."""

    file: str | None = None
    variable: str | None = None

    def __post_init__(self) -> None:
        if (self.file is None) == (self.variable is None):
            raise KeyRefused("name either the file or the environment variable that holds the key")

    def __str__(self) -> str:
        return f"environment variable {self.variable}" if self.variable else f"file {self.file}"

    def read(self) -> "StudyKey":
        """Return the key; KeyRefused where it is absent, readable by others, or no key."""
        text = self._variable() if self.variable else self._file()
        try:
            value = bytes.fromhex(text.strip())
        except ValueError:
            value = b""
        if len(value) != 32:
            raise KeyRefused(f"{self} holds no key: 64 hexadecimal digits are needed; {_HOW}")
        return StudyKey(value)

    def _variable(self) -> str:
        text = os.environ.get(str(self.variable))
        if text is None:
            raise KeyRefused(f"{self} is not set: it has to hold the study's key")
        return text

    def _file(self) -> str:
        path = Path(str(self.file))
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
                raise KeyRefused(f"{self} is no key: it is not a small regular file; {_HOW}")
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise KeyRefused(f"{self} can be read by others: chmod 600 {path}")
            return path.read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise KeyRefused(f"cannot read the key, {self}: {error.strerror}") from None


@dataclass(frozen=True)
class StudyKey:
    """The key that wraps the others. It is never shown."""

    value: bytes = field(repr=False)


_studies: dict[str, StudyKey] = {}
_people: dict[tuple[str, str], DataKey] = {}


def is_sealed(folder: Path) -> bool:
    """Whether the people's data in a store are encrypted."""
    return (folder / "keys").is_dir()


def begin(folder: Path, source: KeySource) -> None:
    """Open the keys of a store, or make them before the store is; keeps the key for this process.

    Raises
    ------
    KeyRefused
        The key is missing, wrong, or lies in the store.
    """
    if source.file and Path(source.file).resolve().is_relative_to(folder.resolve()):
        raise KeyRefused(f"the key, {source}, lies in the store {folder}: keep it elsewhere")
    key, path = source.read(), folder / "keys/study.key"
    if not path.exists():
        if (folder / "MANIFEST.json").exists():
            raise StoreError(
                f"{folder} is a store without {path.relative_to(folder)}: either it was not "
                "encrypted from its beginning, then choose another `output:`, or its keys were "
                "lost, then restore them from a copy"
            )
        make_directory(folder / "keys/people")
        sync(folder / "keys")
        body = _wrapped(key, "study", secrets.token_bytes(32)) | {"from": _place(source)}
        _publish(path, body)
    unlock(folder, key)
    held = _read(path)
    if held.get("from") != _place(source):
        write_durably(path, _text({**held, "from": _place(source)}))


def unlock(folder: Path, key: StudyKey) -> None:
    """Keep the key of a store for this process; KeyRefused if it is another store's."""
    _unwrapped(key, "study", folder / "keys/study.key")
    _studies[_name(folder)] = key


def study_key(folder: Path) -> StudyKey:
    """Return the key of an encrypted store, from where it was said to be if none is at hand."""
    name = _name(folder)
    if name not in _studies:
        place = _read(folder / "keys/study.key").get("from", {})
        try:
            unlock(folder, KeySource(**place).read())
        except KeyRefused as error:
            raise KeyRefused(f"the people's data in {folder} are encrypted, and {error}") from None
        except TypeError:
            raise KeyRefused(f"{folder}/keys/study.key is damaged: restore it") from None
    return _studies[name]


def data_key(folder: Path, person: str, *, make: bool = False) -> DataKey:
    """Return a person's key; with `make`, a fresh one where there is none."""
    name = _name(folder), check_chain(person)
    path = _path(folder, person)
    if name not in _people or not path.exists():
        _people.pop(name, None)
        if make and not path.exists():
            _publish(path, _wrapped(study_key(folder), f"person {person}", secrets.token_bytes(32)))
        _people[name] = DataKey(_unwrapped(study_key(folder), f"person {person}", path))
    return _people[name]


def adopt(folder: Path, other: Path, person: str) -> None:
    """Take a person's key over from another store whose keys the same study's key wraps.

    Raises
    ------
    KeyRefused
        `folder` has another key for the person.
    """
    theirs = data_key(other, person)
    _publish(_path(folder, person), _read(_path(other, person)))
    if data_key(folder, person).secret != theirs.secret:
        raise KeyRefused(
            f"{person} has one key in {folder} and another in {other}: something of theirs was "
            "computed in both. Choose another `output:` for the merged study"
        )


def name_of_key(folder: Path, person: str, study: Mapping[str, Any], *, make: bool) -> str | None:
    """Return the name of the key that seals a person's data, made if need be; None where the
    `study` in the manifest is not encrypted.
    """
    if is_sealed(folder):
        return data_key(folder, person, make=make).id
    if study.get("study", {}).get("encryption"):
        raise KeyRefused(f"{folder}/keys is gone: restore it from a copy")
    return None


def key_named(id: str) -> DataKey | None:
    """Return the key of this name, if this process has it."""
    return next((key for key in _people.values() if key.id == id), None)


def forget(folder: Path, person: str) -> None:
    """Delete a person's key, durably: whatever was encrypted with it, wherever, is unreadable."""
    _people.pop((_name(folder), person), None)
    path = _path(folder, check_chain(person))
    if path.parent.is_dir():
        for leftover in path.parent.glob(f"{path.name}*"):
            leftover.unlink(missing_ok=True)
        sync(path.parent)


def blind(folder: Path, person: str, digest: str) -> str:
    """Return the digest of a person's data as it may be written down: keyed where they are
    encrypted.
    """
    return data_key(folder, person).blind(digest) if is_sealed(folder) else digest


def fingerprint(folder: Path, digest: str) -> str:
    """Return the digest of a person's source data as it may stand in the manifest."""
    if not is_sealed(folder):
        return digest
    secret = _unwrapped(study_key(folder), "study", folder / "keys/study.key")
    return hmac.digest(secret, digest.encode(), "sha256").hex()


def _path(folder: Path, person: str) -> Path:
    return folder / "keys/people" / f"{person}.key"


def _name(folder: Path) -> str:
    return str(folder.resolve())


def _place(source: KeySource) -> dict[str, str]:
    if source.variable:
        return {"variable": source.variable}
    return {"file": str(Path(str(source.file)).resolve())}


def _wrapped(key: StudyKey, whose: str, secret: bytes) -> dict[str, Any]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(12)
    sealed = AESGCM(key.value).encrypt(nonce, secret, _bound(whose))
    return {"cipher": "aes-256-gcm", "nonce": nonce.hex(), "wrapped": sealed.hex()}


def _unwrapped(key: StudyKey, whose: str, path: Path) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    body = _read(path)
    try:
        nonce, sealed = bytes.fromhex(body["nonce"]), bytes.fromhex(body["wrapped"])
        return AESGCM(key.value).decrypt(nonce, sealed, _bound(whose))
    except (KeyError, TypeError, ValueError):
        raise KeyRefused(f"{path} is damaged: restore it from a copy") from None
    except InvalidTag:
        raise KeyRefused(f"the study's key is the wrong one: it does not open {path}") from None


def _bound(whose: str) -> bytes:
    return json.dumps(["hpcvbi key 1", whose]).encode()


def _read(path: Path) -> dict[str, Any]:
    try:
        body = read_json(path, 4 * _LARGEST)
    except FileNotFoundError:
        raise KeyRefused(f"the wrapped key {path} is gone: what it sealed is unreadable") from None
    except (OSError, ValueError) as error:
        raise KeyRefused(f"cannot read the wrapped key {path}: {error}") from None
    return body if isinstance(body, dict) else {}


def _publish(path: Path, body: dict[str, Any]) -> None:
    try:
        write_durably(path, _text(body), exclusive=True)
    except FileExistsError:
        return  # another process was faster: its key counts


def _text(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True).encode() + b"\n"
