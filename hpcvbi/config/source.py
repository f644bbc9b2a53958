"""Where the keys of a study were written, so that an error can point there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hpcvbi.core.errors import ConfigError, HpcvbiError

Key = str | int
LONGEST_MESSAGE = 2000
"""Characters of the longest message: what a file holds may be quoted in it."""


@dataclass(frozen=True)
class Source:
    """A file, and the line of every key path in it; without lines where a study is no file."""

    file: str
    lines: dict[tuple[Key, ...], int] = field(default_factory=dict)

    def at_line(self, line: int, what: str) -> ConfigError:
        """Return an error about this line."""
        return ConfigError(f"{self.file}:{line}: {_short(what)}")

    def describe(self, path: tuple[Key, ...], what: str) -> str:
        """Return `FILE:LINE: key.path: what`, with the line of the nearest key that was written."""
        line = next(
            (self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None
        )
        where = self.file if line is None else f"{self.file}:{line}"
        what = _short(what)
        return f"{where}: {'.'.join(map(str, path))}: {what}" if path else f"{where}: {what}"

    @contextmanager
    def at(self, *path: Key) -> Iterator[None]:
        """Say of errors raised inside that they come from the key `path`."""
        try:
            yield
        except HpcvbiError as error:
            raise type(error)(self.describe(path, str(error))) from error


def _short(what: str) -> str:
    return what if len(what) <= LONGEST_MESSAGE else what[: LONGEST_MESSAGE - 3] + "..."
