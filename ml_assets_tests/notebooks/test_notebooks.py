"""Notebooks run from top to bottom in this interpreter, on a fresh home, and say what they should."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
EXPLORE = NOTEBOOKS / "explore_data.ipynb"


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and folders of its own for what Jupyter, IPython and matplotlib keep."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("ML_ASSETS_HOME", str(home))
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.setenv("PYTHONWARNINGS", "error:::ml_assets")
    return home


def executed(file: Path, **parameters: object) -> dict[str, nbformat.NotebookNode]:
    """The cells of a notebook by id after it ran with `parameters`."""
    notebook = nbformat.read(file, as_version=4)
    named = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    named.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": file.parent}})
    asyncio.run(client.async_execute())
    return {cell.id: cell for cell in notebook.cells}


def text(cell: nbformat.NotebookNode) -> str:
    """What a cell printed and showed as plain text."""
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(shown)


def test_notebooks_are_committed_without_outputs() -> None:
    notebooks = [nbformat.read(file, as_version=4) for file in NOTEBOOKS.glob("*.ipynb")]
    cells = [cell for notebook in notebooks for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells)


@pytest.mark.parametrize(
    ("dataset", "rows", "said"),
    [
        ("wine_quality", "6497 rows, 1177 of them exact copies", "winequality-red.csv"),
        ("iris", "150 rows, 3 of them exact copies", "iris.data"),
    ],
)
def test_explore_data_shows_contract_checks_plots_and_splits(
    fresh_home: Path, dataset: str, rows: str, said: str
) -> None:
    cells = executed(EXPLORE, dataset=dataset)
    assert rows in text(cells["raw"])
    assert said in text(cells["raw"])
    assert "False" not in text(cells["checks"])
    assert text(cells["checks"]).count("True") == 8
    assert sum("image/png" in output.get("data", {}) for output in cells["plots"].outputs) == 3
    assert "0 sets of equal features are on two sides" in text(cells["splits"])
    stderr = [o for cell in cells.values() for o in cell.get("outputs", []) if o.get("name") == "stderr"]
    assert stderr == []
    assert list(fresh_home.iterdir()) == []
