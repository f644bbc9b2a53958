"""A disk without power: what may be left of a folder when its page cache is lost.

`Recorder` notes all that a process does to the files below a folder. `Disk` replays a part of it
and keeps apart what fsync has made durable and what only the page cache knows:

    data     of a file is durable as it was at the file's last fsync
    names    (create, rename, link, remove, mkdir, rmdir) are durable once their directory is synced

Anything else may be lost, in any combination: a name without its data, a rename without the one
before it, half of a line. Pillai et al. (2014), OSDI, "All file systems are not created equal".
"""

import os
import random
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
Name = tuple[int, str]
"""A directory's node, and a name in it."""
State = dict[str, bytes | None]
"""Path -> content; None for a directory."""


@dataclass(frozen=True)
class Event:
    """`names` change at once, all in one directory; or `node` has `data` now; or it is synced."""

    node: int = -1
    names: tuple[tuple[Name, int | None], ...] = ()
    data: bytes | None = None


class Recorder:
    """Notes what this process does below `root`, from `start` on, for ever. fsync is not done."""

    def __init__(self, root: Path) -> None:
        self.root, self.log = str(root), list[Event]()
        self._names: dict[Name, int] = {}
        self._paths: dict[int, str] = {}
        self._data: dict[int, bytes] = {}
        self._folders, self._next = {0}, 1
        self._lock, self._busy = threading.RLock(), False

    def start(self) -> None:
        os.fsync = self._fsync
        sys.addaudithook(self._audit)

    def _audit(self, event: str, args: tuple) -> None:
        if event == "open" and (not isinstance(args[2], int) or not args[2] & WRITING):
            return
        if event not in ("open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"):
            return
        with self._lock:
            if self._busy or isinstance(args[0], int):
                return
            self._look()
            here = self._name(
                args[0], args[-1] if event[3:] in ("remove", "mkdir", "rmdir") else -1
            )
            if here is not None:
                self._change(event, here, args)

    def _change(self, event: str, here: Name, args: tuple) -> None:
        node = self._names.get(here)
        if event in ("open", "os.mkdir"):
            if node is None:
                if event == "os.mkdir":
                    self._folders.add(self._next)
                else:
                    self._data[self._next] = b""
                self._say({here: self._next})
                self._next += 1
        elif event in ("os.rename", "os.link"):
            there = self._name(args[1], -1)
            assert there is not None and there[0] == here[0], "only within a directory"
            if node is not None and (event == "os.rename" or there not in self._names):
                self._say({there: node} | ({here: None} if event == "os.rename" else {}))
        elif node is not None and (
            event == "os.remove" or all(folder != node for folder, _ in self._names)
        ):
            self._say({here: None})

    def _say(self, names: dict[Name, int | None]) -> None:
        self.log.append(Event(names=tuple(names.items())))
        for name, node in names.items():
            if node is None:
                del self._names[name]
            else:
                self._names[name] = node

    def _fsync(self, descriptor: int) -> None:
        with self._lock:
            self._look()
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if path == self.root:
                self.log.append(Event(node=0))
            elif (name := self._name(path, -1)) is not None:
                self.log.append(Event(node=self._names[name]))

    def _look(self) -> None:
        """Note which files have grown since the last event."""
        self._busy = True
        paths = {0: self.root}
        for (folder, name), node in self._names.items():  # parents were made before their children
            if folder in paths:
                paths[node] = f"{paths[folder]}/{name}"
        for node, known in self._data.items():
            if node in paths and os.path.exists(paths[node]):
                with open(paths[node], "rb") as file:
                    data = file.read()
                if data != known:
                    self._data[node] = data
                    self.log.append(Event(node=node, data=data))
        self._busy = False

    def _name(self, path: object, folder: int) -> Name | None:
        text = os.fsdecode(os.fspath(path))  # type: ignore[call-overload]
        if folder != -1:
            text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
        if not text.startswith(self.root + "/"):
            return None
        *parents, name = text[len(self.root) + 1 :].split("/")
        node = 0
        for parent in parents:
            found = self._names.get((node, parent))
            if found is None:
                return None
            node = found
        return node, name


@dataclass
class Disk:
    """What is durable, and what only the page cache knows, after some events."""

    folders: set[int]
    names: dict[Name, int] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)
    cached: dict[int, bytes] = field(default_factory=dict)
    pending: list[tuple[tuple[Name, int | None], ...]] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        if event.names:
            self.pending.append(event.names)
        elif event.data is not None:
            self.cached[event.node] = event.data
        elif event.node in self.folders:
            for change in [c for c in self.pending if c[0][0][0] == event.node]:
                _rename(self.names, change)
                self.pending.remove(change)
        else:
            self.data[event.node] = self.cached.get(event.node, b"")

    def after_power_cut(self, rng: random.Random, random_states: int) -> Iterator[State]:
        """Yield what may be found: nothing unsynced, all names with empty, torn or whole data, all
        names but one, only one name; then random mixtures.
        """
        every = list(range(len(self.pending)))
        yield self._state([], "old")
        for kind in ("zero", "torn", "whole"):
            yield self._state(every, kind)
        for one in every:
            yield self._state([k for k in every if k != one], "whole")
            yield self._state([one], "zero")
        for _ in range(random_states):
            yield self._state([k for k in every if rng.random() < 0.5], "", rng)

    def _state(self, kept: list[int], kind: str, rng: random.Random | None = None) -> State:
        names = dict(self.names)
        for k in kept:
            _rename(names, self.pending[k])
        state: State = {}
        todo = [(0, "")]
        while todo:
            folder, path = todo.pop()
            for (parent, name), node in names.items():
                if parent != folder:
                    continue
                here = f"{path}/{name}".lstrip("/")
                if node in self.folders:
                    state[here] = None
                    todo.append((node, here))
                else:
                    how = kind or (rng or random).choice(("old", "zero", "torn", "whole"))
                    state[here] = self._content(node, how)
        return state

    def _content(self, node: int, kind: str) -> bytes:
        old, new = self.data.get(node, b""), self.cached.get(node, b"")
        if kind == "old" or old == new:
            return old
        kept = old if new.startswith(old) else b""
        added = new[len(kept) :]
        if kind == "zero":  # of a file that has grown, the new length may be durable already
            return kept + bytes(len(added)) if kept else b""
        return new if kind == "whole" else kept + added[: len(added) // 2]


def _rename(names: dict[Name, int], change: tuple[tuple[Name, int | None], ...]) -> None:
    for name, node in change:
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def folders_of(log: list[Event]) -> set[int]:
    """Nodes that are directories: the root, and whatever holds a name."""
    return {0} | {name[0] for event in log for name, _ in event.names}


def lay_out(state: State, root: Path) -> None:
    """Make a folder hold exactly `state`."""
    for path, data in sorted(state.items()):
        if data is None:
            (root / path).mkdir(parents=True)
    for path, data in state.items():
        if data is not None:
            (root / path).write_bytes(data)
