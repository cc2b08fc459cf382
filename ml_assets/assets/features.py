"""Room 5: the feature plan, fitted on training rows, and the table it makes."""

from typing import Any

import dagster as dg

from ml_assets.assets.metadata import lineage, number_schema
from ml_assets.assets.policy import contract_version, key, of, policy
from ml_assets.assets.types import DataFrame, FeatureSet
from ml_assets.datasets.spec import DatasetSpec


def build_features(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `features`."""

    @dg.asset(
        **policy(spec, "features", kinds={"scikitlearn", "pandas"}, version=contract_version(spec)),
        ins={"clean_table": of(spec, "clean_table"), "splits": of(spec, "splits")},
    )
    def features(clean_table: DataFrame, splits: DataFrame) -> dg.MaterializeResult[FeatureSet]:
        """The fitted feature plan and its table; models carry a plan of their own, fitted on their own rows."""
        from ml_assets.features.plan import FeatureSet as Made

        made = Made.of(spec, clean_table, splits)
        metadata: dict[str, Any] = {
            "dagster/row_count": len(made.table),
            "dagster/column_schema": number_schema(made.table.columns),
            "dagster/column_lineage": lineage(key(spec, "clean_table"), made.plan.lineage_),
        }
        return dg.MaterializeResult(value=made, metadata=metadata)

    return features
