"""Gives each peer an environment of its own under build/bench/venvs, so that what they require
cannot clash, and runs one of its rows there.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from measure import THREADS
from workloads import Peer

HERE = Path(__file__).parent
TIMEOUT = 600
"""Seconds after which a row is given up."""


class Unavailable(Exception):
    """A peer cannot be installed, or a row cannot be measured; the message says why."""


def _done(command: list[str], timeout: float, **environment: str) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **THREADS, **environment},
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"not done after {timeout:g} s") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        raise Unavailable(lines[-1][:300] if lines else f"exit code {done.returncode}")
    return done.stdout


def _interpreter(names: tuple[str, ...]) -> str:
    for name in names:
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0:
            return path
    return sys.executable


def _swig_shims(python: Path) -> None:
    """Write the Python halves of VBI's C++ modules, which its package lacks."""
    code = "import vbi.models.cpp._src as m, pathlib; print(pathlib.Path(m.__file__).parent)"
    folder = Path(_done([str(python), "-W", "ignore", "-c", code], 120).strip().splitlines()[-1])
    for interface in sorted(folder.glob("*.i")):
        unused = folder / f"{interface.stem}_wrap.cxx"
        swig = [str(python.with_name("swig")), "-c++", "-python", "-outdir", str(folder)]
        _done([*swig, "-o", str(unused), str(interface)], 60)
        unused.unlink()


def environment(peer: Peer, folder: Path) -> Path:
    """Python of the peer's environment, made and filled where that has not been done."""
    home = folder / peer.name
    python, mark = home / "bin" / "python", home / f".{peer.version}"
    if mark.exists():
        return python
    print(f"installing {peer.package} {peer.version} into {home}", flush=True)
    _done([_interpreter(peer.python), "-m", "venv", "--clear", str(home)], 120)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    if peer.first:
        _done([*pip, *peer.first], 1800)
    _done([*pip, f"{peer.package}=={peer.version}", *peer.beside], 1800)
    if peer.name == "vbi":
        _swig_shims(python)
    mark.touch()
    return python


def measured(command: list[str], one_core: bool = True) -> dict:
    """The row that a script prints: the last line of its output, as JSON."""
    lines = _done(command, TIMEOUT, BENCH_ONE_CORE="1" if one_core else "").strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        raise Unavailable("printed no row") from None


def peer_row(peer: Peer, python: Path, workload: str, variant: str, divisor: int) -> dict:
    """Measure one row of a peer in its environment."""
    script = str(HERE / "peers" / peer.script)
    return measured([str(python), "-W", "ignore", script, workload, variant, str(divisor)])


def own_row(workload: str, variant: str, divisor: int, one_core: bool = True) -> dict:
    """Measure one row of hpcvbi, in a process too."""
    command = [sys.executable, str(HERE / "own.py"), workload, variant, str(divisor)]
    return measured(command, one_core)
