"""Cells of every type: what is read, what is missing, what is a fault."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.datasets.raw import polars_type
from ml_assets.datasets.reading.cells import LABEL_SAMPLE, MAX_CELL_BYTES, MAX_TEXT_BYTES, as_text, typed_column
from ml_assets.datasets.spec import Column


def typed(found: pl.Series | list[Any], dtype: str, *, decimal: str = ".", **more: Any) -> tuple[list[Any], list[str]]:
    """Values, and at each bad one the rule it breaks."""
    formulas = more.pop("formulas", False)
    column = Column.model_validate({"dtype": dtype, **more})
    series = found if isinstance(found, pl.Series) else pl.Series("x", found)
    values, bad = typed_column(column, series, decimal=decimal, formulas=formulas)
    assert values.dtype == polars_type(column)
    rules = [""] * len(values)
    for broken in bad:
        for at in broken.where.arg_true():
            assert values[at] is None
            rules[at] = broken.rule
    return values.to_list(), rules


def test_numbers_are_what_python_reads_and_nothing_else() -> None:
    good = ["1", " -2.5 ", "+.5", "3.", "1e3", "-1E-3", "inf", "-Infinity", "1e400"]
    assert typed(good, "float") == ([float(text) for text in good], [""] * len(good))
    missing = ["", "  ", "NA", "n/a".upper(), "NaN", "nan", "NAN", "-nan", "null", "None", "?", "#N/A", None]
    assert typed(missing, "float") == ([None] * len(missing), [""] * len(missing))
    bad = ["1_0", "0x1F", "1,5", "--1", "x", "1 000", "٣", "1d", "e5", ".", "12.3.4", "5 %"]
    assert typed(bad, "float") == ([None] * len(bad), ["number"] * len(bad))


def test_a_decimal_comma_is_read_and_then_a_point_is_a_fault() -> None:
    assert typed(["1,5", "-,5", "3", "1.234,5", "1.5", "1,2,3"], "float", decimal=",") == (
        [1.5, -0.5, 3.0, None, None, None],
        ["", "", "", "number", "number", "number"],
    )
    assert typed(["5,0", "5,5"], "integer", decimal=",") == ([5, None], ["", "integer"])


def test_whole_numbers_may_be_written_as_floats_and_must_be_exact() -> None:
    cells = ["7", "7.0", "7e2", "-0", str(2**53), str(2**53 + 1), "1e300", "7.5", "inf", "", "007"]
    values = [7, 7, 700, 0, 2**53, None, None, None, None, None, 7]
    assert typed(cells, "integer") == (values, ["integer" if c in cells[5:9] else "" for c in cells])
    assert typed([2**53, 2**53 + 1, None], "integer") == ([2**53, None, None], ["", "integer", ""])
    assert typed([1.0, 1.5, float("nan"), float("inf"), 1e300], "integer") == (
        [1, None, None, None, None],
        ["", "integer", "", "integer", "integer"],
    )
    assert typed(pl.Series([2**64 - 1, 1], dtype=pl.UInt64), "integer") == ([None, 1], ["integer", ""])


@pytest.mark.parametrize(
    ("true", "false"),
    [("true", "false"), ("Yes", "NO"), ("t", "F"), ("y", "n"), ("ON", "off"), ("1", "0"), (" 1.0", "0.0")],
)
def test_booleans_are_written_in_many_ways(true: str, false: str) -> None:
    assert typed([true, false, "NA", "maybe"], "boolean") == ([True, False, None, None], ["", "", "", "boolean"])


def test_booleans_come_from_numbers_too() -> None:
    assert typed([1, 0, 2, None], "boolean") == ([True, False, None, None], ["", "", "boolean", ""])
    assert typed([1.0, 0.0, float("nan"), 0.5], "boolean") == ([True, False, None, None], ["", "", "", "boolean"])
    assert typed([True, None], "integer") == ([1, None], ["", ""])
    assert typed([True, None], "float") == ([1.0, None], ["", ""])


MOMENT = dt.datetime(2024, 1, 31, 10, 30)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-31", dt.datetime(2024, 1, 31)),
        ("20240131", dt.datetime(2024, 1, 31)),
        ("2024-01-31 10:30", MOMENT),
        ("2024-01-31T10:30:00", MOMENT),
        ("2024-01-31T10:30:00.250", MOMENT.replace(microsecond=250_000)),
        ("2024-01-31 10:30:00,25", MOMENT.replace(microsecond=250_000)),
        ("2024-01-31T10:30Z", MOMENT),
        ("2024-01-31 10:30:00 UTC", MOMENT),
        ("2024-01-31T10:30:00+02:00", dt.datetime(2024, 1, 31, 8, 30)),
        ("2024-01-31 10:30:00.5-0330", dt.datetime(2024, 1, 31, 14, 0, 0, 500_000)),
        ("2024-01-31T23:30-05", dt.datetime(2024, 2, 1, 4, 30)),
        *(
            (text, None)
            for text in ("2024-02-30", "31.01.2024", "24-01-31", "2024-01-31T25:00", "soon", "45322", "0000-01-01")
        ),
    ],
)
def test_iso_dates_become_naive_moments_in_utc(text: str, moment: dt.datetime | None) -> None:
    assert typed([text, "", None], "date") == ([moment, None, None], ["" if moment else "date", "", ""])


@pytest.mark.parametrize(
    ("date_format", "text", "moment"),
    [
        ("%d.%m.%Y", "31.01.2024", dt.datetime(2024, 1, 31)),
        ("%d.%m.%Y", "2024-01-31", dt.datetime(2024, 1, 31)),
        ("%d.%m.%Y", "31.01.24", None),
        ("%d.%m.%y", "31.01.24", dt.datetime(2024, 1, 31)),
        ("%m/%d/%Y %I:%M %p", "01/31/2024 10:30 AM", MOMENT),
        ("%d.%m.%Y %H:%M:%S.%f", "31.01.2024 10:30:00.25", MOMENT.replace(microsecond=250_000)),
        ("%d %B %Y", "31 January 2024", dt.datetime(2024, 1, 31)),
        ("%d.%m.%Y %H:%M %z", "31.01.2024 10:30 +0200", dt.datetime(2024, 1, 31, 8, 30)),
        ("%Y-%d-%m", "2024-31-01", dt.datetime(2024, 1, 31)),
        ("%Y-%d-%m", "2024-01-31", None),
        ("%Y%m%d", "20240131", dt.datetime(2024, 1, 31)),
        ("%q%", "2024", None),
    ],
)
def test_other_dates_are_read_as_their_format_says(date_format: str, text: str, moment: dt.datetime | None) -> None:
    assert typed([text], "date", date_format=date_format)[0] == [moment]


def test_dates_come_from_columns_of_dates_and_numbers_that_look_like_them() -> None:
    aware = pl.Series([MOMENT], dtype=pl.Datetime("ns")).dt.replace_time_zone("Europe/Berlin")
    assert typed(aware, "date")[0] == [dt.datetime(2024, 1, 31, 9, 30)]
    assert typed([dt.date(2024, 1, 31)], "date")[0] == [dt.datetime(2024, 1, 31)]
    assert typed([20240131, 7], "date") == ([dt.datetime(2024, 1, 31), None], ["", "date"])
    assert typed([MOMENT], "float") == ([None], ["number"])
    assert typed([dt.time(10, 30)], "date") == ([None], ["date"])


def test_labels_lose_blanks_around_them_and_texts_keep_theirs() -> None:
    cells = [" a ", "", "  ", "NA", "-", None, "b\tc"]
    assert typed(cells, "category", missing_texts=["-"])[0] == ["a", None, None, "NA", None, None, "b\tc"]
    assert typed(cells, "text", missing_texts=["-"])[0] == [" a ", None, None, "NA", None, None, "b\tc"]


def test_labels_come_from_numbers_as_a_text_file_would_have_them() -> None:
    assert typed([1.0, 2.0, float("nan")], "category")[0] == ["1", "2", None]
    assert typed([1.5, 2.0], "category")[0] == ["1.5", "2.0"]
    assert typed([1, None], "category")[0] == ["1", None]
    assert typed([True], "category")[0] == ["true"]
    assert typed([Decimal("1.50")], "category")[0] == ["1.5"]
    assert typed([dt.date(2024, 1, 31)], "text")[0] == ["2024-01-31"]


@pytest.mark.parametrize("repeat", [1, LABEL_SAMPLE])
def test_labels_that_cannot_be_are_faults_few_or_many(repeat: int) -> None:
    cells = ["good", "x" * (MAX_CELL_BYTES + 1), "a\nb", "zero\0byte", "=1+1", " padded", None, ""]
    values, rules = typed(cells * repeat, "category", formulas=True)
    assert values == ["good", None, None, None, None, "padded", None, None] * repeat
    assert rules == ["", "cell_size", "line_break", "zero_byte", "formula", "", "", ""] * repeat
    assert typed(cells * repeat, "category")[1] == ["", "cell_size", "line_break", "zero_byte", "", "", "", ""] * repeat


def test_texts_may_be_longer_and_hold_line_breaks() -> None:
    cells = ["x" * MAX_TEXT_BYTES, "x" * (MAX_TEXT_BYTES + 1), "a\nb", "\r\n", "+SUM(1)"]
    values, rules = typed(cells, "text", formulas=True)
    assert rules == ["", "cell_size", "", "", "formula"]
    assert values[2:] == ["a\nb", None, None]


def test_a_column_in_which_nothing_is_to_do_is_not_copied() -> None:
    labels = pl.Series([f"label {at % 7}" for at in range(LABEL_SAMPLE + 1)])
    numbers = pl.Series([1.0, None, 3.0])
    assert typed_column(Column(dtype="category"), labels)[0].equals(labels)
    assert address(typed_column(Column(dtype="float"), numbers)[0]) == address(numbers)


def address(values: pl.Series) -> int:
    """Where the numbers lie."""
    return int(values.to_arrow().buffers()[1].address)


@settings(max_examples=200, deadline=None)
@given(
    cells=st.lists(st.one_of(st.none(), st.text(max_size=9), st.floats().map(str), st.dates().map(str)), max_size=6),
    dtype=st.sampled_from(["float", "integer", "boolean", "date", "text", "category"]),
    decimal=st.sampled_from(".,"),
)
def test_any_cell_is_a_value_or_missing_or_a_fault(cells: list[str | None], dtype: str, decimal: str) -> None:
    values, rules = typed(pl.Series(cells, dtype=pl.String), dtype, decimal=decimal, formulas=True)
    assert all(value is None for value, rule in zip(values, rules, strict=True) if rule)


def test_text_of_every_type_is_what_a_file_would_have() -> None:
    frame = pl.DataFrame({"a": [1.5, None], "b": [True, None], "c": [MOMENT, None], "d": ["x", None]})
    assert [as_text(column)[0] for column in frame] == ["1.5", "true", "2024-01-31T10:30:00", "x"]
    assert all(as_text(column)[1] is None for column in frame)
