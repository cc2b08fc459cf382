"""The asset graph as Dagster sees it, against a snapshot that a person reads in review."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.datasets.contracts import load_contracts
from ml_assets.definitions import build_defs, defs
from ml_assets.families import model_names

SNAPSHOT = Path(__file__).parent / "graph.json"
JOBS = {
    "ml_pipeline",
    "data_preprocessing",
    "hyperparameter_tuning",
    "model_comparison",
    "model_deployment",
    "monitoring",
}


def keys_and_edges() -> dict[str, list[str]]:
    graph = defs.resolve_asset_graph()
    return {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in sorted(graph.get_all_asset_keys(), key=lambda k: k.to_user_string())
    }


def test_keys_and_edges_are_those_of_the_snapshot() -> None:
    """To accept a change: write `keys_and_edges()` into graph.json, and read the difference."""
    assert keys_and_edges() == json.loads(SNAPSHOT.read_text())


def test_every_asset_has_group_owner_kinds_tags_description_and_code_version() -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.group_name != "default"
        assert spec.owners
        assert spec.kinds
        assert {"dataset", "task"} <= spec.tags.keys()
        assert spec.description, spec.key
        assert spec.code_version, spec.key


def test_model_assets_have_a_partition_for_each_family_and_the_others_none() -> None:
    graph = defs.resolve_asset_graph()
    by_family = {key.path[-1] for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned}
    assert by_family == {"tuned_params", "model", "evaluation", "family_report"}
    partitions = graph.get(dg.AssetKey(["iris", "model"])).partitions_def
    assert partitions is not None
    assert partitions.get_partition_keys() == list(model_names())


def test_contract_checks_block_and_watching_checks_do_not() -> None:
    graph = defs.resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    warning = {key.name for key in graph.asset_check_keys if not graph.get(key).blocking}
    assert {"schema", "ranges", "allowed_values", "uniqueness", "missing_share", "row_count", "target"} <= blocking
    compared = {"row_count_change", "label_noise", "target_drift", "feature_drift", "freshness"}
    assert warning == {"answers_with_champion", "no_drift", "leakage", "fitted_inside", *compared}


def test_a_contract_lets_a_check_block_or_turns_it_off() -> None:
    iris = load_contracts()["iris"].model_copy(update={"checks": {"label_noise": "block", "feature_drift": "off"}})
    graph = build_defs(contracts={"iris": iris}).resolve_asset_graph()
    checks = {key.name: graph.get(key).blocking for key in graph.asset_check_keys}
    assert checks["label_noise"]
    assert "feature_drift" not in checks
    assert not checks["target_drift"]


def test_named_jobs_sensors_and_a_schedule_that_is_off() -> None:
    assert {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")} == JOBS
    assert {sensor.name for sensor in defs.sensors or []} == {"incoming_files", "live_rows", "retrain_on_decision"}
    assert all(sensor.default_status is dg.DefaultSensorStatus.RUNNING for sensor in defs.sensors or [])
    (schedule,) = defs.schedules or []
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_raising_a_contract_changes_the_code_version_of_what_it_decides() -> None:
    iris = load_contracts()["iris"]
    changed = build_defs(contracts={"iris": iris.model_copy(update={"folds": 4})})
    before = {spec.key: spec.code_version for spec in defs.resolve_all_asset_specs()}
    moved = {spec.key.path[-1] for spec in changed.resolve_all_asset_specs() if spec.code_version != before[spec.key]}
    assert moved == {
        "raw_table",
        "data_profile",
        "clean_table",
        "splits",
        "features",
        "diagnostics",
        "explanations",
        "model_card",
    }


@pytest.mark.parametrize("job", sorted(JOBS))
def test_jobs_take_all_families_unless_told_otherwise(job: str) -> None:
    tags = defs.resolve_job_def(job).tags
    assert tags["dagster/asset_partition_range_start"] == model_names()[0]
    assert tags["dagster/asset_partition_range_end"] == model_names()[-1]
