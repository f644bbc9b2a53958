"""Read hostile files in child processes: one fork per case, with limits, watched from outside.

Each case is a folder that `make` filled and a `read` that has to end in an error of hpcvbi. A case
runs under RLIMIT_AS and two alarms; how much memory it took beyond that of the process it was
forked from, and whether any file appeared or changed, is measured.
"""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import HpcvbiError

ADDRESS_SPACE = 2**28
"""Bytes beyond those of the parent that a case may map."""
MEMORY = 2**26
"""Bytes beyond those of the parent that a case may touch."""
LONGEST_TEXT = 2500
"""Characters of the longest message that is still clear; a pipe holds as many."""
CANARY = "canary"


@dataclass(frozen=True)
class Case:
    """What is handed over, how it is read, and what has to be said (a regular expression)."""

    make: Callable[[Path], object]
    read: Callable[[Path], object]
    says: str
    seconds: int = 20


@dataclass(frozen=True)
class Verdict:
    """How a case ended: class and text of the error, bytes beyond the parent's, seconds."""

    error: str
    text: str
    memory: int
    seconds: float
    changed: list[str]


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / CANARY)

    def __reduce__(self) -> tuple:
        return open, (self.path, "w")


def tree(folder: Path) -> dict[str, tuple[int, ...]]:
    """What lies in a folder, without opening anything."""
    found = {}
    for directory, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(directory, name)
            about = os.lstat(path)
            found[path] = (about.st_mode, about.st_size, about.st_mtime_ns, about.st_ino)
    return found


def judged(script: str, cases: Mapping[str, Case], root: Path) -> dict[str, Verdict]:
    """Make all cases below `root` and read them, in a process of its own."""
    for name, case in cases.items():
        (root / name).mkdir(parents=True)
        case.make(root / name)
    (root / "home").mkdir()
    paths = os.pathsep.join(p for p in sys.path if p)
    home = {key: str(root / "home") for key in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, script, str(root)],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=root / "home",
        env={**os.environ, **home, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return {name: Verdict(**found) for name, found in json.loads(done.stdout).items()}


def judge_all(root: Path, *tables: Mapping[str, Case]) -> None:
    """The child: fork for every case that lies in `root`, print the verdicts."""
    cases = {
        name: case for table in tables for name, case in table.items() if (root / name).is_dir()
    }
    print(json.dumps({name: asdict(_judge(case, root, name)) for name, case in cases.items()}))


def _judge(case: Case, root: Path, name: str) -> Verdict:
    before, begin = tree(root), time.monotonic()
    back, out = os.pipe()
    pid = os.fork()
    if pid == 0:
        _read(case, root / name, out)
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - begin
    os.close(out)
    with open(back, "rb") as pipe:
        text = pipe.read().decode()
    after = tree(root)
    changed = [path for path in {*before, *after} if before.get(path) != after.get(path)]
    if os.WIFSIGNALED(status):
        said: dict[str, Any] = {"error": "killed", "text": str(os.WTERMSIG(status)), "memory": 0}
    else:
        said = json.loads(text)
    return Verdict(**said, seconds=seconds, changed=changed)


def _read(case: Case, folder: Path, out: int) -> None:
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESS_SPACE,) * 2)
    # other processes may have the machine: seconds of CPU, and many more by the clock
    signal.setitimer(signal.ITIMER_PROF, case.seconds)
    signal.alarm(10 * case.seconds)
    start = _peak()
    try:
        case.read(folder)
        said = {"error": "", "text": ""}
    except HpcvbiError as error:
        said = {"error": "HpcvbiError", "text": str(error)}
    except BaseException as error:
        said = {"error": type(error).__name__, "text": repr(error)[:500]}
    said["text"] = said["text"][:LONGEST_TEXT]
    os.write(out, json.dumps({**said, "memory": _peak() - start}).encode())
    os._exit(0)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def check(verdict: Verdict, case: Case, where: str) -> None:
    """Fail unless the case ended as it must."""
    assert verdict.error == "HpcvbiError", verdict
    assert re.search(case.says, verdict.text), verdict.text
    assert where in verdict.text, f"the place is not named: {verdict.text}"
    assert len(verdict.text) < LONGEST_TEXT
    assert verdict.changed == []
    assert verdict.memory < MEMORY, f"{verdict.memory / 1e6:.0f} MB"
