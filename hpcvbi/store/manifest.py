"""MANIFEST.json: whose store this is. Written last at creation, never changed, always compared."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import StoreError, StoreMismatch
from hpcvbi.store.durable import sha256, write_durably
from hpcvbi.store.trust import LARGEST_MANIFEST, read_json

FORMAT = 1
_SHOWN = 20
_WIDE = 200
_DEEPEST = 50


def write_manifest(folder: Path, study: Mapping[str, Any], study_sha256: str) -> None:
    """Publish the manifest; FileExistsError if another process was faster."""
    body = {"format": FORMAT, "sha256": study_sha256, "study": study, "check": _check(study)}
    text = json.dumps(body, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_durably(folder / "MANIFEST.json", text.encode(), exclusive=True)


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the study as stored and its SHA-256; StoreError where it is missing or damaged."""
    path = folder / "MANIFEST.json"
    try:
        body = read_json(path, LARGEST_MANIFEST)
        study, study_sha256 = body["study"], body["sha256"]
        intact = body["check"] == _check(study) and isinstance(study, dict)
        intact = intact and isinstance(study_sha256, str) and len(study_sha256) <= 64
        known = body["format"] == FORMAT
    except FileNotFoundError:
        raise StoreError(f"{folder} holds no study: {path.name} is missing") from None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged(path) from None
    if not intact:
        raise _damaged(path)
    if not known:
        raise StoreError(
            f"{path} has format {repr(body['format'])[:40]}; this hpcvbi reads format {FORMAT}. "
            "Use the version of hpcvbi that wrote it."
        )
    return study, study_sha256


def check_same_study(
    folder: Path,
    stored: Mapping[str, Any],
    stored_sha256: str,
    given: Mapping[str, Any],
    given_sha256: str,
) -> None:
    """Raise StoreMismatch, with what differs, unless both are the same study."""
    if stored_sha256 == given_sha256:
        return
    lines = list(differences(stored, given))
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
            was, now = (text if len(text) <= _WIDE else text[:_WIDE] + "..." for text in (was, now))
            yield f"{key[:_WIDE]}: {was} in the store, {now} in your study"


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


def _check(study: Any) -> str:
    return sha256(json.dumps(study, sort_keys=True, separators=(",", ":")).encode())


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"{path} is damaged (torn or edited), so it cannot be known whose results these are. "
        "Restore it from a copy, or choose another `output:`."
    )
