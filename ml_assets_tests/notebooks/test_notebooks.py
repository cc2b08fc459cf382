"""Notebooks run from top to bottom in this interpreter, on a fresh home, and say what they should."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from pathlib import Path

import nbformat
import polars as pl
import pytest

from ml_assets.artifacts import ArtifactStore
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.profiles.profiling import profile
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.evaluation.comparison import Leaderboard
from ml_assets.notebook_runs import notebook_file, page, pictures, run_notebook
from ml_assets.validation.outcomes import check_names
from ml_assets_tests.canonical import canonical

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
EXPLORE, PROFILE = notebook_file("explore_data.ipynb"), notebook_file("data_profile.ipynb")
COMPARE = notebook_file("compare_models.ipynb")
SCRIPT = "<script>alert('x')</script>"

Cells = dict[str, nbformat.NotebookNode]


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; a warning of ours in a notebook is an error."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("ML_ASSETS_HOME", str(home))
    monkeypatch.setenv("PYTHONWARNINGS", "error:::ml_assets")
    return home


def by_id(notebook: nbformat.NotebookNode) -> Cells:
    """Cells of a run notebook; none may have written to stderr."""
    cells = {cell.id: cell for cell in notebook.cells}
    assert not [o for cell in cells.values() for o in cell.get("outputs", []) if o.get("name") == "stderr"]
    return cells


def text(cell: nbformat.NotebookNode) -> str:
    """What a cell printed, and showed as HTML or else as plain text."""
    shown = [
        o.get("text") or o.get("data", {}).get("text/html", o.get("data", {}).get("text/plain", ""))
        for o in cell.outputs
    ]
    return "\n".join(shown)


def profile_page(spec: DatasetSpec, folder: Path, raw: pl.DataFrame, previous: pl.DataFrame | None = None) -> str:
    """The page of a version, as the asset makes it."""
    folder.mkdir()
    profile(spec, raw, previous).save(folder)
    ran = run_notebook(PROFILE, {"dataset": spec.name, "profile_folder": str(folder)})
    by_id(ran)
    return page(ran, title=f"{spec.title}: data profile")


def test_notebooks_are_committed_without_outputs_and_with_parameters() -> None:
    notebooks = [nbformat.read(file, as_version=4) for file in NOTEBOOKS.glob("*.ipynb")]
    assert len(notebooks) == 3
    for notebook in notebooks:
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in cells)
        assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1


@pytest.mark.parametrize(
    ("dataset", "rows", "batch", "counted"),
    [
        ("wine_quality", "6497 rows, 1177 of them exact copies", "winequality-red.csv", "rows_out"),
        ("iris", "150 rows, 3 of them exact copies", "iris.data", "values corrected"),
    ],
)
def test_explore_data_shows_contract_checks_plots_and_splits(
    fresh_home: Path, dataset: str, rows: str, batch: str, counted: str
) -> None:
    cells = by_id(run_notebook(EXPLORE, {"dataset": dataset}))
    assert rows in text(cells["raw"])
    assert batch in text(cells["raw"])
    passed = re.findall(r"<th>(\w+)</th>\s*<td>True</td>", text(cells["checks"]))
    assert passed == list(check_names(load_contract(dataset)))
    assert counted in text(cells["clean"])
    assert ("Fisher" in text(cells["clean"])) == (dataset == "iris")
    assert sum("image/png" in output.get("data", {}) for output in cells["plots"].outputs) == 3
    assert "0 sets of equal features are on two sides" in text(cells["splits"])
    assert list(fresh_home.iterdir()) == []


def test_data_profile_works_the_figures_out_where_it_is_given_none(fresh_home: Path) -> None:
    ran = run_notebook(PROFILE, {"dataset": "boston_housing"})
    cells = by_id(ran)
    assert "506 rows of 14 columns" in text(cells["setup"])
    assert "Column b is sensitive and no feature" in text(cells["quirks"])
    assert "first version" in text(cells["changes"])
    assert set(pictures(ran)) == {"target", "distributions", "correlation"}
    assert list(fresh_home.iterdir()) == []


def test_the_page_tells_quirks_changes_drift_and_figures(tmp_path: Path) -> None:
    spec, raw = canonical("california_housing")
    html = profile_page(spec, tmp_path / "p", raw, raw[:10_000])
    for said in (
        "<h1>California housing: data profile</h1>",
        "20,640 rows of 9 columns",
        "965 rows (4.7 %)",
        "No model can tell those homes apart",
        "10,640 are new, 0 gone",
        "Moved by more than the contract's tolerance (index 0.2): longitude and latitude",
        "No value is missing.",
        "Computed from 20,000 rows drawn at random (seed 0).",
    ):
        assert said in unescape(html), said
    assert html.count("data:image/png;base64,") == 4
    assert html.count("alt=") == 4
    assert "profile_content" not in html
    assert str(tmp_path) not in html
    assert len(html.encode()) < 500_000


def test_the_page_lists_corrections_and_counts_labels(tmp_path: Path) -> None:
    spec, raw = canonical("iris")
    html = profile_page(spec, tmp_path / "p", raw)
    assert "iris.data, row 38" in html
    assert "Iris-setosa" in html
    assert "3 rows (2.0 %) repeat an earlier row exactly" in html


def test_the_page_of_a_table_of_every_type_with_gaps_and_hostile_names_holds_them_as_text(tmp_path: Path) -> None:
    kinds = {
        "kind": "category",
        SCRIPT: "category",
        "new": "boolean",
        "day": "date",
        "note": "text",
        "a $x$ *b*": "float",
    }
    spec = DatasetSpec.model_validate(
        {
            "name": "anything",
            "title": SCRIPT,
            "task": "classification",
            "target": "kind",
            "quirks": [SCRIPT],
            "sources": [{"name": "a.csv", "path": "a.csv"}],
            "columns": {n: {"dtype": d, "missing_share": 1, "unit": SCRIPT} for n, d in kinds.items()},
        }
    )
    rows = 60
    day = dt.datetime(2026, 1, 1)
    raw = pl.DataFrame(
        {
            "kind": [SCRIPT, "b"] * 30,
            SCRIPT: [None, *[f"{SCRIPT}{i}" for i in range(rows - 1)]],
            "new": [True, False, None] * 20,
            "day": [None, *[day + dt.timedelta(days=i) for i in range(rows - 1)]],
            "note": [None, *["word " * i for i in range(rows - 1)]],
            "a $x$ *b*": [None, *[float(i) for i in range(rows - 1)]],
            "batch": [SCRIPT] * rows,
        }
    ).with_columns(pl.col("day").cast(pl.Datetime("us")))
    html = profile_page(spec, tmp_path / "p", raw, raw[:30])
    assert "<script" not in html
    assert "5 of 6 columns lack values" in html
    assert html.count("data:image/png;base64,") == 5
    assert "2026-01-01" in html


def test_compare_models_shows_differences_gaps_and_two_models_of_a_trained_dataset(
    iris_run: tuple[Path, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_ASSETS_HOME", str(iris_run[0]))
    monkeypatch.setenv("PYTHONWARNINGS", "error:::ml_assets")
    ran = run_notebook(COMPARE, {"dataset": "iris", "second": "knn"})
    cells = by_id(ran)
    winner = load_leaderboard(iris_run[0]).winner.replace("_", " ")
    assert f"{winner} has the best cross-validated score" in markdown(cells["board"])
    assert f"Not told from {winner}: " in markdown(cells["differences"])
    assert "p_value" in text(cells["differences"])
    assert "optimism gap, out of fold minus test" in markdown(cells["gap"])
    assert "beyond_noise" in text(cells["gap"])
    assert "**knn**: log_loss" in markdown(cells["pair"])
    assert "of the 120 training rows" in markdown(cells["pair"])
    assert sum("image/png" in output.get("data", {}) for output in cells["pair"].outputs) == 2
    assert "The fastest of those that are not told from the winner" in markdown(cells["cost"])
    assert set(pictures(ran)) == {"board", "differences", "gap", "pair", "cost"}


def load_leaderboard(home: Path) -> Leaderboard:
    board: Leaderboard = ArtifactStore(home / "data").load(("reports", "iris", "comparison"))
    return board


def markdown(cell: nbformat.NotebookNode) -> str:
    """What a cell showed as Markdown."""
    return "\n".join(o.get("data", {}).get("text/markdown", "") for o in cell.outputs)
