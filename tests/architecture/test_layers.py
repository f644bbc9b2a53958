"""The house rules that a machine can check: layers, lightness of imports, size of files."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "hpcvbi").rglob("*.py"))
HEAVY = {
    *("torch", "sbi", "matplotlib", "dask", "distributed", "jinja2", "typer", "rich", "zarr"),
    *("pandas", "xarray"),
}

STATUS = "hpcvbi.cli.show, hpcvbi.config, hpcvbi.store.progress"
"""What `hpcvbi status` loads, on a login node."""


def test_imports_point_down_and_heavy_ones_have_one_home(capsys: pytest.CaptureFixture) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("layer", ["core", "brain", "models", "observe"])
def test_declarations_import_numpy_and_the_standard_library_only(layer: str) -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "hpcvbi"}
    files = sorted((ROOT / "hpcvbi" / layer).glob("*.py"))
    assert files
    for path in files:
        assert imported(path) <= allowed, path


def imported(path: Path) -> set[str]:
    """Top-level names of all that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("hpcvbi", HEAVY | {"pydantic"}),
        ("hpcvbi.config", HEAVY),
        ("hpcvbi.infer", HEAVY | {"pydantic"}),
        ("hpcvbi.evaluate", HEAVY | {"pydantic"}),
        # distributed brings jinja2 and dask by itself
        ("hpcvbi.cluster.task", {"torch", "sbi", "matplotlib", "typer", "rich"}),
        (STATUS, HEAVY - {"typer", "rich", "zarr"}),
    ],
)
def test_importing_is_light(module: str, unwanted: set[str]) -> None:
    code = f"import {module}, json, sys; print(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(run.stdout)}
    assert "numpy" in loaded
    assert not loaded & unwanted


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_in_the_head(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "the first lines say what the file is"
