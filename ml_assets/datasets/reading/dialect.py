"""How a delimited text is written: its delimiter, decimal mark and header, as its beginning shows.

Encodings belong in `encoding`, splitting the whole text in `delimited`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

WHITESPACE: Final = "whitespace"
DELIMITERS: Final = (",", ";", "\t", "|")
SAMPLE_BYTES: Final = 256 << 10
"""Bytes of a file that are looked at."""
SAMPLE_RECORDS: Final = 400
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)
MISSING: Final = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""Texts that stand for a missing number, boolean or date. A label is missing only where the cell is empty."""

_COMMA_NUMBER: Final = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_DATE: Final = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?", re.ASCII)
_YEAR: Final = re.compile(r"(19|20)\d\d", re.ASCII)
_TOKEN: Final = re.compile(r'"(?:[^"]|"")*"|\S+')

Record = tuple[str, ...]


@dataclass(frozen=True)
class Dialect:
    """How a delimited text is written.

    Attributes:
        delimiter: one character, or `whitespace`.
        decimal: mark of numbers.
        header: whether the first record names the columns.
        first: cells of the first record, without blanks around them.
    """

    delimiter: str
    decimal: Literal[".", ","]
    header: bool
    first: Record


def sniff(text: str, *, whole: bool, known: Collection[str] = (), numeric: Collection[str] | None = None) -> Dialect:
    """The dialect of a text with something in it.

    Args:
        text: its beginning.
        whole: whether that is all of it; else its last line is left out.
        known: names a header may have: the delimiter that cuts out more of them is the right one.
        numeric: names of the columns in which decimal marks are looked for; all by default.
    """
    cut = max(text.rfind("\n"), text.rfind("\r"))
    text = text if whole or cut <= 0 else text[: cut + 1]
    choices = {delimiter: records(text, delimiter) for delimiter in (*DELIMITERS, WHITESPACE)}
    delimiter = max(choices, key=lambda d: _fitness(choices[d], d, known))
    rows = choices[delimiter] or [(text,)]
    first = tuple(cell.strip() for cell in rows[0])
    header = bool(set(first) & set(known)) or _is_header(first, rows[1:])
    data = rows[1:] if header else rows
    columns = [[row[at].strip() for row in data if at < len(row)] for at in range(len(first))]
    chosen = [cells for name, cells in zip(first, columns, strict=True) if numeric is None or name in numeric]
    return Dialect(delimiter, decimal_of(chosen), header, first)


def records(text: str, delimiter: str) -> list[Record]:
    """The first records of `text` that are not blank, up to one that cannot be told with that delimiter."""
    found: list[Record] = []
    rows: Iterator[list[str]]
    if delimiter == WHITESPACE:
        rows = ([_bare(token) for token in _TOKEN.findall(line)] for line in text.splitlines())
    else:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    with suppress(csv.Error):
        for row in rows:
            if len(row) > 1 or "".join(row).strip():
                found.append(tuple(row))
            if len(found) == SAMPLE_RECORDS:
                break
    return found


def decimal_of(columns: Sequence[Sequence[str]]) -> Literal[".", ","]:
    """The decimal mark of columns of cells: a comma where one has only numbers with it, and none has a point."""
    commas = False
    for cells in columns:
        present = [cell for cell in cells if cell not in MISSING]
        if any(NUMBER.fullmatch(cell) and "." in cell for cell in present):
            return "."
        fitting = bool(present) and all(NUMBER.fullmatch(c) or _COMMA_NUMBER.fullmatch(c) for c in present)
        marked = [cell for cell in present if "," in cell]
        commas |= fitting and any(not _THOUSANDS.fullmatch(cell) for cell in marked)
    return "," if commas else "."


def _fitness(rows: Sequence[Record], delimiter: str, known: Collection[str]) -> tuple[float, ...]:
    """Known names, then whether there are columns at all, rows as wide as the first, cells in one piece, columns."""
    if not rows:
        return (0, 0, 0, 0, 0)
    first = rows[0]
    names = len({cell.strip() for cell in first} & set(known))
    if len(first) < 2:
        return (names, 0, 0, 0, 0)
    even = sum(len(row) == len(first) for row in rows) / len(rows)
    whole = sum(_in_one_piece(cell, delimiter) for row in rows for cell in row) / sum(map(len, rows))
    by_blanks = delimiter == WHITESPACE
    return (
        names,
        even >= 0.5 and not (by_blanks and even < 1),
        round(even, 1),
        not by_blanks,
        round(whole, 2),
        len(first),
    )


def _in_one_piece(cell: str, delimiter: str) -> bool:
    """Whether a cell holds no other delimiter, but for the comma of a number."""
    others = [d for d in DELIMITERS if d not in (delimiter, ",") and d in cell]
    return not others and ("," not in cell or delimiter == "," or bool(_COMMA_NUMBER.fullmatch(cell.strip())))


def _is_header(first: Record, rows: Sequence[Record]) -> bool:
    """Whether `first` names columns: no values but years over others, and all different or over values."""
    below = [[row[at].strip() for row in rows if at < len(row)] for at in range(len(first))]
    values = [at for at, cell in enumerate(first) if _is_value(cell)]
    if values:
        names = len(values) < len(first) and len(set(first)) == len(first) and all(first)
        return names and all(_YEAR.fullmatch(first[at]) and not all(map(_YEAR.fullmatch, below[at])) for at in values)
    distinct = len(set(first)) == len(first) and all(first)
    return distinct or any(cells and sum(map(_is_value, cells)) > 0.5 * len(cells) for cells in below)


def _is_value(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or _COMMA_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def _bare(token: str) -> str:
    return token[1:-1].replace('""', '"') if len(token) > 1 and token[0] == token[-1] == '"' else token
