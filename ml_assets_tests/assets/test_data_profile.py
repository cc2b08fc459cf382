"""The asset `data_profile` in real runs: figures, executed notebook and page of each version."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import nbformat
import pytest

from ml_assets import notebook_runs
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.profiles.document import TableProfile
from ml_assets.definitions import build_defs
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import artifact_key, artifact_store

KEY = dg.AssetKey(["iris", "data_profile"])


def materialize(*, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    defs = build_defs(
        contracts={"iris": load_contract("iris")},
        resource_overrides={"settings": Settings(seed=3)},
        executor=dg.in_process_executor,
    )
    selection = [dg.AssetKey(["iris", "raw_table"]), KEY]
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=selection, raise_on_error=raise_on_error)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == KEY)
    return {name: str(found.value) for name, found in event.step_materialization_data.materialization.metadata.items()}


def test_a_version_has_figures_a_page_and_an_executed_notebook_that_are_the_same_again(home: Path) -> None:
    told = metadata(materialize())
    page, notebook = home / "data/reports/iris/data_profile.html", home / "data/reports/iris/data_profile.ipynb"
    assert (told["page"], told["notebook"]) == (str(page), str(notebook))
    assert "150 rows of 5 columns" in page.read_text()
    assert str(home) not in page.read_text()
    ran = nbformat.read(notebook, as_version=4)
    assert all(cell.execution_count for cell in ran.cells if cell.cell_type == "code")
    assert "iris.data, row 38" in told["corrections"]
    assert "first version" in told["changes"]
    assert "| petal_width | number |" in told["columns"]
    plots = [name for name in told if name.endswith("_plot")]
    assert plots == ["target_plot", "distributions_plot", "correlation_plot"]
    assert all(told[name].startswith("![plot](data:image/png;base64,") for name in plots)
    reports = {file.name: file.read_bytes() for file in page.parent.iterdir() if file.is_file()}
    assert set(reports) == {page.name, notebook.name}
    materialize()
    assert {file.name: file.read_bytes() for file in page.parent.iterdir() if file.is_file()} == reports


def test_the_next_version_is_compared_with_the_last(home: Path) -> None:
    materialize()
    batch = home / "data" / "incoming" / "iris" / "may.csv"
    batch.parent.mkdir(parents=True)
    batch.write_text(
        "sepal_length,sepal_width,petal_length,petal_width,species\n6.5,3.3,5.5,2.2,Iris-virginica\n5.2,3.3,1.4,0.3,Iris-setosa\n"
    )
    told = metadata(materialize())
    assert "2 are new, 0 gone: there were 150 before, and are 152 now" in told["changes"]
    assert "drift_plot" in told
    assert "petal_width" in told["drift"]
    stored = artifact_store().load(artifact_key(KEY))
    assert isinstance(stored, TableProfile)
    assert stored.rows == 152
    assert stored.seed == 3


def test_a_failing_cell_fails_the_step_and_leaves_the_earlier_page(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    materialize()
    page = home / "data" / "reports" / "iris" / "data_profile.html"
    before = page.read_bytes()
    broken = tmp_path / "checkout" / "notebooks" / "data_profile.ipynb"
    broken.parent.mkdir(parents=True)
    shutil.copy(notebook_runs.notebook_file("data_profile.ipynb"), broken)
    broken.write_text(broken.read_text().replace("profile_plots.target(profile)", "profile_plots.targt(profile)"))
    monkeypatch.setattr(notebook_runs, "CHECKOUT", tmp_path / "checkout")
    result = materialize(raise_on_error=False)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    cause = failure.step_failure_data.error.cause
    assert cause.cls_name == "NotebookError"
    assert "notebook data_profile.ipynb, cell 'target' failed: AttributeError" in cause.message
    assert page.read_bytes() == before
