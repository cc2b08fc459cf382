"""Columns of Python values, as databases, workbooks and odd lines of JSON give them, to Polars columns.

What a contract makes of them belongs in `cells`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl

from ml_assets.datasets.reading.wording import shortened
from ml_assets.errors import SourceError

NESTED: Final = (list, dict, tuple, set, frozenset, bytes, bytearray, memoryview)
_LARGEST: Final = 2**63 - 1


def column_of(name: str, values: Sequence[Any], *, origin: str) -> pl.Series:
    """`values` as Int64, Float64, Boolean, String or a naive Datetime in UTC; Null where all are None.

    Values of several kinds become texts, but whole numbers among others become numbers and days among moments moments.

    Raises:
        SourceError: a value holds several values, or bytes; names the column.
    """
    kinds = {type(value) for value in values if value is not None}
    if nested := [kind for kind in kinds if issubclass(kind, NESTED)]:
        row = next(at for at, value in enumerate(values, start=1) if isinstance(value, nested[0]))
        raise SourceError(
            f"{origin}, row {row}: column {shortened(name)} holds {nested[0].__name__}, and one number, text, boolean "
            "or date a cell is needed: spread it over columns, or leave it out"
        )
    if kinds <= {int} and all(value is None or -_LARGEST <= value <= _LARGEST for value in values):
        return pl.Series(name, values, dtype=pl.Int64 if kinds else pl.Null)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds <= {int, float, Decimal}:
        return pl.Series(name, [None if value is None else _float(value) for value in values], dtype=pl.Float64)
    if kinds <= {dt.date, dt.datetime}:
        return pl.Series(name, [None if value is None else _naive(value) for value in values], dtype=pl.Datetime("us"))
    return pl.Series(name, [None if value is None else text_of(value) for value in values], dtype=pl.String)


def joined(name: str, parts: Sequence[pl.Series]) -> pl.Series:
    """One column of several parts; of one type where they agree, numbers where all are, else texts."""
    known = {part.dtype for part in parts if part.dtype != pl.Null}
    if len(known) > 1:
        kind: pl.DataType = pl.Float64() if known <= {pl.Int64(), pl.Float64()} else pl.String()
        parts = [_recast(part, kind) for part in parts]
    elif known:
        parts = [part.cast(next(iter(known))) if part.dtype == pl.Null else part for part in parts]
    return pl.concat(parts, rechunk=True).alias(name) if parts else pl.Series(name, [], dtype=pl.Null)


def text_of(value: Any, decimal: str = ".") -> str:
    """A value as a text file would have it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        return text.replace(".", decimal)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value).encode("utf-8", "replace").decode()


def _recast(part: pl.Series, kind: pl.DataType) -> pl.Series:
    if kind == pl.String and part.dtype != pl.String:
        return pl.Series(part.name, [None if value is None else text_of(value) for value in part], dtype=pl.String)
    return part.cast(kind)


def _float(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _naive(value: dt.date | dt.datetime) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
