"""Columns as a file has them to columns as a contract promises them, and the cells that cannot be.

Whole columns at a time: only a cell that is wrong is looked at by itself. Files belong in `formats`, headers in
`columns`, dates in `dates`, and whether a value is an allowed one in `validation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from ml_assets.datasets.raw import polars_type
from ml_assets.datasets.reading.dates import DATES, parsed_dates, plain_dates
from ml_assets.datasets.reading.dialect import MISSING, NUMBER
from ml_assets.datasets.reading.formulas import formula_mask
from ml_assets.datasets.reading.wording import shortened

if TYPE_CHECKING:
    from ml_assets.datasets.spec import Column

MAX_CELL_BYTES: Final = 10_000
MAX_TEXT_BYTES: Final = 1 << 20
LARGEST_INTEGER: Final = 2**53
PLAIN_NAME: Final = "cells"
"""What a column is called meanwhile: Polars takes a name such as `^a.*$` or `*` for a pattern of names."""
FEW_LABELS: Final = 2000
LABEL_SAMPLE: Final = 20_000

TRUE: Final = ("true", "yes", "t", "y", "on", "1", "1.0")
FALSE: Final = ("false", "no", "f", "n", "off", "0", "0.0")
_NAN: Final = "(?i)^[+-]?nan$"


@dataclass(frozen=True)
class BadCells:
    """Cells of a column that break one rule: booleans, one a row."""

    rule: str
    where: pl.Series


def typed_column(
    column: Column, found: pl.Series, *, decimal: str = ".", formulas: bool = False
) -> tuple[pl.Series, list[BadCells]]:
    """`found` in the type that `polars_type` gives, null where a cell is missing or bad, and the bad cells by rule.

    Nothing is copied where the type is the right one and all cells are as they should be. The name says nothing.

    Args:
        column: what the contract promises.
        found: texts, numbers, booleans or dates.
        decimal: mark of numbers in texts.
        formulas: whether a label or text that a spreadsheet would run is bad.
    """
    found = found.alias(PLAIN_NAME)
    if found.dtype == pl.Null:
        return found.cast(polars_type(column)), []
    if found.dtype.is_float() and found.is_nan().any():
        found = found.fill_nan(None)
    if column.dtype in ("category", "text"):
        return _labels(column, as_text(found), formulas=formulas)
    if found.dtype.is_numeric() or found.dtype == pl.Boolean or found.dtype in DATES:
        is_date = found.dtype in DATES
        if is_date == (column.dtype == "date"):
            values = plain_dates(found) if is_date else _converted(column.dtype, found)
            return values, _unread(column.dtype, found, values)
    cells = _present(as_text(found), (*MISSING, *column.missing_texts))
    values = _parsed(column, cells, decimal)
    return values, _unread(column.dtype, cells, values)


def as_text(found: pl.Series) -> pl.Series:
    """Values as a text file would have them: whole floats without a point, dates by ISO 8601."""
    return _as_text(found.alias(PLAIN_NAME)).alias(found.name)


def _as_text(found: pl.Series) -> pl.Series:
    if found.dtype == pl.String:
        return found
    if found.dtype.is_decimal():
        found = found.cast(pl.Float64)
    if found.dtype.is_float():
        whole = found.cast(pl.Int64, strict=False)
        return (whole if (whole.cast(pl.Float64) == found.cast(pl.Float64)).all() else found).cast(pl.String)
    if found.dtype == pl.Date:
        return found.dt.strftime("%Y-%m-%d")
    if found.dtype == pl.Datetime:
        return found.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
    return found.cast(pl.String)


def sentence(name: str, column: Column, rule: str, text: str, decimal: str) -> str:
    """What is wrong with a cell that holds `text`, and what to do."""
    size = len(text.encode(errors="replace"))
    limit = MAX_TEXT_BYTES if column.dtype == "text" else MAX_CELL_BYTES
    if rule == "cell_size":
        return (
            f"column '{name}' holds {size} bytes, more than the {limit} a cell may have: shorten it, or look for a "
            "quote that is not closed"
        )
    if rule == "line_break":
        return f"column '{name}' holds a line break: look for an open quote"
    if rule == "zero_byte":
        return f"column '{name}' holds {shortened(text)}, with a zero byte, which no text has: take it out"
    if rule == "formula":
        return (
            f"column '{name}' holds {shortened(text)}, which a spreadsheet would run as a formula: put an apostrophe "
            "in front of it, or take it out"
        )
    return f"column '{name}' holds {shortened(text)}, and {_needed(column, text.strip(), decimal)}"


def _needed(column: Column, text: str, decimal: str) -> str:
    if column.dtype == "boolean":
        return "yes or no is needed: write it as true/false, yes/no, t/f, y/n, on/off or 1/0"
    if column.dtype == "date":
        written = f"written as {column.date_format}" if column.date_format else "such as 2024-01-31"
        return f"a date {written} is needed: correct the cell, or leave it empty"
    if column.dtype == "integer" and NUMBER.fullmatch(text):
        if text.lstrip("+-").isdecimal():
            return "only whole numbers up to 2^53 are kept exactly: make the column a category"
        return "whole numbers are needed: correct the cell"
    kind = "whole numbers are" if column.dtype == "integer" else "a number is"
    other = "." if decimal == "," else ","
    if NUMBER.fullmatch(text.replace(other, ".")):
        return f"{kind} needed: write it with a decimal {'comma' if decimal == ',' else 'point'}"
    return f"{kind} needed: correct the cell, or leave it empty"


def _unread(rule: str, found: pl.Series, values: pl.Series) -> list[BadCells]:
    """Cells that are there and came to nothing."""
    if found.null_count() == values.null_count():
        return []
    where = found.is_not_null() & values.is_null()
    if found.dtype == pl.String:
        where &= ~found.str.contains(_NAN).fill_null(False)
    return [BadCells("number" if rule == "float" else rule, where)] if where.any() else []


def _converted(dtype: str, found: pl.Series) -> pl.Series:
    if dtype == "float":
        return found.cast(pl.Float64)
    if dtype == "boolean":
        if found.dtype == pl.Boolean:
            return found
        return found.set((found != 0) & (found != 1), None).cast(pl.Boolean)
    return _whole(found)


def _whole(found: pl.Series) -> pl.Series:
    """Whole numbers within the range in which doubles are exact, null for others."""
    whole = found.cast(pl.Int64, strict=False)
    if whole.is_empty() or whole.null_count() == len(whole):
        return whole
    if not found.dtype.is_integer() and found.dtype != pl.Boolean:
        whole = whole.set(whole.cast(pl.Float64) != found.cast(pl.Float64), None)
    if (whole.min() or 0) < -LARGEST_INTEGER or (whole.max() or 0) > LARGEST_INTEGER:  # type: ignore[operator]
        whole = whole.set(~whole.is_between(-LARGEST_INTEGER, LARGEST_INTEGER), None)
    return whole


def _present(texts: pl.Series, missing: tuple[str, ...]) -> pl.Series:
    bare = texts.str.strip_chars()
    absent = bare.is_in(list(missing))
    return bare.set(absent, None) if absent.any() else bare


def _parsed(column: Column, cells: pl.Series, decimal: str) -> pl.Series:
    if column.dtype == "date":
        return parsed_dates(cells, column.date_format)
    if column.dtype == "boolean":
        lower = cells.str.to_lowercase()
        known = lower.is_in([*TRUE, *FALSE])
        return lower.is_in(list(TRUE)).set(~known, None)
    if decimal == ",":
        cells = cells.set(cells.str.contains(".", literal=True), None).str.replace(",", ".", literal=True)
    if column.dtype == "integer":
        whole = cells.cast(pl.Int64, strict=False)
        if whole.null_count() == cells.null_count():
            return _whole(whole)
        rest = _whole(cells.set(whole.is_not_null(), None).cast(pl.Float64, strict=False))
        return _whole(whole).zip_with(whole.is_not_null(), rest)
    numbers = cells.cast(pl.Float64, strict=False)
    return numbers.fill_nan(None) if numbers.is_nan().any() else numbers


def _labels(column: Column, texts: pl.Series, *, formulas: bool) -> tuple[pl.Series, list[BadCells]]:
    """As `_judged`; of few labels each is looked at once."""
    if len(texts) <= LABEL_SAMPLE or texts.head(LABEL_SAMPLE).n_unique() > FEW_LABELS:
        return _judged(column, texts, formulas=formulas)
    labels = texts.unique().drop_nulls()
    values, bad = _judged(column, labels, formulas=formulas)
    if not values.null_count() and (values == labels).all():
        return texts, []
    return (
        texts.replace_strict(labels, values, default=None, return_dtype=pl.String),
        [BadCells(b.rule, texts.is_in(labels.filter(b.where).to_list()).fill_null(False)) for b in bad],
    )


def _judged(column: Column, texts: pl.Series, *, formulas: bool) -> tuple[pl.Series, list[BadCells]]:
    """Labels without blanks around them, texts as they are; null where there is nothing but blanks, or a bad cell."""
    limit = MAX_TEXT_BYTES if column.dtype == "text" else MAX_CELL_BYTES
    values, bad = texts, []
    for rule, broken in (
        ("cell_size", lambda s: s.str.len_bytes() > limit),
        ("zero_byte", lambda s: s.str.contains("\0", literal=True)),
        ("formula", formula_mask if formulas else None),
        ("line_break", (lambda s: s.str.strip_chars().str.contains(r"[\r\n]")) if column.dtype == "category" else None),
    ):
        where = broken(values).fill_null(False) if broken is not None else None
        if where is not None and where.any():
            bad.append(BadCells(rule, where))
            values = values.set(where, None)
    bare = values.str.strip_chars()
    absent = bare.is_in(["", *column.missing_texts])
    kept = bare if column.dtype == "category" else values
    return (kept.set(absent, None) if absent.any() else kept), bad
