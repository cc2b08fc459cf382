"""Rows of one incoming file: every rule of the contract names the cell that breaks it, and no other."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml_assets.datasets.raw import raw_schema
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.validation.row_rules import BadCell, bad_rows
from ml_assets_tests.canonical import canonical


def contract(**changes: object) -> DatasetSpec:
    return DatasetSpec.model_validate(
        {
            "name": "shop",
            "title": "Shop",
            "task": "regression",
            "target": "spent",
            "sources": [{"name": "shop.csv", "path": "shop.csv"}],
            "columns": {
                "id": {"dtype": "integer"},
                "age": {"dtype": "integer", "range": [0, 120], "missing_share": 0.1},
                "weight": {"dtype": "float", "missing_share": 0.1},
                "member": {"dtype": "boolean", "missing_share": 0.1},
                "colour": {"dtype": "category", "allowed": ["red", "-blue"], "missing_share": 0.1},
                "town": {"dtype": "category", "missing_share": 0.1},
                "seen": {"dtype": "date", "period": ["2020-01-01", "2020-12-31"], "missing_share": 0.1},
                "note": {"dtype": "text", "missing_share": 0.1},
                "spent": {"dtype": "float", "range": [0, 1e6]},
            },
            **changes,
        }
    )


def rows(spec: DatasetSpec, *given: dict[str, object]) -> pl.DataFrame:
    """Rows that are good but for what is given; ids count up."""
    good = {
        "age": 40,
        "weight": 70.0,
        "member": True,
        "colour": "red",
        "town": "Ulm",
        "seen": dt.datetime(2020, 6, 1),
        "note": "nothing",
        "spent": 10.0,
    }
    schema = {name: kind for name, kind in raw_schema(spec).items() if name != "batch"}
    return pl.DataFrame([{"id": at, **good, **row} for at, row in enumerate(given)], schema=schema)


def test_good_rows_break_nothing() -> None:
    spec = contract(key=["id"], unique=[["id", "town"]])
    assert bad_rows(spec, rows(spec, {}, {}, {"colour": "-blue"}, {"age": None, "note": None})) == []
    assert bad_rows(spec, rows(spec)) == []
    for name in ("iris", "wine_quality", "boston_housing", "california_housing"):
        builtin, raw = canonical(name)
        assert bad_rows(builtin, raw.drop("batch")) == []


@pytest.mark.parametrize(
    ("column", "value", "rule", "text", "message"),
    [
        ("age", 121, "range", "121", "outside 0 … 120"),
        ("spent", -0.5, "range", "-0.5", "outside 0 … 1000000"),
        ("spent", np.inf, "range", "inf", "outside 0 … 1000000"),
        ("weight", -np.inf, "finite", "-inf", "infinite, and a number must be finite"),
        ("seen", dt.datetime(2021, 1, 1), "period", "2021-01-01", "outside 2020-01-01 … 2020-12-31"),
        ("seen", dt.datetime(2019, 12, 31, 23), "period", "2019-12-31 23:00:00", "outside 2020-01-01 … 2020-12-31"),
        ("colour", "green", "allowed", "green", "other than red, -blue"),
        ("id", None, "missing", "", "missing, and none may be"),
        ("spent", None, "missing", "", "missing, and none may be"),
        ("town", "=HYPERLINK(1)", "formula", "=HYPERLINK(1)", "a formula that a spreadsheet would run"),
        ("note", " =1+1", "formula", " =1+1", "a formula that a spreadsheet would run"),
    ],
)
def test_a_bad_cell_is_named_with_the_rule_it_breaks(
    column: str, value: object, rule: str, text: str, message: str
) -> None:
    spec = contract()
    assert bad_rows(spec, rows(spec, {}, {column: value}, {})) == [BadCell(1, column, text, rule, message)]


def test_a_label_may_be_awaited_where_there_is_a_key_and_its_parts_may_not_be_missing() -> None:
    spec = contract(key=["id"])
    found = bad_rows(spec, rows(spec, {"spent": None}, {"id": None}))
    assert found == [BadCell(1, "id", "", "key", "missing, and it is part of the key")]


def test_of_rows_with_one_key_the_first_good_one_stays() -> None:
    spec = contract(key=["id", "town"])
    frame = rows(spec, {"id": 7}, {"id": 7, "town": "Bonn"}, {"id": 7}, {"id": 9, "age": -1}, {"id": 9}, {"id": 9})
    repeats = [cell for cell in bad_rows(spec, frame) if cell.rule == "repeat"]
    assert repeats == [
        BadCell(2, "id, town", "7, Ulm", "repeat", "the same id, town as an earlier row of the file"),
        BadCell(5, "id, town", "9, Ulm", "repeat", "the same id, town as an earlier row of the file"),
    ]


def test_other_columns_that_are_to_be_unique_are_looked_at_too() -> None:
    spec = contract(unique=[["town"]])
    frame = rows(spec, {"town": "Bonn"}, {"town": None}, {"town": None}, {"town": "Bonn"})
    assert [(cell.position, cell.rule) for cell in bad_rows(spec, frame)] == [(3, "repeat")]


def test_a_file_of_labels_is_judged_by_the_columns_it_has() -> None:
    spec = contract(key=["id"])
    frame = rows(spec, {"spent": 2e6}, {}, {"id": 1}).select("id", "spent")
    assert [(cell.position, cell.column, cell.rule) for cell in bad_rows(spec, frame)] == [
        (0, "spent", "range"),
        (2, "id", "repeat"),
    ]


def test_half_a_million_rows_take_a_second_or_two() -> None:
    import time

    spec = contract(key=["id"], unique=[["town", "id"]])
    frame = pl.concat([rows(spec, *[{}] * 1000)] * 500).with_columns(id=pl.int_range(pl.len()))
    started = time.perf_counter()
    assert bad_rows(spec, frame) == []
    assert time.perf_counter() - started < 4.0
