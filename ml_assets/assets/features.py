"""Room 5: the feature plan, fitted on training rows, and the table it makes."""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg

from ml_assets.assets.budget import WAITED
from ml_assets.assets.checks import check_result, wanted_checks
from ml_assets.assets.metadata import lineage, number_schema, records_table
from ml_assets.assets.policy import contract_version, key, of, policy
from ml_assets.assets.types import DataFrame, FeatureSet
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.home import Home
from ml_assets.processes import cores
from ml_assets.resources.settings import Settings
from ml_assets.validation.outcomes import FITTED_INSIDE, severity_of


def build_features(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `features`."""

    @dg.asset(
        **policy(spec, "features", kinds={"scikitlearn", "pandas"}, version=contract_version(spec, "3")),
        ins={"clean_table": of(spec, "clean_table"), "splits": of(spec, "splits")},
        check_specs=wanted_checks(spec, "features", FITTED_INSIDE),
    )
    def features(clean_table: DataFrame, splits: DataFrame, settings: Settings) -> Iterator[Any]:
        """The fitted feature plan, the steps found for it, and its table; each model fits a copy on its own rows."""
        from ml_assets.features.feature_set import BUDGET_SHARE, find_steps
        from ml_assets.features.feature_set import FeatureSet as Made
        from ml_assets.learning.cores import hold_cores
        from ml_assets.validation.fitted_inside import check_fitted_inside

        asked = time.monotonic()
        with hold_cores(cores(), total=cores(), folder=Home.current().locks) as threads:
            waited = time.monotonic() - asked
            found = find_steps(
                spec,
                clean_table,
                splits,
                seconds=BUDGET_SHARE * settings.seconds,
                threads=threads,
                seed=settings.seed,
            )

        def make(table: DataFrame, parts: DataFrame) -> FeatureSet:
            return Made.of(spec, table, parts, seed=settings.seed, found=found)

        made = make(clean_table, splits)
        metadata: dict[str, Any] = {
            "dagster/row_count": len(made.table),
            "dagster/column_schema": number_schema(made.table.columns),
            "steps": records_table(made.considered),
            WAITED: waited,
            "dagster/column_lineage": lineage(key(spec, "clean_table"), made.plan.lineage_),
        }
        results = []
        if severity_of(spec, FITTED_INSIDE) != "off":
            outcome = check_fitted_inside(
                spec, lambda *parts: make(*parts).table, clean_table, splits, seed=settings.seed
            )
            results.append(check_result(outcome))
        yield dg.MaterializeResult(value=made, metadata=metadata, check_results=results)

    return features
