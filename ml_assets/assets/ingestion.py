"""Rooms 1 and 2: the raw table and the contract it must keep. Reading and checking themselves belong in the core."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.artifacts import write_atomically
from ml_assets.assets.checks import check_result, wanted_checks
from ml_assets.assets.metadata import contract_schema
from ml_assets.assets.policy import contract_version, policy
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import SettingError
from ml_assets.home import Home
from ml_assets.validation.outcomes import CHECK_NAMES

if TYPE_CHECKING:
    from ml_assets.datasets.sources import Mode

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
    """The asset `raw_table` with the contract as asset checks, blocking or warning as the contract says."""

    @dg.asset(
        **policy(spec, "ingestion", kinds={"python", "polars"}, version=contract_version(spec)),
        description=f"{spec.title}: its sources, verified, and every accepted batch. {spec.description}",
        check_specs=wanted_checks(spec, "raw_table", *CHECK_NAMES),
    )
    def raw_table(context: dg.AssetExecutionContext) -> Iterator[Any]:
        from ml_assets.datasets.ingestion import ingest

        home = Home.current()
        progress = _download_report(home.progress / context.run.run_id / f"{spec.name}.json")
        found = ingest(spec, home, mode=source_mode(), now=time.time, progress=progress)
        for line in found.intake.lines:
            context.log.info(line)
        yield from (check_result(outcome) for outcome in found.outcomes)
        version = found.refuse_if_violated(spec)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(version.id),
            metadata={
                "dagster/row_count": version.rows,
                "dagster/column_schema": contract_schema(spec, version.columns),
                "version": version.number,
                "version_id": version.id,
                "rows_added": version.added,
                "rows_removed": version.removed,
                "rows_changed": version.changed,
                "bytes_added": version.bytes_added,
                "batches": dict(version.batches),
                "intake": dict(found.intake.counts),
                "files": list(found.intake.lines),
                "source_fingerprint": found.source_fingerprint,
            },
        )

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
