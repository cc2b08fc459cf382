"""Texts that a spreadsheet would run instead of showing: how they are told, and made harmless in what we write.

Who refuses them belongs in `reading` and `validation`.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

_BEFORE: Final = r"[\s\x00-\x1f\x7f\u200b\u2060\ufeff]*"
_CALL: Final = r"[^\W\d][\w.]*\("
_EXCHANGE: Final = r"[\w'\"]\|"
_REFERENCE: Final = r"(?:'!|!\$?[A-Za-z]{1,3}\$?[0-9])"
_FORMULA: Final = (
    rf"(?s)^{_BEFORE}"
    rf"(?:[=\uff1d]|(?:[+\-@\uff0b\uff0d\uff20]|[\t\r]{_BEFORE}).*(?:{_CALL}|{_EXCHANGE}|{_REFERENCE})"
    r"|[+\-@\uff0b\uff0d\uff20][\s+\-@]*=)"
)
_PATTERN: Final = re.compile(_FORMULA)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet that opens a CSV with the cell `text` would calculate it, call out, or run a command.

    So does a text that begins with `=` (after blanks, or in full width), or one that begins with a sign, `@`, a tab or
    a carriage return and goes on with a function call (`NAME(`), a data exchange (`cmd|…`) or a reference to another
    sheet (`…!A1`). A negative number, a telephone number, `@name` and an e-mail address are none.
    """
    return _PATTERN.search(text) is not None


def formula_mask(values: pl.Series) -> pl.Series:
    """`is_formula` of each text in `values`, as booleans; a missing text is none."""
    return values.str.contains(_FORMULA).fill_null(False)


def disarmed(text: str) -> str:
    """`text` as a spreadsheet shows it: with an apostrophe in front where it would run it, else as it is."""
    return f"'{text}" if is_formula(text) else text
