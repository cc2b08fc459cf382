"""Which rows of one incoming file break the contract, cell by cell. A whole table is checked in `contract_checks`.

Cells that could not be read as their column's type are `reading`'s to report; here they are missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_assets.datasets.raw import row_hashes
from ml_assets.datasets.reading.formulas import formula_mask
from ml_assets.validation.rules import value_rules

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec


@dataclass(frozen=True, slots=True)
class BadCell:
    """One cell that breaks a rule.

    Attributes:
        position: of its row in the frame, from 0.
        column: its column; of a key the columns, with commas.
        value: as text; empty if it is missing.
        rule: "range", "finite", "period", "allowed", "missing", "formula", "key" or "repeat".
        message: what is wrong with it.
    """

    position: int
    column: str
    value: str
    rule: str
    message: str


def bad_rows(spec: DatasetSpec, frame: pl.DataFrame) -> list[BadCell]:
    """The cells of a file's rows that break the contract, rule by rule, in row order within a rule.

    A target may be missing where the contract has a key: its label may come later. Of several good rows with the same
    key, or the same values in columns that are to be unique, all but the first are bad.

    Args:
        spec: the contract.
        frame: rows of the file, with those of the contract's columns that it has, in the types of `raw_schema`.
    """
    found = [
        *_breaking_values(spec, frame),
        *_missing(spec, frame),
        *_formulas(spec, frame),
    ]
    refused = pl.Series([cell.position for cell in found], dtype=pl.UInt32)
    return [*found, *_repeats(spec, frame, refused.unique())]


def _breaking_values(spec: DatasetSpec, frame: pl.DataFrame) -> Iterator[BadCell]:
    rules = value_rules(spec, [name for name in spec.columns if name in frame.columns])
    masks = frame.select(rule.broken.alias(str(at)) for at, rule in enumerate(rules))
    for at, rule in enumerate(rules):
        yield from _cells(frame, masks[str(at)], rule.column, rule.name, rule.message)


def _missing(spec: DatasetSpec, frame: pl.DataFrame) -> Iterator[BadCell]:
    for name, column in spec.columns.items():
        if name not in frame.columns or not frame[name].null_count():
            continue
        if name in spec.key:
            yield from _cells(frame, frame[name].is_null(), name, "key", "missing, and it is part of the key")
        elif column.missing_share == 0 and not (spec.key and name == spec.target):
            yield from _cells(frame, frame[name].is_null(), name, "missing", "missing, and none may be")


def _formulas(spec: DatasetSpec, frame: pl.DataFrame) -> Iterator[BadCell]:
    message = "a formula that a spreadsheet would run"
    for name, column in spec.columns.items():
        if name in frame.columns and frame[name].dtype == pl.String and column.allowed is None:
            yield from _cells(frame, formula_mask(frame[name]), name, "formula", message)


def _repeats(spec: DatasetSpec, frame: pl.DataFrame, refused: pl.Series) -> Iterator[BadCell]:
    good = ~pl.int_range(frame.height, dtype=pl.UInt32, eager=True).is_in(refused.implode())
    for columns in dict.fromkeys((*([spec.key] if spec.key else []), *spec.unique)):
        if not set(columns) <= set(frame.columns):
            continue
        named = good & ~frame.select(pl.any_horizontal(pl.col(list(columns)).is_null())).to_series()
        positions = named.arg_true()
        hashes = pl.Series(row_hashes(frame.select(columns)[positions], columns), dtype=pl.UInt64)
        for position in positions.filter(~hashes.is_first_distinct()):
            values = ", ".join(map(_text, frame.select(columns).row(position)))
            message = f"the same {', '.join(columns)} as an earlier row of the file"
            yield BadCell(position, ", ".join(columns), values, "repeat", message)


def _cells(frame: pl.DataFrame, broken: pl.Series, column: str, rule: str, message: str) -> Iterator[BadCell]:
    positions: list[int] = broken.arg_true().to_list()
    if positions:
        for position, value in zip(positions, frame[column].gather(positions), strict=True):
            yield BadCell(position, column, _text(value), rule, message)


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    return "" if value is None else str(value)
