"""Texts that a spreadsheet would run."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.datasets.reading.formulas import disarmed, formula_mask, is_formula

RUN = [
    "=1+1",
    " =cmd|'/C calc'!A0",
    "\t=1",
    "\ufeff=1",
    "＝1",
    "-=1",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    '+HYPERLINK("http://there","here")',
    "+СУММ(A1)",
    "\rSUM(A1)",
    "\tSUM(A1)",
    "\n@A(1)",
    "- 2 + INDIRECT(A1)",
    "-Sheet2!A1",
    "+'my sheet'!B2",
    "+'[other.xlsx]Sheet'!name",
    "＋SUM(1)",
]
SHOWN = [
    "",
    "-5",
    "-3.5e-7",
    "-12,5 %",
    "+49 170 123-4",
    "+1 (555) 123",
    "@handle",
    "@home, work",
    "me@there.org",
    "- good, not bad (really)",
    "- a | b",
    "--",
    "x=1",
    "a\n=b",
    "wow! A1",
    "\thello",
    "'=1",
    "f(x)",
]


@pytest.mark.parametrize("text", RUN)
def test_what_a_spreadsheet_would_run_is_a_formula(text: str) -> None:
    assert is_formula(text)
    assert disarmed(text) == f"'{text}"
    assert not is_formula(disarmed(text))


@pytest.mark.parametrize("text", SHOWN)
def test_signs_telephone_numbers_and_names_are_none(text: str) -> None:
    assert not is_formula(text)
    assert disarmed(text) == text


def test_columns_are_told_apart_like_their_texts() -> None:
    mask = formula_mask(pl.Series([*RUN, None, *SHOWN]))
    assert mask.to_list() == [True] * len(RUN) + [False] * (1 + len(SHOWN))


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.one_of(st.sampled_from("=+-@\t\r\n (|!'A1.é＝\ufeff\u200b"), st.characters(codec="utf-8")), max_size=12)
)
def test_one_text_and_a_column_never_disagree(text: str) -> None:
    assert formula_mask(pl.Series([text])).to_list() == [is_formula(text)]
    assert not is_formula(disarmed(text))
