"""Contracts as pandera schemas, one a rule, and where a table fails one. Wording is `contract_checks`.

Every schema expects a table numbered from 0, so that pandera's failure cases name positions.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pandera.pandas as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ml_assets.datasets.spec import Column, DatasetSpec

LARGEST: Final = sys.float_info.max


def failures(schema: pa.DataFrameSchema, table: pd.DataFrame) -> pd.DataFrame:
    """What breaks `schema`: columns `column`, `value`, `position` (-1 for a whole column) and `check`."""
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        return pd.DataFrame(
            {
                "column": cases["column"].astype(object),
                "value": cases["failure_case"].astype(object),
                "position": pd.to_numeric(cases["index"]).fillna(-1).astype("int64"),
                "check": cases["check"].astype(str),
            }
        ).sort_values(["column", "position"], kind="stable", ignore_index=True)
    return pd.DataFrame({"column": [], "value": [], "position": [], "check": []})


def structure(spec: DatasetSpec, names: Iterable[str]) -> pa.DataFrameSchema:
    """Columns `names` and no others, each of the contract's type."""
    return pa.DataFrameSchema({name: _type_of(spec.columns[name]) for name in names}, strict=True)


def ranges(spec: DatasetSpec, names: Iterable[str]) -> pa.DataFrameSchema:
    """Numbers inside their range, or finite where there is none; infinite targets are `finite_target`'s."""
    columns = {}
    for name in names:
        column = spec.columns[name]
        if column.is_number:
            lowest, highest = column.range or (-LARGEST, LARGEST)
            infinite = name == spec.target
            columns[name] = _checked(_within(lowest, highest, infinite=infinite), "ranges")
    return pa.DataFrameSchema(columns)


def allowed_values(spec: DatasetSpec, names: Iterable[str]) -> pa.DataFrameSchema:
    """Labels among those the contract allows."""
    allowed = {name: spec.columns[name].allowed for name in names}
    return pa.DataFrameSchema(
        {
            name: pa.Column(None, pa.Check.isin(values, name="allowed_values"), nullable=True)
            for name, values in allowed.items()
            if values is not None
        }
    )


def missing_share(spec: DatasetSpec, names: Iterable[str]) -> pa.DataFrameSchema:
    """At most the promised share of missing values; all missing values of a column over it fail."""
    return pa.DataFrameSchema(
        {name: _checked(_present(spec.columns[name].missing_share), "missing_share") for name in names}
    )


def repeats(table: pd.DataFrame, columns: list[str], *, share: float = 0.0) -> pd.DataFrame:
    """Failures of "no row repeats an earlier one in `columns`", empty while their share is at most `share`.

    pandera is given one column that says which rows repeat: on whole rows it would report each cell.
    """
    copies = pd.DataFrame({"repeated": table.duplicated(subset=columns)})
    rule = pa.Check(lambda values: ~values | bool(values.mean() <= share), name="repeats")
    return failures(pa.DataFrameSchema({"repeated": pa.Column(bool, rule)}), copies)


def finite_target(spec: DatasetSpec) -> pa.DataFrameSchema:
    """A target that is there (up to the share the contract lets be missing) and finite."""
    present = _present(spec.columns[spec.target].missing_share)
    checks = [pa.Check(present, name="missing", ignore_na=False)]
    if spec.columns[spec.target].is_number:
        checks.append(pa.Check(lambda values: ~np.isinf(values), name="infinite"))
    return pa.DataFrameSchema({spec.target: pa.Column(None, checks, nullable=True)})


def _type_of(column: Column) -> pa.Column:
    if column.dtype == "float":
        return pa.Column("float64", nullable=True)
    if column.dtype == "integer":
        return pa.Column(None, pa.Check(_whole, name="whole numbers", ignore_na=False), nullable=True)
    return pa.Column(None, pa.Check(_labels, name="labels", ignore_na=False), nullable=True)


def _whole(values: pd.Series) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return pd.Series(False, index=values.index)
    numbers = values.astype("float64")
    return numbers.isna() | np.isinf(numbers) | (numbers == np.floor(numbers))


def _labels(values: pd.Series) -> pd.Series:
    return values.isna() | values.map(lambda value: isinstance(value, str)).astype(bool)


def _present(share: float) -> Callable[[pd.Series], pd.Series]:
    return lambda values: values.notna() | bool(values.isna().mean() <= share)


def _within(lowest: float, highest: float, *, infinite: bool) -> Callable[[pd.Series], pd.Series]:
    def within(values: pd.Series) -> pd.Series:
        inside = values.isna() | values.between(lowest, highest)
        return inside | np.isinf(values) if infinite else inside

    return within


def _checked(rule: Callable[[pd.Series], Any], name: str) -> pa.Column:
    return pa.Column(None, pa.Check(rule, name=name, ignore_na=False), nullable=True)


def row_count(spec: DatasetSpec) -> pa.DataFrameSchema:
    """As many rows as the contract asks for."""
    lowest, highest = spec.row_count.minimum, spec.row_count.maximum or sys.maxsize
    return pa.DataFrameSchema(checks=pa.Check(lambda table: lowest <= len(table) <= highest, name="row_count"))
