"""What the contract says of a single value, as Polars expressions: fast, and enough to say that a column is clean.

Rules for the rows of one incoming file belong in `row_rules`, the pandera schemas for a whole table in `schemas`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from ml_assets.datasets.raw import polars_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ml_assets.datasets.spec import Column, DatasetSpec

LABELS_SHOWN: Final = 20


@dataclass(frozen=True)
class Rule:
    """One rule on the values of one column; a missing value breaks none.

    Attributes:
        broken: whether a row breaks it, as a Boolean expression without nulls.
        message: what is wrong with a value that does, to go on after "the value is".
    """

    column: str
    name: Literal["range", "finite", "period", "allowed"]
    broken: pl.Expr
    message: str


def value_rules(spec: DatasetSpec, names: Iterable[str]) -> list[Rule]:
    """The rules of the contract on the values of columns `names`, in that order."""
    return [rule for name in names for rule in _rules(name, spec.columns[name])]


def limits_text(column: Column) -> str:
    """`2.5 … 4.5`, or the two dates."""
    if column.range is not None:
        return f"{column.range[0]:.12g} … {column.range[1]:.12g}"
    first, last = map(_date_text, column.period or ())
    return f"{first} … {last}"


def naive(moment: dt.datetime) -> dt.datetime:
    """A moment as raw tables have it: in UTC, without saying so."""
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def labels_text(column: Column) -> str:
    """The labels that a column allows, cut to a few."""
    labels = column.allowed or ()
    more = f" and {len(labels) - LABELS_SHOWN} more" if len(labels) > LABELS_SHOWN else ""
    return ", ".join(labels[:LABELS_SHOWN]) + more


def _rules(name: str, column: Column) -> list[Rule]:
    kind, values, found = polars_type(column), pl.col(name), []
    if column.is_number:
        numbers = values.cast(pl.UInt8) if kind == pl.Boolean else values
        if column.range is not None:
            outside = ~numbers.is_between(*column.range)
            found.append(Rule(name, "range", outside.fill_null(False), f"outside {limits_text(column)}"))
        elif kind == pl.Float64:
            infinite = values.is_infinite().fill_null(False)
            found.append(Rule(name, "finite", infinite, "infinite, and a number must be finite"))
    if column.period is not None and kind == pl.Datetime:
        first, last = (pl.lit(naive(moment), dtype=pl.Datetime("us")) for moment in column.period)
        outside = ~values.is_between(first, last)
        found.append(Rule(name, "period", outside.fill_null(False), f"outside {limits_text(column)}"))
    if column.allowed is not None and kind == pl.String:
        strange = ~values.is_in(list(column.allowed))
        found.append(Rule(name, "allowed", strange.fill_null(False), f"other than {labels_text(column)}"))
    return found


def _date_text(moment: dt.datetime) -> str:
    return naive(moment).isoformat(sep=" ").removesuffix(" 00:00:00")
