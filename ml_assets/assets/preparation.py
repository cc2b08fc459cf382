"""Rooms 3 and 4: the clean table and the splits."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ml_assets.assets.checks import check_result, wanted_checks
from ml_assets.assets.metadata import lineage, table, table_metadata
from ml_assets.assets.policy import contract_version, key, of, policy
from ml_assets.assets.types import DataFrame, RawTable
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.home import Home
from ml_assets.resources.settings import Settings
from ml_assets.validation.outcomes import LEAKAGE, severity_of


def build_clean_table(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `clean_table`."""

    @dg.asset(
        **policy(spec, "preparation", kinds={"pandas"}, version=contract_version(spec, "2")),
        ins={"raw_table": of(spec, "raw_table")},
    )
    def clean_table(raw_table: RawTable) -> dg.MaterializeResult[DataFrame]:
        """Typed rows with a target, missing values declared; every dropped row is counted with its reason."""
        from ml_assets.datasets.cleaning import clean
        from ml_assets.datasets.identity import table_hash
        from ml_assets.datasets.state import table_versions
        from ml_assets.datasets.versions.store import content_id

        result = clean(spec, raw_table)
        version = content_id(raw_table)
        table_versions(Home.current(), spec.name).derive(table_hash(result.table), version)
        metadata = {
            **table_metadata(spec, result.table),
            "dagster/column_lineage": lineage(key(spec, "raw_table"), {c: (c,) for c in result.table.columns}),
            "version_id": version,
            "counts": dict(result.counts),
            "dropped": table(result.dropped),
            "corrections": table(result.corrections),
        }
        return dg.MaterializeResult(value=result.table, metadata=metadata)

    return clean_table


def build_splits(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `splits`."""

    @dg.asset(
        **policy(spec, "preparation", kinds={"pandas"}, version=contract_version(spec, "2")),
        ins={"clean_table": of(spec, "clean_table")},
        check_specs=wanted_checks(spec, "splits", LEAKAGE),
    )
    def splits(clean_table: DataFrame, settings: Settings) -> Iterator[Any]:
        """Training rows with their folds, and test rows that nothing looks at before the evaluation."""
        from ml_assets.learning.splitting import split
        from ml_assets.validation.leakage import check_leakage

        parts = split(spec, clean_table, seed=settings.seed)
        sizes = parts["part"].value_counts()
        metadata = {
            "dagster/row_count": len(parts),
            "training_rows": int(sizes.get("train", 0)),
            "test_rows": int(sizes.get("test", 0)),
            "folds": int(parts["fold"].max()) + 1,
            "repeats": spec.repeats,
            "seed": settings.seed,
        }
        wanted = severity_of(spec, LEAKAGE) != "off"
        results = [check_result(check_leakage(spec, clean_table, parts, seed=settings.seed))] if wanted else []
        yield dg.MaterializeResult(value=parts, metadata=metadata, check_results=results)

    return splits
