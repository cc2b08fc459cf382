from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from ml_assets.errors import StorageError
from ml_assets.resources.store import ArtifactIOManager, PartitionValues, artifact_key, artifact_store, stored_model

FAMILIES = dg.StaticPartitionsDefinition(["a", "b", "c"])
WHOLE = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}
ONE_RUN = {"partitions_def": FAMILIES, "backfill_policy": dg.BackfillPolicy.single_run()}

pytestmark = pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`")


def _frame(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"x": list(values)})


def _optional(asset: str) -> dg.AssetIn:
    return dg.AssetIn(["toy", asset], metadata={"allow_missing_partitions": True})


def _assets() -> list[dg.AssetsDefinition]:
    @dg.asset(key_prefix="toy")
    def clean_table() -> pd.DataFrame:
        return _frame(1.0, 2.0)

    @dg.asset(key_prefix="toy", ins={"clean_table": dg.AssetIn(["toy", "clean_table"])}, **ONE_RUN)
    def tuned_params(context: dg.AssetExecutionContext, clean_table: pd.DataFrame) -> Any:
        return {family: clean_table.assign(family=family) for family in context.partition_keys}

    @dg.asset(key_prefix="toy", ins={"found": _optional("tuned_params")}, **ONE_RUN)
    def evaluation(context: dg.AssetExecutionContext, found: dict[str, pd.DataFrame]) -> Any:
        return {family: found[family] for family in context.partition_keys}

    @dg.asset(key_prefix="toy", ins={"found": _optional("evaluation")})
    def comparison(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
        return pd.DataFrame({"family": list(found)})

    return [clean_table, tuned_params, evaluation, comparison]


def _make(*names: str, instance: dg.DagsterInstance, tags: dict[str, str] | None = None, **options: Any) -> Any:
    keys = [dg.AssetKey(["toy", name]) for name in names]
    resources = {"io_manager": ArtifactIOManager()}
    return dg.materialize(_assets(), selection=keys, resources=resources, instance=instance, tags=tags, **options)


def _version(instance: dg.DagsterInstance, name: str) -> str:
    event = instance.get_latest_data_version_record(dg.AssetKey(["toy", name]))
    assert event is not None
    return event.asset_materialization.tags["dagster/data_version"]  # type: ignore[union-attr]


@pytest.fixture
def instance(home: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def test_one_run_makes_all_partitions_and_hands_them_on(instance: dg.DagsterInstance) -> None:
    names = ["clean_table", "tuned_params", "evaluation", "comparison"]
    assert _make(*names, instance=instance, tags=WHOLE).success
    board = artifact_store().load(artifact_key(dg.AssetKey(["toy", "comparison"])))
    assert list(board["family"]) == ["a", "b", "c"]
    single = artifact_store().load(artifact_key(dg.AssetKey(["toy", "evaluation"]), "b"))
    assert list(single["family"]) == ["b", "b"]


def test_each_asset_lies_in_the_folder_of_its_stage(instance: dg.DagsterInstance, home: Path) -> None:
    _make("clean_table", "tuned_params", instance=instance, tags=WHOLE)
    assert (home / "data" / "processed" / "toy" / "clean_table" / "current.json").is_file()
    assert (home / "data" / "models" / "toy" / "tuned_params" / "b" / "current.json").is_file()
    assert artifact_key(dg.AssetKey(["toy", "drift_report"])) == ("monitoring", "toy", "drift_report")


def test_the_data_version_is_the_hash_of_the_stored_bytes(instance: dg.DagsterInstance) -> None:
    _make("clean_table", instance=instance)
    first = _version(instance, "clean_table")
    stored = artifact_store().find(artifact_key(dg.AssetKey(["toy", "clean_table"])))
    assert stored is not None
    assert first == stored.sha256
    _make("clean_table", instance=instance)
    assert _version(instance, "clean_table") == first


def test_one_family_alone_is_made_and_a_comparison_takes_those_that_are_there(instance: dg.DagsterInstance) -> None:
    _make("clean_table", instance=instance)
    assert _make("tuned_params", "evaluation", instance=instance, partition_key="b").success
    assert _make("comparison", instance=instance).success
    assert list(artifact_store().load(artifact_key(dg.AssetKey(["toy", "comparison"])))["family"]) == ["b"]


def test_a_family_that_was_never_made_upstream_is_named_with_the_remedy(instance: dg.DagsterInstance) -> None:
    _make("clean_table", instance=instance)
    with pytest.raises(StorageError, match="'toy/tuned_params' is not there yet for a: materialize it first"):
        _make("evaluation", instance=instance, partition_key="a")
    with pytest.raises(StorageError, match="'toy/evaluation' is not there yet for a, b, c"):
        _make("comparison", instance=instance)


def test_partition_values_name_what_is_missing() -> None:
    values = PartitionValues(dg.AssetKey(["toy", "model"]), {"a": 1})
    assert dict(values) == {"a": 1}
    with pytest.raises(StorageError, match="'toy/model' is not there yet for svm"):
        values["svm"]


def test_a_model_that_is_not_there_is_asked_for_by_command(home: Path) -> None:
    with pytest.raises(StorageError, match="iris: there is no svm model yet; run `ml-assets run iris`"):
        stored_model("iris", "svm")
