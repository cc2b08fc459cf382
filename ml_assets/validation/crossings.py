"""Rows that a split should have kept together or in order, and did not. Reporting belongs in `leakage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl

from ml_assets.datasets.raw import row_hashes
from ml_assets.learning.splitting import repeated_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import Column, DatasetSpec


def alike_over_the_split(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame) -> NDArray[np.int64]:
    """Positions of rows whose features a row on another side or in another fold has, equal ones next to each other."""
    features = pl.DataFrame([_series(spec.columns[name], table[name]) for name in spec.feature_columns])
    return _crossing(row_hashes(features, features.columns), splits)


def groups_over_the_split(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame) -> NDArray[np.int64]:
    """Positions of rows whose group another side or fold has too, equal ones next to each other; as `spec.group` is."""
    codes, _ = pd.factorize(table[spec.group])
    found = _crossing(codes, splits)
    return found[codes[found] >= 0]


def later_than_the_test(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame) -> NDArray[np.int64]:
    """Positions of training rows that are later than the earliest test row, by `spec.time`."""
    time, is_test = table[spec.time], (splits["part"] == "test").to_numpy()
    return np.flatnonzero((time > time[is_test].min()).to_numpy() & ~is_test)


def later_than_the_row(spec: DatasetSpec, table: pd.DataFrame, column: str) -> tuple[NDArray[np.int64], float]:
    """Positions of rows whose date in `column` is later than `spec.time`, and their share of rows with both."""
    dates, time = table[column], table[spec.time]
    later = (dates > time).to_numpy()
    return np.flatnonzero(later), float(later.sum() / max(1, (dates.notna() & time.notna()).sum()))


def _series(column: Column, values: pd.Series[Any]) -> pl.Series:
    """A column of a clean table; numbers of any kind as floats, which is how a model sees them."""
    name = str(values.name)
    if column.is_number:
        return pl.Series(name, values.to_numpy(dtype=np.float64, na_value=np.nan)).fill_nan(None)
    if column.dtype == "date":
        return pl.Series(name, values.to_numpy())
    return pl.Series(name, [value if isinstance(value, str) else None for value in values], dtype=pl.String)


def _crossing(keys: NDArray[Any], splits: pd.DataFrame) -> NDArray[np.int64]:
    # Rows to test and rows to calibrate on have no fold, and are two sides all the same.
    rows, crossing = pd.DataFrame({"key": keys}), np.zeros(len(keys), dtype=bool)
    for folds in repeated_folds(splits):
        sides = pd.Series(np.where(splits["part"] == "calibration", folds - 1, folds)).groupby(rows["key"])
        crossing |= (sides.transform("min") != sides.transform("max")).to_numpy()
    found = rows[crossing].sort_values("key", kind="stable").index
    return np.asarray(found, dtype=np.int64)
