"""Fixtures for tests that run whole studies."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import settings
from synthetic_people import write_people, write_study

# The same examples in every run: a failure in CI is one that can be repeated.
settings.register_profile("hpcvbi", derandomize=True, deadline=None)
settings.load_profile("hpcvbi")

TRUTHS = {"anna": 0.7, "ben": 1.15}


class Quiet:
    """Nobody who is told how it goes."""

    def planned(self, *words: object) -> None: ...
    def computed(self, *words: object) -> None: ...
    def learned(self, *words: object) -> None: ...
    def judged(self, *words: object) -> None: ...
    def failed(self, *words: object) -> None: ...
    def notice(self, *words: object) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--other-python", help="Python with another zarr; see make test-zarr")


@pytest.fixture(scope="session")
def people_folder(tmp_path_factory) -> Path:
    """Tables of two simulated people."""
    folder = tmp_path_factory.mktemp("cohort") / "people"
    write_people(folder, TRUTHS)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, people_folder) -> Path:
    """Study file of a study that ran without interruption; its results lie in `out` beside it."""
    folder = tmp_path_factory.mktemp("finished")
    study = write_study(folder / "study.yaml", people_folder, folder / "out")
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    return study


def hpcvbi(
    *words: object, env: Mapping[str, str] | None = None, timeout: float = 300, **options
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, warnings as errors, with `env` on top."""
    around = {**environment(), **(env or {})}
    return subprocess.run(
        command(*words), capture_output=True, text=True, timeout=timeout, env=around, **options
    )


def command(*words: object) -> list[str]:
    """Return the command line as a list of words."""
    return [sys.executable, "-m", "hpcvbi", *map(str, words)]


def environment() -> dict[str, str]:
    """Return the environment in which it runs, wherever and however the tests were started, and
    whatever profiles there are.
    """
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    left_out = ("HPCVBI_PROFILE", "OMP_NUM_THREADS")
    around = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**around, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(Path(root, "no profiles"))}


def files(store: Path) -> dict[str, bytes]:
    """Every file of a store, by its path."""
    return {str(p.relative_to(store)): p.read_bytes() for p in store.rglob("*") if p.is_file()}
