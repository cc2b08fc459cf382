"""Where a refused table goes: a folder with the table and the reasons. Refusing is `contract_checks`."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ml_assets.datasets.identity import table_hash
from ml_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import CheckOutcome


def quarantine(spec: DatasetSpec, raw: pd.DataFrame, outcomes: Iterable[CheckOutcome], folder: Path) -> Path:
    """The folder `<folder>/<dataset>/<content hash>` with `table.csv`, `reason.json` and `reason.txt`.

    The same table refused twice is kept once, with the reasons of the first time. The folder appears whole
    or not at all.

    Args:
        spec: the contract that refused.
        raw: the refused table, indexed by row id.
        outcomes: what the checks found; only failed ones are written.
        folder: the quarantine of the home.

    Raises:
        StorageError: the folder cannot be written.
    """
    place = folder / spec.name / table_hash(raw)[:16]
    if place.is_dir():
        return place
    failed = [outcome for outcome in outcomes if not outcome.passed]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=place.parent))
        try:
            raw.to_csv(part / "table.csv", index_label="row_id")
            _write_reasons(spec, failed, part)
            part.replace(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        if place.is_dir():
            return place
        remedy = "make room, or make it writable"
        raise StorageError(f"{place} cannot be written ({error.strerror}): {remedy}") from error
    return place


def _write_reasons(spec: DatasetSpec, failed: list[CheckOutcome], part: Path) -> None:
    reasons = {"dataset": spec.name, "checks": [asdict(outcome) for outcome in failed]}
    (part / "reason.json").write_text(json.dumps(reasons, indent=1, default=str) + "\n", encoding="utf-8")
    lines = "".join(f"{outcome.name}: {outcome.summary}\n" for outcome in failed)
    (part / "reason.txt").write_text(lines, encoding="utf-8")
