"""Rooms 1 and 2: the raw table and the contract it must keep. Reading and checking themselves belong in the core."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.artifacts import write_atomically
from ml_assets.assets.metadata import table_metadata
from ml_assets.assets.policy import contract_version, policy
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import SettingError
from ml_assets.home import Home
from ml_assets.validation.outcomes import CHECK_DESCRIPTIONS, raise_on_failure

if TYPE_CHECKING:
    from ml_assets.datasets.sources import Mode
    from ml_assets.validation.outcomes import CheckOutcome

SOURCE_VARIABLE = "ML_ASSETS_SOURCE"


def source_mode() -> "Mode":
    """Where canonical files come from: `ML_ASSETS_SOURCE`, "embedded" by default.

    Raises:
        SettingError: the variable names neither way.
    """
    mode = os.environ.get(SOURCE_VARIABLE, "embedded")
    if mode == "embedded":
        return "embedded"
    if mode == "download":
        return "download"
    raise SettingError(f"{SOURCE_VARIABLE} is '{mode}'; set it to 'embedded' or 'download'")


def build_raw_table(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `raw_table` with the contract as blocking checks."""
    checks = [
        dg.AssetCheckSpec(name, asset=[spec.name, "raw_table"], blocking=True, description=description)
        for name, description in CHECK_DESCRIPTIONS.items()
    ]

    @dg.asset(
        **policy(spec, "ingestion", kinds={"python", "csv", "pandas"}, version=contract_version(spec)),
        description=f"{spec.title}: the canonical file, hash-verified, and every incoming batch. {spec.description}",
        check_specs=checks,
    )
    def raw_table(context: dg.AssetExecutionContext) -> Iterator[Any]:
        from ml_assets.datasets.tables import load_raw_table, source_fingerprint
        from ml_assets.validation.contract_checks import check_table
        from ml_assets.validation.quarantine import quarantine

        home, mode = Home.current(), source_mode()
        fingerprint = source_fingerprint(spec, home.incoming, mode)
        table = load_raw_table(
            spec,
            mode=mode,
            cache=home.data / "downloads",
            incoming=home.incoming,
            progress=_download_report(home.progress / context.run.run_id / f"{spec.name}.json"),
        )
        outcomes = check_table(spec, table)
        yield from (_check_result(outcome) for outcome in outcomes)
        if not all(outcome.passed for outcome in outcomes if outcome.blocking):
            refused = quarantine(spec, table, outcomes, home.quarantine)
            raise_on_failure(spec, outcomes, quarantined=str(refused))
        batches = table["batch"].value_counts().to_dict()
        metadata = {**table_metadata(spec, table), "batches": batches, "source_fingerprint": fingerprint}
        yield dg.MaterializeResult(value=table, metadata=metadata)

    return raw_table


def _download_report(file: Path) -> Callable[[str, int, int | None], None]:
    """Writes how far a download is, at most a few times a second, for whoever watches."""
    last = 0.0

    def report(label: str, received: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= 0.25 or received == total:
            last = time.monotonic()
            write_atomically(file, json.dumps({"download": label, "received": received, "total": total}).encode())

    return report


def _check_result(outcome: "CheckOutcome") -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR if outcome.blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=outcome.name,
        passed=outcome.passed,
        severity=severity,
        description=outcome.summary,
        metadata=dict(outcome.figures),
    )
