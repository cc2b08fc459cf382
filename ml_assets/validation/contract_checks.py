"""A table against its contract: eight checks, each with figures and failing rows. The rules are `schemas`.

What a failed check leads to belongs in `outcomes` (the error) and `quarantine` (the refused table).
Importing this module loads no heavy library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ml_assets.validation.outcomes import (
    CHECK_DESCRIPTIONS,
    CHECK_NAMES,
    CheckOutcome,
    FailingRow,
    raise_on_failure,
    rows_text,
)

if TYPE_CHECKING:
    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.subject import Subject

__all__ = [
    "CHECK_DESCRIPTIONS",
    "CHECK_NAMES",
    "CheckOutcome",
    "FailingRow",
    "check_prediction_input",
    "check_table",
    "raise_on_failure",
]

Figures = Mapping[str, float | int | str]


def check_table(spec: DatasetSpec, raw: pd.DataFrame) -> list[CheckOutcome]:
    """One outcome for each of `CHECK_NAMES`, in that order; all are blocking.

    Args:
        spec: the contract.
        raw: contract columns and `batch`, indexed by row id, in the order of the files; row numbers in
            messages count within a batch, from 1.
    """
    from ml_assets.validation.subject import Subject

    subject = Subject.of(spec, raw, tuple(spec.columns))
    return [_CHECKS[name](subject) for name in CHECK_NAMES]


def check_prediction_input(
    spec: DatasetSpec, rows: pd.DataFrame, *, origin: str, missing: bool = False
) -> list[CheckOutcome]:
    """Schema, ranges, allowed values and missing share of the feature columns of rows to predict.

    Args:
        spec: the contract.
        rows: at least the feature columns; others are not looked at.
        origin: where the rows come from, for messages.
        missing: whether any share of missing values is accepted.
    """
    from ml_assets.datasets.identity import BATCH
    from ml_assets.validation.subject import Subject

    features = spec.feature_columns
    chosen = rows[[name for name in features if name in rows.columns]].assign(**{BATCH: origin})
    subject = Subject.of(spec, chosen, features)
    names = ("schema", "ranges", "allowed_values") + (() if missing else ("missing_share",))
    return [_CHECKS[name](subject) for name in names]


def _schema(subject: Subject) -> CheckOutcome:
    from ml_assets.validation.subject import ABSENT_COLUMN, EXTRA_COLUMN

    cases = subject.structure
    absent = [str(v) for v in cases.loc[cases["check"] == ABSENT_COLUMN, "value"]]
    extra = [str(v) for v in cases.loc[cases["check"] == EXTRA_COLUMN, "value"]]
    values = cases[cases["position"] >= 0]
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
    figures = {"columns": len(subject.table.columns), "missing": len(absent), "extra": len(extra)}
    good = f"{len(subject.names)} columns as promised"
    return _outcome("schema", faults, good, figures, subject.rows(values))


def _ranges(subject: Subject) -> CheckOutcome:
    from ml_assets.validation import schemas

    cases = schemas.failures(schemas.ranges(subject.spec, subject.sound), subject.table)

    def outside(name: str) -> str:
        limits = subject.spec.columns[name].range
        return f"outside {limits[0]:g} … {limits[1]:g}" if limits else "that must be finite"

    numbers = sum(subject.spec.columns[name].is_number for name in subject.sound)
    figures = {"columns": numbers, "values_outside": len(cases)}
    good = f"all values of {numbers} columns are in range"
    return _outcome("ranges", subject.sentences(cases, outside), good, figures, subject.rows(cases))


def _allowed_values(subject: Subject) -> CheckOutcome:
    from ml_assets.validation import schemas

    cases = schemas.failures(schemas.allowed_values(subject.spec, subject.sound), subject.table)

    def strange(name: str) -> str:
        of_column = cases.loc[cases["column"] == name, "value"].map(str)
        shown = ", ".join(repr(value[:40]) for value in of_column.drop_duplicates().head(3))
        return f"other than {', '.join(subject.spec.columns[name].allowed or ())}: {shown}"

    figures = {"values_refused": len(cases)}
    good = "all labels are allowed ones"
    return _outcome("allowed_values", subject.sentences(cases, strange), good, figures, subject.rows(cases))


def _uniqueness(subject: Subject) -> CheckOutcome:
    import pandas as pd

    from ml_assets.datasets.identity import ROW_ID
    from ml_assets.validation import schemas

    table = subject.table.assign(**{ROW_ID: subject.places[ROW_ID]})
    keys = [(ROW_ID,), *(key for key in subject.spec.unique if set(key) <= set(subject.sound))]
    faults, cases = [], []
    for key in keys:
        failed = schemas.repeats(table, list(key))["position"]
        if len(failed):
            case = subject.named(failed, ", ".join(key), "repeated")
            rows = rows_text(subject.rows(case), len(case))
            faults.append(f"{len(case)} rows repeat the key {', '.join(key)} of an earlier row ({rows})")
            cases.append(case)
    found = subject.rows(pd.concat(cases)) if cases else ()
    figures = {"keys": len(keys), "rows_repeated": sum(map(len, cases))}
    return _outcome("uniqueness", faults, "no key names two rows", figures, found)


def _duplicates(subject: Subject) -> CheckOutcome:
    from ml_assets.validation import schemas

    columns, limit = list(subject.sound), subject.spec.duplicate_share
    copies = int(subject.table.duplicated(subset=columns).sum()) if columns else 0
    share = copies / max(1, len(subject.table))
    figures = {"duplicates": copies, "share": share, "largest_share": limit}
    good = f"{copies} rows ({share:.1%}) are exact copies of earlier ones; up to {limit:.0%} are allowed"
    if not columns:
        return _outcome("duplicates", [], good, figures)
    failed = schemas.repeats(subject.table, columns, share=limit)["position"]
    case = subject.named(failed, "", "copy of an earlier row")
    fault = (
        f"{copies} of {len(subject.table)} rows ({share:.1%}) are exact copies of earlier ones, more than "
        f"the {limit:.0%} allowed ({rows_text(subject.rows(case), len(case))})"
    )
    return _outcome("duplicates", [fault] if len(case) else [], good, figures, subject.rows(case))


def _missing_share(subject: Subject) -> CheckOutcome:
    from ml_assets.validation import schemas

    names = [name for name in subject.sound if name != subject.spec.target]
    cases = schemas.failures(schemas.missing_share(subject.spec, names), subject.table)
    missing = subject.table[names].isna()

    def over(name: str) -> str:
        limit = subject.spec.columns[name].missing_share
        if not limit:
            return "missing, and none may be"
        return f"missing, {missing[name].mean():.1%} where {limit:.1%} may be"

    figures = {"values_missing": int(missing.to_numpy().sum()), "values_over_the_limit": len(cases)}
    good = f"{figures['values_missing']} values are missing, no column over its limit"
    return _outcome("missing_share", subject.sentences(cases, over), good, figures, subject.rows(cases))


def _row_count(subject: Subject) -> CheckOutcome:
    from ml_assets.validation import schemas

    rows, limits = len(subject.table), subject.spec.row_count
    most = f" and at most {limits.maximum}" if limits.maximum is not None else ""
    refused = len(schemas.failures(schemas.row_count(subject.spec), subject.table))
    fault = f"the table has {rows} rows, and at least {limits.minimum}{most} are needed"
    return _outcome("row_count", [fault] if refused else [], f"{rows} rows", {"rows": rows, "minimum": limits.minimum})


def _target(subject: Subject) -> CheckOutcome:
    from ml_assets.validation.targets import check_target

    faults, good, figures, rows = check_target(subject)
    return _outcome("target", faults, good, figures, rows)


def _outcome(
    name: str, faults: Sequence[str], good: str, figures: Figures, rows: tuple[FailingRow, ...] = ()
) -> CheckOutcome:
    return CheckOutcome(name, not faults, True, "; ".join(faults) or good, figures, rows if faults else ())


_CHECKS: Final[Mapping[str, Callable[[Subject], CheckOutcome]]] = {
    "schema": _schema,
    "ranges": _ranges,
    "allowed_values": _allowed_values,
    "uniqueness": _uniqueness,
    "duplicates": _duplicates,
    "missing_share": _missing_share,
    "row_count": _row_count,
    "target": _target,
}
