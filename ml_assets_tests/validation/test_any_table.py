"""Any table under any contract gives outcomes, or refused cells, and never another exception."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.raw import raw_schema
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import ContractViolation
from ml_assets.learning.splitting import split
from ml_assets.validation.contract_checks import check_table, raise_on_failure
from ml_assets.validation.leakage import check_leakage
from ml_assets.validation.outcomes import check_names
from ml_assets.validation.row_rules import bad_rows

NAMES = ("a", "Ärger", "x y", 'quo"te', "d,e", "=f", "-", "batch no")
DTYPES = ("float", "integer", "boolean", "category", "date", "text")
NOW = dt.datetime(2026, 1, 1)
DAYS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "float": st.one_of(st.sampled_from([0.0, 1.0, -0.0, np.inf, -np.inf, np.nan]), st.floats()),
    "integer": st.one_of(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1)),
    "boolean": st.booleans(),
    "category": st.one_of(st.sampled_from(["", "r", "=1", "g"]), st.text(max_size=5)),
    "text": st.one_of(st.sampled_from(["", "hello you", "@SUM(1)"]), st.text(max_size=20)),
    "date": DAYS,
}


def pair(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.tuples(values, values).map(sorted))


def columns_of(dtype: str) -> st.SearchStrategy[dict[str, Any]]:
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    return st.fixed_dictionaries(
        {"dtype": st.just(dtype), "missing_share": st.sampled_from([0.0, 0.2, 1.0])},
        optional={
            "range": pair(numbers),
            "period": pair(DAYS),
            "allowed": st.one_of(st.none(), st.lists(st.sampled_from(["r", "g", ""]), unique=True)),
        },
    )


@st.composite
def contracts(draw: st.DrawFn) -> DatasetSpec:
    """Contracts of two to six columns of all types."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True))
    columns = {name: draw(st.sampled_from(DTYPES).flatmap(columns_of)) for name in names}
    task = draw(st.sampled_from(["regression", "classification"]))
    target = {"dtype": "category" if task == "classification" else draw(st.sampled_from(["float", "integer"]))}
    columns[names[0]] = target | {"missing_share": draw(st.sampled_from([0.0, 1.0]))}
    some = st.lists(st.sampled_from(names), max_size=2, unique=True)
    dates = [name for name in names if columns[name]["dtype"] == "date"]
    return DatasetSpec.model_validate(
        {
            "name": "any",
            "title": "Any",
            "task": task,
            "target": names[0],
            "sources": [{"name": "s", "path": "s.csv"}],
            "columns": columns,
            "key": draw(some),
            "unique": [found for found in [draw(some)] if found],
            "duplicate_share": draw(st.sampled_from([0.0, 0.5, 1.0])),
            "row_count": {"minimum": draw(st.integers(1, 40))},
            "freshness": {"maximum_age_days": 1, "column": draw(st.sampled_from([None, *dates]))},
            "checks": draw(st.dictionaries(st.sampled_from(["ranges", "target", "schema"]), st.just("off"))),
        }
    )


@st.composite
def tables(draw: st.DrawFn, spec: DatasetSpec) -> pl.DataFrame:
    """Rows of the types that are promised, of few different values or of many."""
    rows = draw(st.integers(0, 30))
    made = {}
    for name, kind in raw_schema(spec).items():
        cells = st.sampled_from(["s", "t"]) if name == "batch" else VALUES[spec.columns[name].dtype] | st.none()
        few = draw(st.lists(cells, min_size=1, max_size=rows + 1))
        picked = draw(st.lists(st.sampled_from(few), min_size=rows, max_size=rows))
        made[name] = pl.Series(name, picked, dtype=kind)
    return pl.DataFrame(made)


@st.composite
def versions(draw: st.DrawFn) -> tuple[DatasetSpec, pl.DataFrame, pl.DataFrame]:
    """A contract, a table and an earlier version; either may lack a column, or have one of another type."""
    spec = draw(contracts())
    found = []
    for _ in range(2):
        table = draw(tables(spec))
        name = draw(st.sampled_from(list(spec.columns)))
        wrong = draw(st.sampled_from([None, None, table.drop(name), table.with_columns(pl.lit([1]).alias(name))]))
        found.append(table if wrong is None else wrong)
    return spec, found[0], found[1]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(versions(), st.booleans())
def test_any_table_under_any_contract_gives_outcomes(
    found: tuple[DatasetSpec, pl.DataFrame, pl.DataFrame], first: bool
) -> None:
    spec, table, previous = found
    outcomes = check_table(spec, table, previous=None if first else previous, now=NOW)
    assert tuple(outcome.name for outcome in outcomes) == check_names(spec)
    for outcome in outcomes:
        assert outcome.summary
        assert all(isinstance(value, int | float | str) for value in outcome.figures.values())
        assert all(1 <= row.row <= table.height for row in outcome.failing_rows)
        assert not (outcome.passed and outcome.failing_rows)
    if any(outcome.blocking and not outcome.passed for outcome in outcomes):
        with pytest.raises(ContractViolation, match=r"^any: "):
            raise_on_failure(spec, outcomes)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(versions())
def test_any_rows_give_bad_cells_and_without_those_rows_none(
    found: tuple[DatasetSpec, pl.DataFrame, pl.DataFrame],
) -> None:
    spec, table, _ = found
    rows = table.select(name for name, kind in raw_schema(spec).items() if table.schema.get(name) == kind)
    rows = rows.with_columns(pl.col(pl.Float64).fill_nan(None)).drop("batch")
    bad = {cell.position for cell in bad_rows(spec, rows)}
    good = rows.filter(~pl.int_range(pl.len()).is_in(list(bad)))
    assert bad_rows(spec, good) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_any_clean_table_that_can_be_split_can_be_linted(data: st.DataObject) -> None:
    spec = data.draw(contracts())
    raw = data.draw(tables(spec)).with_columns(pl.col(pl.Float64).fill_nan(None))
    table = clean(spec, raw).table
    try:
        splits = split(spec, table, seed=0)
    except ContractViolation:
        return
    found = check_leakage(spec, table, splits, seed=0)
    assert found.summary
    assert all(isinstance(value, int | float | str) for value in found.figures.values())
