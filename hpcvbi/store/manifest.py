"""Whose store this is. MANIFEST.json is written last at creation, always compared, and changed only
by a withdrawal, which takes a person out; the identity stays that of ledger and groups.

Each extension on purpose adds a file `MANIFEST.000001.json`, `MANIFEST.000002.json`, ... that names
the study before it: the last one counts. A file appears at once and whole, by link(2), so that a
crash leaves the old study or the new one. The ledger belongs to the first manifest for ever.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError, StoreMismatch
from hpcvbi.store.durable import sha256, write_durably
from hpcvbi.store.trust import LARGEST_MANIFEST, read_json

FORMAT = 1
ABSENT: Any = ...
"""Stands for the value of a key that is not there."""
_SHOWN = 20
_WIDE = 200
_DEEPEST = 50


@dataclass(frozen=True)
class Manifest:
    """A study, its identity, and what was superseded when it took over from the one before.

    `superseded` names groups that everybody in the store loses; `before` is the identity of the
    study before, None for the first; `changes` says what was added, `at` when (ISO 8601, UTC).
    """

    study: dict[str, Any]
    sha256: str
    before: str | None = None
    superseded: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    at: str | None = None


def write_manifest(folder: Path, study: Mapping[str, Any], study_sha256: str) -> None:
    """Publish the manifest; FileExistsError if another process was faster."""
    _publish(folder / "MANIFEST.json", {"sha256": study_sha256, "study": study})


def write_extension(
    folder: Path, study: Mapping[str, Any], study_sha256: str, superseded: Sequence[str]
) -> None:
    """Publish the study that takes over from the present one; FileExistsError as above."""
    chain = read_manifests(folder)
    lines = differences(chain[-1].study, study)
    body = {
        "sha256": study_sha256,
        "study": study,
        "before": chain[-1].sha256,
        "superseded": sorted(superseded),
        # who came in stands in `people` alone, from where a person can be taken out
        "changes": [line for line in lines if not line.startswith("people.")],
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    _publish(_path(folder, len(chain)), body)


def forget(folder: Path, person: str) -> None:
    """Take a person out of all manifests; their identities stay."""
    for number in range(len(read_manifests(folder))):
        path = _path(folder, number)
        body = json.loads(path.read_bytes())
        left = body | {"study": without(body["study"], [person])}
        if "changes" in body:
            left["changes"] = [x for x in body["changes"] if not x.startswith(f"people.{person}:")]
        if left != body:
            write_durably(path, _text(left))


def knows(folder: Path, person: str) -> bool:
    """Whether a manifest names a person."""
    return any(without(m.study, [person]) != m.study for m in read_manifests(folder))


def without(study: Mapping[str, Any], people: Iterable[str]) -> dict[str, Any]:
    """Return the content of a manifest that knows nothing of these people."""
    left, gone = json.loads(json.dumps(study)), set(people)
    if isinstance(left.get("people"), dict):
        left["people"] = {p: digest for p, digest in left["people"].items() if p not in gone}
    cohort = left["study"].get("cohort", {}) if isinstance(left.get("study"), dict) else {}
    if isinstance(cohort.get("people"), list):
        cohort["people"] = [p for p in cohort["people"] if p not in gone]
    return left


def read_manifests(folder: Path) -> tuple[Manifest, ...]:
    """Return the first manifest and all that took over from it; StoreError where one is missing or
    damaged.
    """
    chain = [_read(_path(folder, 0))]
    while (path := _path(folder, len(chain))).exists():
        found = _read(path)
        if found.before != chain[-1].sha256:
            raise StoreError(
                f"{path} does not follow the study before it, so it cannot be known whose results "
                "these are: it is of another store. Restore it from a copy"
            )
        chain.append(found)
    later = sorted(p.name for p in folder.glob("MANIFEST.*.json") if p.name > path.name)
    if later:
        raise StoreError(
            f"{path} is missing, but {later[0]} is there: restore the missing one from a copy"
        )
    return tuple(chain)


def check_same_study(
    folder: Path,
    stored: Mapping[str, Any],
    stored_sha256: str,
    given: Mapping[str, Any],
    given_sha256: str,
    withdrawn: Iterable[str] = (),
) -> None:
    """Raise StoreMismatch, with what differs, unless both are the same study, but for people who
    have withdrawn.
    """
    if stored_sha256 == given_sha256:
        return
    gone = list(withdrawn)
    if gone:
        stored, given = without(stored, gone), without(given, gone)
    lines = list(differences(stored, given))
    if gone and not lines:
        return
    shown = lines[:_SHOWN] or ["no key differs: the data files or the meaning of the keys changed"]
    if len(lines) > _SHOWN:
        shown.append(f"... and {len(lines) - _SHOWN} more")
    raise StoreMismatch(
        f"{folder} holds another study "
        f"(sha256 {stored_sha256[:12]}, yours is {given_sha256[:12]}):\n  "
        + "\n  ".join(shown)
        + "\nNothing was touched. Choose another `output:`, or restore the study that "
        + f"{_path(folder, len(read_manifests(folder)) - 1)} shows."
    )


def differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """One line per key whose value differs, in the order of the keys."""
    for key, *both in changes(stored, given):
        texts = ("absent" if value is ABSENT else json.dumps(value) for value in both)
        was, now = (text if len(text) <= _WIDE else text[:_WIDE] + "..." for text in texts)
        yield f"{key[:_WIDE]}: {was} in the store, {now} in your study"


def changes(stored: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Key as in a study file, old and new value of every leaf that differs; or ABSENT."""
    # through JSON, so that a tuple equals the list it was stored as
    left, right = (dict(_leaves(json.loads(json.dumps(side)))) for side in (stored, given))
    for key in sorted(left.keys() | right.keys()):
        was, now = left.get(key, ABSENT), right.get(key, ABSENT)
        if was is ABSENT or now is ABSENT or json.dumps(was) != json.dumps(now):
            yield key.removeprefix("study."), was, now


def _leaves(value: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf; an empty mapping or list is a leaf, and a deep one."""
    if isinstance(value, dict) and value and depth < _DEEPEST:
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else key, depth + 1)
    elif isinstance(value, list) and value and depth < _DEEPEST:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{prefix}[{index}]", depth + 1)
    else:
        yield prefix, value


def _path(folder: Path, number: int) -> Path:
    return folder / (f"MANIFEST.{number:06d}.json" if number else "MANIFEST.json")


def _publish(path: Path, about: Mapping[str, Any]) -> None:
    write_durably(path, _text({"format": FORMAT, **about}), exclusive=True)


def _text(body: Mapping[str, Any]) -> bytes:
    """Return what a file of this content holds, its checksum included."""
    held = {key: value for key, value in body.items() if key != "check"}
    held["check"] = _check(held if "before" in held else held["study"])
    return (json.dumps(held, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _read(path: Path) -> Manifest:
    try:
        body = read_json(path, LARGEST_MANIFEST)
        check, study = body.pop("check"), body["study"]
        intact = check == _check(body if "before" in body else study) and isinstance(study, dict)
        intact = intact and isinstance(body["sha256"], str) and len(body["sha256"]) <= 64
        known = body.pop("format") == FORMAT
        found = Manifest(
            study,
            body["sha256"],
            body.get("before"),
            tuple(body.get("superseded", ())),
            tuple(body.get("changes", ())),
            body.get("at"),
        )
    except FileNotFoundError:
        raise StoreError(f"{path.parent} holds no study: {path.name} is missing") from None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(path) from None
    if not intact:
        raise _damaged(path)
    if not known:
        raise StoreError(
            f"{path} has another format; this hpcvbi reads format {FORMAT}. "
            "Use the version of hpcvbi that wrote it."
        )
    return found


def _check(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"{path} is damaged (torn or edited), so it cannot be known whose results these are. "
        "Restore it from a copy, or choose another `output:`."
    )
