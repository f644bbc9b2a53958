"""MANIFEST.json: whose store this is. Written last at creation, always compared.

It is never changed, but for a withdrawal, which takes a person out of it; then what is left is
compared, and the identity stays the one that ledger and groups were written under.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError, StoreMismatch
from hpcvbi.store.durable import sha256, write_durably

FORMAT = 1
_SHOWN = 20


def write_manifest(folder: Path, study: Mapping[str, Any], study_sha256: str) -> None:
    """Publish the manifest; FileExistsError if another process was faster."""
    write_durably(folder / "MANIFEST.json", _text(study, study_sha256), exclusive=True)


def replace_manifest(folder: Path, study: Mapping[str, Any], study_sha256: str) -> None:
    """Replace the manifest by one with another content under the same identity."""
    path, text = folder / "MANIFEST.json", _text(study, study_sha256)
    if path.read_bytes() != text:
        write_durably(path, text)


def _text(study: Mapping[str, Any], study_sha256: str) -> bytes:
    body = {"format": FORMAT, "sha256": study_sha256, "study": study, "check": _check(study)}
    return (json.dumps(body, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def without(study: Mapping[str, Any], people: Iterable[str]) -> dict[str, Any]:
    """Return the content of a manifest that knows nothing of these people."""
    left, gone = json.loads(json.dumps(study)), set(people)
    if isinstance(left.get("people"), dict):
        left["people"] = {p: digest for p, digest in left["people"].items() if p not in gone}
    cohort = left.get("study", {}).get("cohort", {}) if isinstance(left.get("study"), dict) else {}
    if isinstance(cohort.get("people"), list):
        cohort["people"] = [p for p in cohort["people"] if p not in gone]
    return left


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the study as stored and its SHA-256; StoreError where it is missing or damaged."""
    path = folder / "MANIFEST.json"
    try:
        body = json.loads(path.read_bytes())
        study, study_sha256 = body["study"], body["sha256"]
        intact = body["check"] == _check(study) and isinstance(study_sha256, str)
        known = body["format"] == FORMAT
    except FileNotFoundError:
        raise StoreError(f"{folder} holds no study: {path.name} is missing") from None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise _damaged(path) from None
    if not intact:
        raise _damaged(path)
    if not known:
        raise StoreError(
            f"{path} has format {body['format']!r}; this hpcvbi reads format {FORMAT}. "
            "Use the version of hpcvbi that wrote it."
        )
    return study, study_sha256


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
        + f"{folder}/MANIFEST.json shows."
    )


def differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """One line per key whose value differs, in the order of the keys."""
    # through JSON, so that a tuple equals the list it was stored as
    left, right = (dict(_leaves(json.loads(json.dumps(side)))) for side in (stored, given))
    for key in sorted(left.keys() | right.keys()):
        was, now = (json.dumps(side[key]) if key in side else "absent" for side in (left, right))
        if was != now:
            yield f"{key}: {was} in the store, {now} in your study"


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf; an empty mapping or list is a leaf."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{prefix}[{index}]")
    else:
        yield prefix, value


def _check(study: Any) -> str:
    return sha256(json.dumps(study, sort_keys=True, separators=(",", ":")).encode())


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"{path} is damaged (torn or edited), so it cannot be known whose results these are. "
        "Restore it from a copy, or choose another `output:`."
    )
