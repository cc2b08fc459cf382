"""What a check says, and how failures become one error; no heavy library. Checking is `contract_checks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ml_assets.errors import ContractViolation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ml_assets.datasets.spec import DatasetSpec, Severity

BLOCKING_CHECKS: Final[Mapping[str, str]] = {
    "schema": "The table has the contract's columns, each of the promised type.",
    "ranges": "Every number is finite and inside the range of its column, every date inside its period.",
    "allowed_values": "Every label is one the contract allows.",
    "uniqueness": "No part of the key is missing; no two rows have the same key, or the same of what else is unique.",
    "duplicates": "The share of exact copies of earlier rows is within the contract.",
    "missing_share": "No column has a larger share of missing values than the contract allows.",
    "row_count": "The table has as many rows as the contract asks for.",
    "target": "The target is finite, varies, and has enough rows to split.",
}
"""Checks of the raw table that refuse it by default."""

WARNING_CHECKS: Final[Mapping[str, str]] = {
    "row_count_change": "The number of rows is near that of the last version.",
    "label_noise": "Few rows have the features of another row and a different target.",
    "target_drift": "The target is distributed as in the last version.",
    "feature_drift": "Every feature is distributed as in the last version.",
    "freshness": "The newest row is as new as the contract asks for.",
}
"""Checks of the raw table that warn by default."""

CHECK_DESCRIPTIONS: Final[Mapping[str, str]] = {**BLOCKING_CHECKS, **WARNING_CHECKS}
CHECK_NAMES: Final = tuple(CHECK_DESCRIPTIONS)

LEAKAGE: Final = "leakage"
FITTED_INSIDE: Final = "fitted_inside"
LEAKAGE_DESCRIPTIONS: Final[Mapping[str, str]] = {
    LEAKAGE: "No column gives the target away, names its row or comes from the future, and the split keeps rows apart.",
    FITTED_INSIDE: "Features of training rows are made without a look at rows that are held back.",
}
"""Checks of what is made from the raw table; both warn by default, and `leakage` in the contract says so of both."""

Figures = Mapping[str, float | int | str]
ROWS_KEPT: Final = 100
ROWS_SHOWN: Final = 5


@dataclass(frozen=True)
class FailingRow:
    """One value that breaks the contract.

    Attributes:
        row_id: id of the row; empty for a row to predict.
        row: 1-based number of the row among those of its batch.
    """

    row_id: str
    batch: str
    row: int
    column: str
    value: str


@dataclass(frozen=True)
class CheckOutcome:
    """What one check found; `failing_rows` holds the first hundred, `figures` counts them all."""

    name: str
    passed: bool
    blocking: bool
    summary: str
    figures: Figures = field(default_factory=dict)
    failing_rows: tuple[FailingRow, ...] = ()


def severity_of(spec: DatasetSpec, name: str) -> Severity:
    """What a failure of the check `name` does: the contract's word, else the default."""
    default: Severity = "block" if name in BLOCKING_CHECKS else "warn"
    asked = LEAKAGE if name == FITTED_INSIDE else name
    return next((severity for check, severity in spec.checks.items() if check == asked), default)


def check_names(spec: DatasetSpec) -> tuple[str, ...]:
    """Checks of the raw table that the contract does not turn off, in the order of `CHECK_NAMES`."""
    return tuple(name for name in CHECK_NAMES if severity_of(spec, name) != "off")


def raise_on_failure(
    spec: DatasetSpec,
    outcomes: Iterable[CheckOutcome],
    *,
    quarantined: str | None = None,
    remedy: str | None = None,
) -> None:
    """Nothing, when every blocking check passed.

    Args:
        spec: the contract that was checked.
        outcomes: what the checks found.
        quarantined: where the refused table was put, for the message.
        remedy: what to do, where it is not to correct the batches in data/incoming or the contract.

    Raises:
        ContractViolation: with every failed check's summary, the batches to correct, and the remedy.
    """
    failed = [outcome for outcome in outcomes if outcome.blocking and not outcome.passed]
    if not failed:
        return
    kept = f"; the refused table is in {quarantined}" if quarantined else ""
    todo = remedy or _remedy(spec, failed)
    raise ContractViolation(f"{spec.name}: {'; '.join(o.summary for o in failed)}{kept}; {todo}")


def _remedy(spec: DatasetSpec, failed: Iterable[CheckOutcome]) -> str:
    canonical = {file.name for file in spec.sources}
    named = dict.fromkeys(row.batch for outcome in failed for row in outcome.failing_rows if row.batch)
    batches = [batch for batch in named if batch not in canonical]
    if batches:
        places = ", ".join(f"data/incoming/{spec.name}/{batch}" for batch in batches[:ROWS_SHOWN])
        return f"correct or remove {places} and run again"
    return f"correct the table, or the contract {spec.name}.yaml if the table is right, and run again"


def rows_text(rows: Iterable[FailingRow], total: int) -> str:
    """`rows 17, 204, 911 of batch 2026-11-23.csv`, cut to a few rows, with how many more there are."""
    shown = list(dict.fromkeys((row.batch, row.row) for row in rows))[:ROWS_SHOWN]
    by_batch: dict[str, list[int]] = {}
    for batch, row in shown:
        by_batch.setdefault(batch, []).append(row)
    texts = [
        f"{'row' if len(numbers) == 1 else 'rows'} {', '.join(map(str, numbers))}"
        + (f" of batch {batch}" if batch else "")
        for batch, numbers in by_batch.items()
    ]
    more = f", and {total - len(shown)} more" if total > len(shown) else ""
    return "; ".join(texts) + more
