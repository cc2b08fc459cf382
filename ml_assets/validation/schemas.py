"""Contracts as pandera schemas, one a rule, and where a table fails one. Wording is `contract_checks`.

A table's structure is tested by a Polars schema on no rows. Of the values pandera gets those of columns that the
expressions of `rules` could not clear, as pandas columns whose index says at which positions the rows are.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pandera.polars as pap

from ml_assets.datasets.raw import polars_type
from ml_assets.validation.rules import naive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import polars as pl

    from ml_assets.datasets.spec import Column, DatasetSpec

LARGEST: Final = sys.float_info.max
_LARGEST_INTEGER: Final = 2.0**63


def failures(schema: pa.DataFrameSchema | pap.DataFrameSchema, table: pd.DataFrame | pl.DataFrame) -> pd.DataFrame:
    """What breaks `schema`: columns `column`, `value`, `position` (-1 for a whole column) and `check`."""
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as errors:
        found = errors.failure_cases
        cases = found if isinstance(found, pd.DataFrame) else pd.DataFrame(found.to_dict(as_series=False))
        return pd.DataFrame(
            {
                "column": cases["column"].astype(object),
                "value": cases["failure_case"].astype(object),
                "position": pd.to_numeric(cases["index"]).fillna(-1).astype("int64"),
                "check": cases["check"].astype(str),
            }
        ).sort_values(["column", "position"], kind="stable", ignore_index=True)
    return no_failures()


def no_failures() -> pd.DataFrame:
    """What `failures` gives for a table that keeps its schema."""
    return pd.DataFrame({"column": [], "value": [], "position": [], "check": []})


def structure(spec: DatasetSpec, names: Iterable[str]) -> pap.DataFrameSchema:
    """Columns `names` and no others, each of the type that a raw table has for it; for a Polars frame."""
    return pap.DataFrameSchema(
        {name: pap.Column(polars_type(spec.columns[name]), nullable=True) for name in names}, strict=True
    )


def pandas_structure(spec: DatasetSpec, names: Iterable[str]) -> pa.DataFrameSchema:
    """Columns `names` and no others, each of the contract's type; for a pandas frame."""
    return pa.DataFrameSchema({name: _type_of(spec.columns[name]) for name in names}, strict=True)


def value_rules(spec: DatasetSpec, name: str) -> pa.DataFrameSchema:
    """Values of one column in their range, finite where there is none, in their period, and among those allowed."""
    column = spec.columns[name]
    checks = []
    if column.is_number:
        checks.append(_between(*(column.range or (-LARGEST, LARGEST)), name="range"))
    if column.period is not None:
        checks.append(_between(*(np.datetime64(naive(moment), "us") for moment in column.period), name="period"))
    if column.allowed is not None:
        checks.append(pa.Check.isin(column.allowed, name="allowed"))
    return pa.DataFrameSchema({name: pa.Column(None, checks, nullable=True)})


def present(name: str) -> pa.DataFrameSchema:
    """No missing value in one column."""
    return pa.DataFrameSchema({name: _checked(lambda values: values.notna(), "missing")})


def finite(name: str) -> pa.DataFrameSchema:
    """No infinite value in one column."""
    return pa.DataFrameSchema({name: _checked(lambda values: ~np.isinf(values), "infinite")})


def unmarked(name: str) -> pa.DataFrameSchema:
    """No True in a column of Booleans that marks what a rule on whole rows has found.

    pandera is given marks because it would report each cell of a row that repeats another.
    """
    return pa.DataFrameSchema({name: pa.Column(bool, pa.Check(lambda marks: ~marks, name=name))})


def row_count(spec: DatasetSpec) -> pa.DataFrameSchema:
    """As many rows as the contract asks for."""
    lowest, highest = spec.row_count.minimum, spec.row_count.maximum or sys.maxsize
    return pa.DataFrameSchema(checks=pa.Check(lambda table: lowest <= len(table) <= highest, name="row_count"))


def _type_of(column: Column) -> pa.Column:
    if column.dtype == "float":
        return pa.Column("float64", nullable=True)
    rule = {"integer": _whole, "boolean": _binary, "date": _dates}.get(column.dtype, _labels)
    return pa.Column(None, pa.Check(rule, name=column.dtype, ignore_na=False), nullable=True)


def _whole(values: pd.Series) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return pd.Series(False, index=values.index)
    numbers = values.astype("float64")
    return numbers.isna() | ((numbers == np.floor(numbers)) & (numbers.abs() < _LARGEST_INTEGER))


def _binary(values: pd.Series) -> pd.Series:
    return values.isna() | (values.isin([0, 1]) & pd.api.types.is_numeric_dtype(values.dtype))


def _dates(values: pd.Series) -> pd.Series:
    kind = values.dtype
    return pd.Series(isinstance(kind, np.dtype) and kind.kind == "M", index=values.index) | values.isna()


def _labels(values: pd.Series) -> pd.Series:
    return values.isna() | values.map(lambda value: isinstance(value, str)).astype(bool)


def _between(lowest: Any, highest: Any, *, name: str) -> pa.Check:
    return pa.Check(lambda values: values.between(lowest, highest), name=name, ignore_na=True)


def _checked(rule: Callable[[pd.Series], Any], name: str) -> pa.Column:
    return pa.Column(None, pa.Check(rule, name=name, ignore_na=False), nullable=True)
