"""A table against its contract: one outcome a check, with figures and failing rows. Rules: `rules` and `schemas`.

Checks of several rows at once belong in `consistency`, those against the last version in `history`, those of the target
in `targets`; what a failed check leads to in `outcomes` (the error) and `quarantine` (the refused table).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import pandas as pd
import polars as pl

from ml_assets.validation import schemas
from ml_assets.validation.cases import Cases
from ml_assets.validation.consistency import check_duplicates, check_label_noise, check_uniqueness
from ml_assets.validation.freshness import check_freshness
from ml_assets.validation.history import (
    Earlier,
    History,
    check_feature_drift,
    check_row_count_change,
    check_target_drift,
)
from ml_assets.validation.outcomes import (
    CHECK_DESCRIPTIONS,
    CHECK_NAMES,
    CheckOutcome,
    FailingRow,
    check_names,
    raise_on_failure,
)
from ml_assets.validation.rules import labels_text, limits_text, naive
from ml_assets.validation.subject import ABSENT_COLUMN, EXTRA_COLUMN, Subject
from ml_assets.validation.targets import check_target

if TYPE_CHECKING:
    import datetime as dt

    from ml_assets.datasets.spec import DatasetSpec

__all__ = [
    "CHECK_DESCRIPTIONS",
    "CHECK_NAMES",
    "CheckOutcome",
    "Earlier",
    "FailingRow",
    "check_prediction_input",
    "check_table",
    "raise_on_failure",
]


def check_table(
    spec: DatasetSpec,
    raw: pl.DataFrame,
    *,
    previous: pl.DataFrame | Earlier | None = None,
    now: dt.datetime | None = None,
    newest_arrival: dt.datetime | None = None,
    seed: int = 0,
) -> list[CheckOutcome]:
    """One outcome for each of `check_names(spec)`, in that order, blocking where the contract says so.

    Args:
        spec: the contract.
        raw: contract columns in the types of `raw_schema`, and `batch`, in the order of the files; row numbers in
            messages count within a batch, from 1.
        previous: the last accepted version, for the checks that compare; a sample of it is enough.
        now: the time, for the check of freshness; naive ones are in UTC.
        newest_arrival: when rows last arrived, where no date column says how old they are.
        seed: of the samples that are compared with the last version's.
    """
    before = Earlier(previous.height, previous) if isinstance(previous, pl.DataFrame) else previous
    arrived = naive(newest_arrival) if newest_arrival else None
    history = History(before, naive(now) if now else None, arrived, seed)
    subject = Subject.of(spec, raw, history)
    return [_CHECKS[name](subject) for name in check_names(spec)]


def check_prediction_input(
    spec: DatasetSpec, rows: pd.DataFrame, *, origin: str, missing: bool = False
) -> list[CheckOutcome]:
    """Schema, ranges, allowed values and missing values of the feature columns of rows to predict; all are blocking.

    A few rows say nothing of shares: where the contract lets any value be missing, all may be.

    Args:
        spec: the contract.
        rows: at least the feature columns, in the types of a clean table; others are not looked at.
        origin: where the rows come from, for messages.
        missing: whether missing values are accepted in every column.
    """
    columns = {n: c.model_copy(update={"missing_share": float(c.missing_share > 0)}) for n, c in spec.columns.items()}
    strict = spec.model_copy(update={"checks": {}, "columns": columns})
    subject = Subject.to_predict(strict, rows, origin=origin)
    names = ("schema", "ranges", "allowed_values") + (() if missing else ("missing_share",))
    return [_CHECKS[name](subject) for name in names]


def _schema(subject: Subject) -> CheckOutcome:
    cases = subject.structure
    absent = [str(v) for v in cases.loc[cases["check"] == ABSENT_COLUMN, "value"]]
    extra = [str(v) for v in cases.loc[cases["check"] == EXTRA_COLUMN, "value"]]
    of_rows = cases[cases["position"] >= 0]
    values = Cases(of_rows, {str(name): int(n) for name, n in of_rows["column"].value_counts().items()})
    columns = subject.spec.columns
    dtypes = cases[(cases["position"] < 0) & ~cases["check"].isin([ABSENT_COLUMN, EXTRA_COLUMN])]
    faults = [
        *(f"column '{name}' is missing" for name in absent),
        *(f"column '{name}' is not in the contract" for name in extra),
        *(
            f"column '{c}' holds {v}, and {columns[c].dtype} is promised"
            for c, v in zip(dtypes["column"], dtypes["value"], strict=True)
        ),
        *subject.sentences(values, lambda name: f"of another type than {columns[name].dtype}"),
    ]
    figures = {"columns": len(subject.names), "missing": len(absent), "extra": len(extra), "wrong_type": len(dtypes)}
    return subject.outcome("schema", faults, f"{len(subject.names)} columns as promised", figures, values)


def _ranges(subject: Subject) -> CheckOutcome:
    cases, columns = subject.broken("range", "finite", "period"), subject.spec.columns

    def outside(name: str) -> str:
        limited = columns[name].range is not None or columns[name].period is not None
        return f"outside {limits_text(columns[name])}" if limited else "that must be finite"

    looked_at = [name for name in subject.sound if columns[name].is_number or columns[name].period is not None]
    figures = {"columns": len(looked_at), "values_outside": cases.total}
    good = f"all values of {len(looked_at)} columns are in range"
    return subject.outcome("ranges", subject.sentences(cases, outside), good, figures, cases)


def _allowed_values(subject: Subject) -> CheckOutcome:
    cases, columns = subject.broken("allowed"), subject.spec.columns

    def strange(name: str) -> str:
        of_column = cases.frame.loc[cases.frame["column"] == name, "value"].map(str)
        shown = ", ".join(repr(value[:40]) for value in of_column.drop_duplicates().head(3))
        return f"other than {labels_text(columns[name])}: {shown}"

    limited = sum(columns[name].allowed is not None for name in subject.sound)
    figures = {"columns": limited, "values_refused": cases.total}
    good = "all labels are allowed ones"
    return subject.outcome("allowed_values", subject.sentences(cases, strange), good, figures, cases)


def _missing_share(subject: Subject) -> CheckOutcome:
    columns, rows = subject.spec.columns, subject.rows_in
    missing = {name: subject.missing(name) for name in subject.sound if name != subject.spec.target}
    over = {name: n for name, n in missing.items() if n and n / rows > columns[name].missing_share}
    cases = Cases.joined(
        subject.judged(name, schemas.present(name), pl.col(name).is_null(), n) for name, n in over.items()
    )

    def fault(name: str) -> str:
        limit = columns[name].missing_share
        return f"missing, {missing[name] / rows:.1%} where {limit:.1%} may be" if limit else "missing, and none may be"

    most = max(missing.values(), default=0)
    figures = {
        "values_missing": sum(missing.values()),
        "largest_share": most / max(1, rows),
        "columns_over_the_limit": len(over),
        "values_over_the_limit": cases.total,
    }
    good = f"{figures['values_missing']} values are missing, no column over its limit"
    return subject.outcome("missing_share", subject.sentences(cases, fault), good, figures, cases)


def _row_count(subject: Subject) -> CheckOutcome:
    rows, limits = subject.rows_in, subject.spec.row_count
    most = f" and at most {limits.maximum}" if limits.maximum is not None else ""
    refused = len(schemas.failures(schemas.row_count(subject.spec), pd.DataFrame(index=pd.RangeIndex(rows))))
    fault = f"the table has {rows} rows, and at least {limits.minimum}{most} are needed"
    figures = {"rows": rows, "minimum": limits.minimum}
    return subject.outcome("row_count", [fault] if refused else [], f"{rows} rows", figures)


_CHECKS: Final[Mapping[str, Callable[[Subject], CheckOutcome]]] = {
    "schema": _schema,
    "ranges": _ranges,
    "allowed_values": _allowed_values,
    "uniqueness": check_uniqueness,
    "duplicates": check_duplicates,
    "missing_share": _missing_share,
    "row_count": _row_count,
    "target": check_target,
    "row_count_change": check_row_count_change,
    "label_noise": check_label_noise,
    "target_drift": check_target_drift,
    "feature_drift": check_feature_drift,
    "freshness": check_freshness,
}
