"""Columns that name their row rather than describe it: counters, numbers and codes of things. Reporting: `leakage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from ml_assets.datasets.spec import Column

FEWEST_ROWS: Final = 30
NEARLY_ALL: Final = 0.99
EXPECTED_REPEATS: Final = 5.0
"""Repeats that chance would bring about if the numbers were measured; none is seen once in 150 times (Poisson)."""
LONG_NUMBER: Final = 8
LONGEST_CODE: Final = 64


def identifier_evidence(column: Column, values: pd.Series[Any]) -> str | None:
    """Why a feature looks like the name of its row, or None; missing values do not count.

    Whole numbers are names if they count up row by row, or are distinct although that many numbers in such a range
    would repeat by chance (the birthday problem: n values of R numbers repeat about n² / 2R times), or all have the
    same eight digits or more. Labels, and texts that are codes rather than words, are names if they are distinct.

    Args:
        column: what the contract promises.
        values: the column in a clean table.
    """
    present = values.dropna()
    if len(present) < FEWEST_ROWS or column.dtype in ("boolean", "date"):
        return None
    share = present.nunique() / len(present)
    if share < NEARLY_ALL:
        return None
    if column.is_number:
        return _of_numbers(present.to_numpy(dtype=np.float64), integer=column.dtype == "integer")
    if column.dtype == "text" and not _are_codes(present):
        return None
    return f"has a label of its own in {share:.1%} of its rows"


def _of_numbers(numbers: Any, *, integer: bool) -> str | None:
    if not (np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all()):
        return None
    rows, lowest, highest = len(numbers), numbers.min(), numbers.max()
    if integer and (np.diff(numbers) > 0).all():
        return f"counts up row by row from {lowest:.12g} to {highest:.12g}"
    repeats = rows - len(np.unique(numbers))
    expected = rows * rows / (2 * (highest - lowest + 1))
    if expected >= EXPECTED_REPEATS and repeats <= expected / 10:
        return (
            f"has {rows - repeats} different whole numbers in {rows} rows, where {expected:.0f} repeats would come by "
            "chance"
        )
    digits = np.floor(np.log10(np.maximum(np.abs([lowest, highest]), 1))) + 1
    if integer and not repeats and lowest > 0 and digits[0] == digits[1] >= LONG_NUMBER:
        return f"has a different number of {digits[0]:.0f} digits in each of {rows} rows"
    return None


def _are_codes(texts: pd.Series[Any]) -> bool:
    """Whether texts are short and without blanks, but for a few."""
    words = texts.str.contains(r"\s") | (texts.str.len() > LONGEST_CODE)
    return bool(words.mean() < 1 - NEARLY_ALL)
