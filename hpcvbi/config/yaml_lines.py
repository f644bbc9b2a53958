"""YAML without its traps, with the line of every key.

Only mappings, sequences and scalars are read. Anchors, aliases, tags, duplicate keys, a second
document, more than a megabyte, nesting beyond 50 levels and keys beyond 200 characters are errors.
Plain scalars are read by the core schema of YAML 1.2 (`no`, `on` and `0123` are text, 1e-3 is a
number); sequences become tuples, keys are always text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from hpcvbi.config.source import Key, Source
from hpcvbi.core.errors import ConfigError

LARGEST = 2**20
DEEPEST = 50
LONGEST_KEY = 200

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,300})")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", "+.inf", ".Inf", ".INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass
class _Open:
    """A mapping or sequence whose end has not been read yet."""

    path: tuple[Key, ...]
    items: dict[str, Any] | list[Any]
    key: str | None = None


@dataclass
class _Reading:
    source: Source
    open: list[_Open] = field(default_factory=list)
    root: Any = None

    def take(self, event: NodeEvent) -> None:
        """Read one event of the parser."""
        line = event.start_mark.line + 1
        self._refuse_traps(event, line)
        above = self.open[-1] if self.open else None
        if above and isinstance(above.items, dict) and above.key is None:
            above.key = self._new_key(event, above, line)
            return
        path = self._place(above)
        self.source.lines.setdefault(path, line)
        if isinstance(event, ScalarEvent):
            self._attach(above, _resolve(event))
        else:
            if len(self.open) == DEEPEST:
                raise self.source.at_line(line, f"nested deeper than {DEEPEST} levels")
            self.open.append(_Open(path, {} if isinstance(event, MappingStartEvent) else []))

    def close(self) -> None:
        """End the innermost mapping or sequence."""
        done = self.open.pop()
        value = done.items if isinstance(done.items, dict) else tuple(done.items)
        self._attach(self.open[-1] if self.open else None, value)

    def _refuse_traps(self, event: NodeEvent, line: int) -> None:
        if isinstance(event, AliasEvent):
            raise self.source.at_line(line, f"alias *{event.anchor}: write the value out instead")
        if event.anchor is not None:
            raise self.source.at_line(line, f"anchor &{event.anchor}: remove it, write values out")
        if getattr(event, "tag", None) is not None:
            raise self.source.at_line(line, f"tag {event.tag}: remove it, write a plain value")  # type: ignore[attr-defined]

    def _new_key(self, event: NodeEvent, above: _Open, line: int) -> str:
        if not isinstance(event, ScalarEvent):
            raise self.source.at_line(line, "a key must be a name, not a list or a mapping")
        if len(event.value) > LONGEST_KEY:
            raise self.source.at_line(line, f"a key of more than {LONGEST_KEY} characters")
        path = (*above.path, event.value)
        if event.value in above.items:
            first = self.source.lines[path]
            raise self.source.at_line(
                line, f"{'.'.join(map(str, path))}: written twice, first in line {first}"
            )
        self.source.lines[path] = line
        return event.value

    @staticmethod
    def _place(above: _Open | None) -> tuple[Key, ...]:
        if above is None:
            return ()
        return (*above.path, len(above.items) if above.key is None else above.key)

    def _attach(self, above: _Open | None, value: Any) -> None:
        if above is None:
            self.root = value
        elif isinstance(above.items, list):
            above.items.append(value)
        else:
            assert above.key is not None
            above.items[above.key], above.key = value, None


def parse(raw: bytes, file: str, what: str = "a study file") -> tuple[dict[str, Any], Source]:
    """Return the mapping that `raw` holds, and where its keys stand; `what` it is, for errors.

    Raises
    ------
    ConfigError
        What is no mapping in plain YAML; the message begins with FILE:LINE.
    """
    source = Source(file, {})
    if len(raw) > LARGEST:
        raise ConfigError(f"{file}: more than {LARGEST} bytes; {what} has a few thousand")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise source.at_line(line, "not UTF-8 text; save the file as UTF-8") from None
    reading = _Reading(source)
    for event in _events(text, source):
        if isinstance(event, CollectionEndEvent):
            reading.close()
        else:
            reading.take(event)
    if not isinstance(reading.root, dict):
        raise source.at_line(1, f"{what} is a mapping: lines of `key: value`")
    return reading.root, source


def _events(text: str, source: Source) -> Iterator[Any]:
    documents = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            documents += isinstance(event, DocumentStartEvent)
            if documents > 1:
                line = event.start_mark.line + 1
                raise source.at_line(line, "a second document (---): one per file")
            if isinstance(
                event, NodeEvent | SequenceStartEvent | MappingStartEvent | CollectionEndEvent
            ):
                yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(filter(None, (error.context, error.problem)))
        raise source.at_line(mark.line + 1 if mark else 1, f"not YAML: {what}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise source.at_line(line, f"not YAML: character {error.character:#x}") from None


def _resolve(event: ScalarEvent) -> Any:
    text = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
