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
    """A file, and the line of every key path in it; without lines where a study is no file.

    `elsewhere` says of paths that do not come from this file where they were written.
    """

    file: str
    lines: dict[tuple[Key, ...], int] = field(default_factory=dict)
    elsewhere: dict[tuple[Key, ...], str] = field(default_factory=dict)

    def at_line(self, line: int, what: str) -> ConfigError:
        """Return an error about this line."""
        return ConfigError(f"{self.file}:{line}: {_short(what)}")

    def describe(self, path: tuple[Key, ...], what: str) -> str:
        """Return `FILE:LINE: key.path: what`, with the line of the nearest key that was written."""
        where, what = self.place(*path), _short(what)
        return f"{where}: {'.'.join(map(str, path))}: {what}" if path else f"{where}: {what}"

    def place(self, *path: Key) -> str:
        """Return `FILE:LINE` of the nearest key that was written, or what stands for it."""
        for known in (path[:n] for n in range(len(path), 0, -1)):
            if known in self.elsewhere:
                return self.elsewhere[known]
            if known in self.lines:
                return f"{self.file}:{self.lines[known]}"
        return self.file

    @contextmanager
    def at(self, *path: Key) -> Iterator[None]:
        """Say of errors raised inside that they come from the key `path`."""
        try:
            yield
        except HpcvbiError as error:
            raise type(error)(self.describe(path, str(error))) from error


def _short(what: str) -> str:
    return what if len(what) <= LONGEST_MESSAGE else what[: LONGEST_MESSAGE - 3] + "..."
