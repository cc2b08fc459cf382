"""Assets in a real run inside this process, with resources and executor of the test's own."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from ml_assets.datasets.contracts import load_contract
from ml_assets.definitions import build_defs
from ml_assets.resources.settings import Settings


@pytest.fixture
def run(home: Path) -> dg.ExecuteInProcessResult:
    """Raw table to features of iris, split with seed 7."""
    defs = build_defs(
        contracts={"iris": load_contract("iris")},
        resource_overrides={"settings": Settings(seed=7)},
        executor=dg.in_process_executor,
    )
    return defs.resolve_job_def("data_preprocessing").execute_in_process()


def materialized(run: dg.ExecuteInProcessResult, asset: str) -> dg.AssetMaterialization:
    (event,) = (e for e in run.get_asset_materialization_events() if e.asset_key == dg.AssetKey(["iris", asset]))
    return event.step_materialization_data.materialization


def test_checks_are_told_with_their_figures(run: dg.ExecuteInProcessResult) -> None:
    evaluations = {e.check_name: e for e in run.get_asset_check_evaluations()}
    assert all(e.passed for e in evaluations.values())
    assert "3 rows" in (evaluations["duplicates"].description or "")


def test_metadata_tells_rows_columns_and_lineage(run: dg.ExecuteInProcessResult) -> None:
    clean = materialized(run, "clean_table").metadata
    assert clean["dagster/row_count"].value == 150
    lineage = materialized(run, "features").metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert [d.column_name for d in lineage.deps_by_column["petal_width"]] == ["petal_width"]


def test_settings_given_to_the_definitions_are_those_of_the_run(run: dg.ExecuteInProcessResult) -> None:
    assert materialized(run, "splits").metadata["seed"].value == 7


def test_data_version_is_the_hash_of_what_was_stored(run: dg.ExecuteInProcessResult) -> None:
    splits = materialized(run, "splits")
    assert (splits.tags or {})["dagster/data_version"] == splits.metadata["sha256"].value
