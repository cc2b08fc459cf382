"""Corrections of a contract: values a source has wrong, put right on the way to the clean table.

The raw table stays as it was published; which rows leave it altogether belongs in `cleaning`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ml_assets.datasets.identity import BATCH
from ml_assets.errors import ContractError, ContractViolation

if TYPE_CHECKING:
    from ml_assets.datasets.spec import Column, Correction, DatasetSpec

Value = float | bool | str | dt.datetime | None

TRUTH = {"1": True, "true": True, "0": False, "false": False}


def correct(spec: DatasetSpec, raw: pl.DataFrame) -> tuple[pl.DataFrame, list[int | None]]:
    """`raw` with the contract's corrections, and the position of the row that each of them changed.

    The position is None where the contract has a key and a later batch has taken the row's place.

    Raises:
        ContractViolation: a source has no such row, or holds another value than the correction says.
        ContractError: a correction's value does not suit its column.
    """
    positions = [_position(spec, raw, correction) for correction in spec.corrections]
    becomes: dict[str, dict[int, Value]] = {}
    for correction, position in zip(spec.corrections, positions, strict=True):
        if position is not None:
            _verify(spec, raw, correction, position)
            becomes.setdefault(correction.column, {})[position] = _value(spec, correction, correction.becomes)
    changed = [_scattered(raw[column], values) for column, values in becomes.items()]
    return raw.with_columns(changed), positions


def _position(spec: DatasetSpec, raw: pl.DataFrame, correction: Correction) -> int | None:
    batches = raw[BATCH] if BATCH in raw.columns else pl.Series([], dtype=pl.String)
    rows = np.flatnonzero((batches == correction.source).to_numpy())
    if spec.key and len(rows):
        first = 0 if correction.source == spec.sources[0].name else int(rows[0])
        places = np.arange(first, rows[-1] + 1)
    else:
        places = rows
    if correction.row > len(places):
        there = f"only {len(places)} rows" if len(places) else "no rows"
        raise ContractViolation(
            f"{_place(spec, correction)}: the raw table has {there} of that source; "
            "mend `corrections` in the contract, or the source"
        )
    position = int(places[correction.row - 1])
    return position if batches[position] == correction.source else None


def _verify(spec: DatasetSpec, raw: pl.DataFrame, correction: Correction, position: int) -> None:
    found = raw[correction.column][position]
    if found != _value(spec, correction, correction.was):
        raise ContractViolation(
            f"{_place(spec, correction)}: found {_shown(found)} where the contract expects {_shown(correction.was)}; "
            "the source has changed: look at the row, then mend or remove the correction"
        )


def _scattered(values: pl.Series, becomes: dict[int, Value]) -> pl.Series:
    new = pl.Series(list(becomes.values()), dtype=values.dtype, strict=False)
    return values.clone().scatter(list(becomes), new)


def _value(spec: DatasetSpec, correction: Correction, given: float | str) -> Value:
    """A value of the contract's YAML as the raw table holds it; an empty text stands for a missing one."""
    column = spec.columns[correction.column]
    if given == "":
        return None
    try:
        return _typed(column, given)
    except (ValueError, KeyError) as error:
        raise ContractError(
            f"{_place(spec, correction)}: {_shown(given)} is no {column.dtype}; mend `corrections` in the contract"
        ) from error


def _typed(column: Column, given: float | str) -> Value:
    text = given if isinstance(given, str) else f"{given:g}"
    if column.dtype == "boolean":
        return TRUTH[text.lower()]
    if column.dtype == "date":
        return dt.datetime.strptime(text, column.date_format) if column.date_format else dt.datetime.fromisoformat(text)
    if column.dtype == "integer" and not float(given).is_integer():
        raise ValueError(given)
    return float(given) if column.is_number else text


def _place(spec: DatasetSpec, correction: Correction) -> str:
    return f"{spec.name}: correction of {correction.source}, row {correction.row}, column '{correction.column}'"


def _shown(value: object) -> str:
    if value is None or value == "":
        return "a missing value"
    return f"{value:.10g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)
