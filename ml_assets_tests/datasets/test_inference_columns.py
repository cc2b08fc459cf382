"""What one column is taken for, and what the contract then promises of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from ml_assets.datasets.inference.columns import ColumnGuess, guess_column
from ml_assets.datasets.inference.ranges import half_rounded, roomy_range, roomy_share
from ml_assets.errors import SourceError

NUMBERS = [f"{at / 7:.3f}" for at in range(60)]
PROSE = [f"the {at}. parcel came late and was wet inside" for at in range(60)]


def guessed(cells: list[Any], *, decimal: str = ".", dtype: Any = None) -> ColumnGuess:
    return guess_column(pl.Series("x", cells, dtype=dtype), decimal=decimal, origin="t.csv")


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["1", "2", "30"], "integer"),
        (["1", "2.0", "30"], "float"),
        (["1e3", " 2 ", "-.5"], "float"),
        (["0", "1", "1"], "integer"),
        ([1, 2, None], "integer"),
        ([1.0, 2.0, float("nan")], "float"),
        (["yes", "No", ""], "boolean"),
        (["t", "f", "f"], "boolean"),
        ([True, None, False], "boolean"),
        (["yes", "yes"], "category"),
        (["M", "F"], "category"),
        (["A", "B", "1", "2"] * 20, "category"),
        (["00501", "10001"] * 20, "category"),
        ([2**60, 1], "category"),
        (["9007199254740993", "1"], "category"),
        (["1,234", "12,500"], "category"),
        ([f"tok{at}" for at in range(300)], "category"),
        ([f"https://example.org/a-rather-long-address-of-a-page-{at}" for at in range(60)], "category"),
        (PROSE, "text"),
        ([f"商品の到着がとても遅かったので残念です{at}" for at in range(60)], "text"),
        (["two\nlines", "one"], "text"),
        (["x" * 20_000, "y"], "text"),
        (["2024-01-31", "2024-02-01"], "date"),
        (["2024-01-31T10:00:00Z", "2024-02-01 11:30"], "date"),
        (["20240131", "20240201", "20240229"], "date"),
        ([20240131, 20240201, 20240229], "date"),
        (["20240131", "20240201", "20240230"], "integer"),
        (["31.12.2024 23:59", "1.1.2025 0:05"], "date"),
        (["5 Jan 2024", "17 Mar 2023"], "date"),
        (["January 5, 2024", "March 17, 2023"], "date"),
        ([dt.date(2024, 1, 31), None], "date"),
        (["12:30", "13:45"], "category"),
        (["1.2.3", "1.2.4"], "category"),
    ],
)
def test_a_column_is_of_the_narrowest_type_that_reads_every_cell(cells: list[Any], dtype: str) -> None:
    guess = guessed(cells)
    assert guess.column.dtype == dtype
    assert guess.values.null_count() == sum(str(cell) in ("None", "", "nan") for cell in cells)
    assert guess.comments, "each guess says why"


def test_texts_that_stand_for_missing_numbers_are_declared_and_pointed_out() -> None:
    guess = guessed([*NUMBERS, "?", "-", "-", "k.A.", "NA", ""])
    assert guess.column.dtype == "float"
    assert guess.column.missing_texts == ("-", "k.A."), "the others are read as missing anyway"
    assert guess.values.null_count() == 6
    assert guess.column.missing_share >= 6 / 66
    assert "'-' (2 rows), 'k.A.' (1 row) are taken as missing" in guess.notes


def test_one_strange_text_among_numbers_is_a_gap_and_a_strange_number_is_not() -> None:
    assert guessed([*NUMBERS, "broken"]).column.missing_texts == ("broken",)
    spoilt = guessed([*NUMBERS, "<0.5"])
    assert spoilt.column.dtype == "category"
    assert "60 rows have plain numbers, 1 have texts such as '<0.5'" in spoilt.notes[0]
    assert guessed([*NUMBERS, "broken", "lost"]).column.dtype == "category"


def test_numbers_with_marks_between_thousands_are_labels_and_pointed_out() -> None:
    guess = guessed(["1,234", "12,500", "$99", "7%"] * 3)
    assert guess.column.dtype == "category"
    assert "write plain numbers there" in guess.notes[0]


def test_infinite_numbers_in_text_are_gaps_and_elsewhere_an_error() -> None:
    assert guessed([*NUMBERS, "inf"]).column.missing_texts == ("inf",)
    with pytest.raises(SourceError, match=r"t\.csv, row 2, and in 1 more rows: column 'x' is infinite"):
        guessed([1.0, float("inf"), 3.0, float("-inf")])


def test_decimal_commas_are_read() -> None:
    guess = guessed(["1,5", "2", "-"] * 5, decimal=",")
    assert guess.column.dtype == "float"
    assert guess.values.drop_nulls().to_list() == [1.5, 2.0] * 5


def test_labels_that_look_like_gaps_stay_labels_and_are_mentioned() -> None:
    guess = guessed(["NA", "A", "B", "?"] * 20)
    assert guess.column.allowed == ("?", "A", "B", "NA")
    assert guess.values.null_count() == 0
    assert any('missing_texts: ["?", "NA"]' in comment for comment in guess.comments)


@pytest.mark.parametrize(
    ("cells", "date_format", "first"),
    [
        (["01/02/2024", "13/02/2024"], "%d/%m/%Y", dt.datetime(2024, 2, 1)),
        (["01/02/2024", "01/13/2024"], "%m/%d/%Y", dt.datetime(2024, 1, 2)),
        (["1.2.24", "25.12.23"], "%d.%m.%y", dt.datetime(2024, 2, 1)),
        (["01-02-2024 01:30 PM", "01-31-2024 01:30 AM"], "%m-%d-%Y %I:%M %p", dt.datetime(2024, 1, 2, 13, 30)),
        (["2024/02/01", "2024/02/13"], "%Y/%m/%d", dt.datetime(2024, 2, 1)),
        (["1-Feb-2024", "13-Feb-2024"], "%d-%b-%Y", dt.datetime(2024, 2, 1)),
        (["2024-02-01", "2024-02-13"], None, dt.datetime(2024, 2, 1)),
    ],
)
def test_the_data_tell_how_dates_are_written(cells: list[str], date_format: str | None, first: dt.datetime) -> None:
    guess = guessed([*cells, "", "n/a"])
    assert guess.column.date_format == date_format
    assert guess.values[0] == first
    assert guess.column.period is not None
    assert guess.column.period[0] < first < guess.column.period[1]


def test_a_date_that_settles_which_comes_first_is_shown() -> None:
    guess = guessed(["01/02/2024", "13/02/2024"])
    assert "the day comes first, as '13/02/2024' shows" in guess.comments[0]
    assert guess.notes == ()


def test_where_nothing_tells_day_from_month_the_order_of_the_rows_decides_and_it_is_pointed_out() -> None:
    guess = guessed(["01/11/2024", "01/12/2024", "02/01/2024", "02/02/2024", "03/01/2024"])
    assert guess.column.date_format == "%m/%d/%Y"
    assert 'if it does not: date_format: "%d/%m/%Y"' in guess.notes[0]
    assert "'01/11/2024'" in guess.notes[0]


def test_few_labels_with_many_rows_each_are_all_that_are_allowed() -> None:
    assert guessed(["red", "blue"] * 10).column.allowed == ("blue", "red")
    rare = guessed(["red", "blue"] * 10 + ["pink"])
    assert rare.column.allowed is None
    assert "1 of them in one row only" in rare.comments[0]
    assert guessed([f"city {at}" for at in range(40)] * 10).column.allowed is None


@pytest.mark.parametrize(
    ("values", "whole", "low", "high"),
    [
        ([18, 40, 89], True, 0, 160),
        ([0.0, 0.2, 30.0], False, 0, 60),
        ([2.5, 11.5, 16.0, 21.0, 31.5], False, -30, 70),
        ([-5.0, 3.0, 20.0], False, -30, 50),
        ([2.74, 3.3, 4.01], False, 1, 6),
        ([-124.3, -119.0, -114.3], False, -140, -100),
        ([0, 1, 1], True, 0, 1),
        ([2.0, 50.0, 100.0, 100.0, 100.0], False, 0, 100),
        ([7.0, 7.0], False, 0, 14),
        ([0.0, 0.0], False, 0, 1),
        ([-3, -2, 0], True, -6, 0),
        ([0.0] * 57 + [1.0, 2.0, 3.0], False, 0, 33),
        ([0.0] * 53 + [1.0] * 5 + [2.0, 3.0], False, 0, 6),
        ([5.0] * 40, False, 0, 55),
    ],
)
def test_a_range_has_room_and_round_ends(values: list[float], whole: bool, low: float, high: float) -> None:
    found = roomy_range(pl.Series(values), whole=whole)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize("values", [[1e308, -1e308], [5e-324, 0.0], [1.0, 1.0 + 2e-16], [1e300], [-(2**53), 2**53]])
def test_a_range_contains_what_was_seen_at_the_ends_of_floats_too(values: list[float]) -> None:
    found = roomy_range(pl.Series(values, dtype=pl.Float64), whole=False)
    assert found.low <= min(values)
    assert found.high >= max(values)


def test_shares_have_room_and_nothing_stays_nothing() -> None:
    assert roomy_share(0.0) == 0.0
    assert roomy_share(0.1) == 0.16
    assert roomy_share(0.9) == 1.0
    assert roomy_share(1e-6) > 1e-6


def test_half_of_the_rows_is_rounded_down() -> None:
    assert [half_rounded(rows) for rows in (1, 2, 25, 150, 20640)] == [1, 1, 10, 70, 10_000]


@pytest.mark.parametrize("code", ["-999", "9999", "-1"])
def test_a_number_far_from_all_others_may_be_a_code_for_a_gap(code: str) -> None:
    guess = guessed([*map(str, range(50)), code, code])
    assert guess.notes == (
        f'{code} (2 rows) is far from all else: if it stands for a missing value, missing_texts: ["{code}"], and a '
        "missing_share",
    )
    assert guessed([*range(50), int(code), int(code)]).notes[0].endswith("leave those cells empty")
    assert guessed([*map(str, range(90, 101)), "99", "99"]).notes == (), "nines among their like are numbers"


def test_a_largest_number_that_many_rows_have_may_be_a_cap() -> None:
    guess = guessed([*(at / 10 for at in range(500)), *[50.0] * 40])
    assert guess.notes == ("40 rows have the largest number, 50: if it means that or more, capped_at: 50",)
    assert guessed([at / 10 for at in range(500)]).notes == ()


def test_an_empty_column_is_no_feature() -> None:
    guess = guessed(["", None, " "], dtype=pl.String)
    assert guess.column.ignored == "no value in any row"
    assert guess.column.missing_share == 1.0


def test_a_cell_that_no_contract_reads_is_an_error_with_its_row() -> None:
    with pytest.raises(SourceError, match=r"t\.csv, row 2: column 'x' holds 'a b', with a zero byte|zero byte"):
        guessed(["ok", "a\0b"])


def test_texts_that_begin_like_formulas_are_pointed_out() -> None:
    guess = guessed(["=SUM(A1)", "b"] * 5)
    assert guess.notes == ("1 of its texts begin like formulas; in files in data/incoming such are refused",)
