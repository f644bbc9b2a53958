"""What pydantic found wrong, said to the author of a study file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hpcvbi.config.source import Key, Source
from hpcvbi.core.errors import ConfigError

SHOWN = 10

_TEXTS = {
    "missing": "is missing",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text; put it in quotes",
    "tuple_type": "must be a list: [a, b]",
    "dict_type": "must be a mapping: lines of `key: value`",
    "model_type": "must be a mapping: lines of `key: value`",
    "model_attributes_type": "must be a mapping: lines of `key: value`",
    "none_required": "must be null",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be {ge:g} at least",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} at most",
    "too_short": "must not be empty",
    "too_long": "must not have more than {max_length} entries",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is missing",
    "hpcvbi": "{what}",
}


def explain(
    error: ValidationError, model: type[BaseModel], data: Any, source: Source
) -> ConfigError:
    """Return the ConfigError that lists what is wrong with `data`, one line per key."""
    found: dict[tuple[Key, ...], list[_Complaint]] = {}
    for item in error.errors(include_url=False):
        path = _path(item["loc"], data, item["type"])
        if item["type"].startswith("union_tag"):
            path = (*path, "kind")
        found.setdefault(path, []).append(_complaint(item, model, path, data))
    lines = [
        source.describe(path, _joined(complaints))
        for path, complaints in found.items()
        # a union complains about the whole and about the part: the part is what helps
        if not any(len(other) > len(path) and other[: len(path)] == path for other in found)
    ]
    if len(lines) > SHOWN:
        lines[SHOWN:] = [f"... and {len(lines) - SHOWN} more"]
    return ConfigError("\n".join(lines))


def _path(location: tuple[Key, ...], data: Any, kind: str) -> tuple[Key, ...]:
    """Leave out of pydantic's location what names a branch of a union, not a key."""
    path: list[Key] = []
    for number, part in enumerate(location):
        keys = range(len(data)) if isinstance(data, tuple) else data
        if isinstance(data, Mapping | tuple) and part in keys:
            data = data[part]  # type: ignore[index]
            path.append(part)
        elif kind == "missing" and number == len(location) - 1:
            path.append(part)
    return tuple(path)


@dataclass(frozen=True)
class _Complaint:
    """`rule` says what must be, `found` what is there instead; specific ones explain themselves."""

    rule: str
    found: str = ""
    specific: bool = False


def _joined(complaints: list[_Complaint]) -> str:
    """One sentence for one key: where a union lists its branches, the specific one counts."""
    best = next((c for c in complaints if c.specific), None)
    if best is not None:
        return best.rule
    first, *rest = dict.fromkeys(c.rule for c in complaints)
    return " or ".join([first, *(r.removeprefix("must be ") for r in rest)]) + complaints[0].found


def _complaint(item: Any, model: type[BaseModel], path: tuple[Key, ...], data: Any) -> _Complaint:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return _Complaint("unknown key" + _suggest(str(path[-1]), _keys_at(model, path[:-1], data)))
    template = _TEXTS.get(kind)
    rule = template.format(**context) if template else item["msg"]
    if kind in ("missing", "union_tag_not_found", "hpcvbi"):
        return _Complaint(rule, specific=kind == "hpcvbi")
    value = context["tag"] if kind == "union_tag_invalid" else item["input"]
    choices = re.findall(r"'([^']*)'", context.get("expected", context.get("expected_tags", "")))
    near = get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return _Complaint(rule, f", got {_shown(value)}{hint}")


def _suggest(key: str, valid: list[str]) -> str:
    near = get_close_matches(key, valid, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; valid here: {', '.join(valid)}"


def _shown(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    is_word = value is None or isinstance(value, bool)
    text = words[value] if is_word else "a mapping" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_at(model: type[BaseModel], path: tuple[Key, ...], data: Any) -> list[str]:
    """Keys that are valid in the section at `path`; of alternatives, in the one that is chosen."""
    sections = [model]
    for part in path:
        data = data[part]
        known = [s.model_fields[part].annotation for s in sections if part in s.model_fields]
        if known:
            sections = [section for annotation in known for section in _sections(annotation)]
    chosen = data.get("kind") if isinstance(data, Mapping) else None
    fitting = [
        s
        for s in sections
        if chosen is not None
        and "kind" in s.model_fields
        and chosen in get_args(s.model_fields["kind"].annotation)
    ]
    return [key for section in fitting or sections for key in section.model_fields]


def _sections(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for inner in get_args(annotation) for section in _sections(inner)]
