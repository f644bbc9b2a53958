"""The notebooks run against a finished study, and are kept without outputs."""

import ast
from pathlib import Path

import nbformat
import pytest
from finished_study import Cohort, Fate, write

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LOOK = "01_look_at_a_study"


def code_of(path: Path) -> list[nbformat.NotebookNode]:
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    assert all(not cell.outputs and cell.execution_count is None for cell in code_of(path))


def test_a_store_opens_with_xarray_alone() -> None:
    source = "\n".join(c.source for p in NOTEBOOKS if p.stem == LOOK for c in code_of(p))
    nodes = list(ast.walk(ast.parse(source)))
    imported = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    assert imported == {"os", "matplotlib", "numpy", "xarray"}
    assert not any(isinstance(n, ast.ImportFrom) for n in nodes)


def test_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    folder = write(tmp_path / "study", Cohort({"101": Fate(), "102": Fate(fits=False)}))
    monkeypatch.setenv("HPCVBI_STORE", str(folder / "store.zarr"))
    path = next(path for path in NOTEBOOKS if path.stem == LOOK)
    notebook = nbformat.read(path, as_version=4)
    # the kernel is a process of its own: warnings are errors there too
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = "import warnings\nwarnings.simplefilter('error')\n" + first.source
    client = NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    text = "\n".join(str(o.get("text", "")) for o in outputs)
    assert "101: inside" in text and "102: OUTSIDE" in text
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 2
    shown = "".join(str(o.get("data", {}).get("text/plain", "")) for o in outputs)
    assert "'diverged': 2" in shown and "5.0% of the draws were left out" in shown
