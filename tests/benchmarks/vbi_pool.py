"""The simulations of a case, shared by all methods and nested over budgets: kept in a file and
simulated as far as they are needed.

Draw i of a case is always the same, so that the first hundred of ten thousand are those of a budget
of a hundred.
"""

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vbi_cases import Case

from hpcvbi.core.seeds import derive_seed, generator

TESTS = 500
"""Test cases drawn from the prior: coverage of an 80 % interval is known to .05 (three errors). All
methods share them, and with two hundred all seemed overconfident of Stuart-Landau's speed.
"""
SAVED = 512
"""Draws that are simulated between two writes."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """Draws `u` (draw, param) of the unit cube, features `x` (draw, feature), or with regions
    between, and the CPU seconds that they took.
    """

    u: np.ndarray
    x: np.ndarray
    cpu_seconds: float


def simulations(case: Case, kind: str, n: int, folder: Path, until: float = np.inf) -> Simulated:
    """Return the first `n` draws of the kind "pool" or "test"; what a file lacks is simulated.

    TimeoutError where `time.monotonic()` passes `until` before all are there.
    """
    u = generator("vbi", case.name, kind).random((n, len(case.brain.space)))
    path = folder / f"{case.name}_{kind}.npz"
    x, took = _read(path, identity(case))
    while len(x) < n:
        if time.monotonic() > until:
            raise TimeoutError(f"{case.name}: {len(x)} of {n} draws are simulated")
        rows = slice(len(x), min(n, len(x) + SAVED))
        before = time.process_time()
        found = case.simulate(u[rows], derive_seed("vbi", case.name, kind, "noise"), len(x))
        took += time.process_time() - before
        x = found if not len(x) else np.concatenate([x, found])
        _write(path, identity(case), x, took)
    return Simulated(u[:n], x[:n], took * n / max(len(x), 1))


def identity(case: Case) -> str:
    """Digest of the files that define a case: another text, other simulations."""
    folder = Path(__file__).parent / "vbi_cases"
    files = [folder / f"{case.name}.py", folder / "case.py", folder / "summaries.py"]
    if files[0].exists():
        imported = re.findall(r"^from vbi_cases\.(\w+) import", files[0].read_text(), re.M)
        files += sorted({folder / f"{name}.py" for name in imported} - set(files))
    digest = hashlib.sha256(case.setting.encode())
    for path in files:
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(path: Path, wanted: str) -> tuple[np.ndarray, float]:
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            if str(file["identity"]) == wanted:
                return file["x"], float(file["cpu_seconds"])
    return np.empty((0, 0)), 0.0


def _write(path: Path, wanted: str, x: np.ndarray, took: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(part, identity=np.array(wanted), x=x, cpu_seconds=took)
    part.replace(path)


def warm(case: Case) -> None:
    """Compile what a case needs, so that no draw is charged for it."""
    case.simulate(np.full((1, len(case.brain.space)), 0.5), 0)
