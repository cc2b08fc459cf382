"""Outcomes of the core's checks as Dagster's asset checks. Checking itself belongs in `validation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from ml_assets.assets.metadata import records_table
from ml_assets.validation.outcomes import CHECK_DESCRIPTIONS, LEAKAGE_DESCRIPTIONS, severity_of

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import CheckOutcome

ROWS_LISTED = 20


def check_spec(spec: DatasetSpec, asset: str, name: str) -> dg.AssetCheckSpec:
    """The check `name` on an asset of a dataset: it stops what follows where the contract lets it block."""
    descriptions = {**CHECK_DESCRIPTIONS, **LEAKAGE_DESCRIPTIONS}
    blocking = severity_of(spec, name) == "block"
    return dg.AssetCheckSpec(name, asset=[spec.name, asset], blocking=blocking, description=descriptions[name])


def wanted_checks(spec: DatasetSpec, asset: str, *names: str) -> list[dg.AssetCheckSpec]:
    """Those of the checks on an asset that the contract does not turn off."""
    return [check_spec(spec, asset, name) for name in names if severity_of(spec, name) != "off"]


def check_result(outcome: CheckOutcome) -> dg.AssetCheckResult:
    """What a check found, with its figures and the first of the rows that fail."""
    severity = dg.AssetCheckSeverity.ERROR if outcome.blocking else dg.AssetCheckSeverity.WARN
    rows = {"rows": records_table(outcome.failing_rows[:ROWS_LISTED])} if outcome.failing_rows else {}
    return dg.AssetCheckResult(
        check_name=outcome.name,
        passed=outcome.passed,
        severity=severity,
        description=outcome.summary,
        metadata={**dict(outcome.figures), **rows},
    )
