"""A delimited text to columns of text, with the lines that are no rows of it. What cells mean belongs in `cells`.

How it is written is told in `dialect`, and its encoding in `encoding`.
"""

from __future__ import annotations

import io
import re
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from ml_assets.datasets.reading.dialect import SAMPLE_BYTES, WHITESPACE, records
from ml_assets.datasets.reading.wording import shortened
from ml_assets.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_LINE_BYTES: Final = 16 << 20
MAX_COLUMNS: Final = 16_384
MAX_RAGGED: Final = 100_000
MAX_RAGGED_BYTES: Final = 64 << 20
STRADDLING: Final = "straddling"
"""Of Arrow's message about a row that is larger than what it reads at once."""

_BLANKS: Final = re.compile(rb'"(?:[^"]|"")*"|[ \t\v\f]+')
_BLANK_START: Final = re.compile(rb"\A(?:[ \t\v\f]*\r?\n|[ \t\v\f]*\r)+")
_EDGES: Final = re.compile(rb"(?m)^[ \t\v\f]+|[ \t\v\f]+(?=\r?$)")


@dataclass(frozen=True)
class RaggedLine:
    """A line with other than the header's number of cells.

    Attributes:
        row: its number among the data rows, from 1.
        cells: how many it has.
        text: the line.
    """

    row: int
    cells: int
    text: str


@dataclass(frozen=True)
class FoundTable:
    """A table as its file has it.

    Attributes:
        frame: columns under the file's names, one row a data row but ragged lines.
        numbers: UInt32, number of each row among the data rows, from 1.
        ragged: lines that are no rows.
    """

    frame: pl.DataFrame
    numbers: pl.Series
    ragged: tuple[RaggedLine, ...] = ()


def first_record(body: bytes, *, delimiter: str, origin: str) -> tuple[str, ...]:
    """Cells of the first line that is not blank, without surrounding blanks.

    Raises:
        SourceError: it has too many cells, or its quotes do not match.
    """
    found = records(_BLANK_START.sub(b"", body[: 4 * SAMPLE_BYTES]).decode(errors="ignore"), delimiter)
    if not found:
        raise SourceError(f"{origin}: the first line cannot be read as cells: look at its quotes and its length")
    if len(found[0]) > MAX_COLUMNS:
        raise SourceError(f"{origin}: the first line has {len(found[0])} cells, and at most {MAX_COLUMNS} are read")
    return tuple(cell.strip() for cell in found[0])


def split_table(body: bytes, names: Sequence[str], *, delimiter: str, header: bool, origin: str) -> FoundTable:
    """The rows of `body` as String columns `names`, cells as they are written; blank lines count for nothing.

    Args:
        body: UTF-8 text with something in it.
        names: one distinct name a column, in file order.
        delimiter: one character, or `whitespace`.
        header: whether the first line is none of the rows.
        origin: the file, for messages.

    Raises:
        SourceError: a line is too long, a quote is not closed, far too many lines are no rows, or there is no row.
    """
    if delimiter == WHITESPACE:
        body, delimiter = _by_tabs(body), "\t"
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise SourceError(f"{origin}: {delimiter!r} is no delimiter: give one character, or '{WHITESPACE}'")
    table, ragged = _split(_BLANK_START.sub(b"", body), len(names), delimiter, origin)
    _refuse_open_quote(body, table, ragged, delimiter, origin)
    first = int(header)
    blank = [row.number for row in ragged if not row.text.strip()]
    lines = tuple(
        RaggedLine(row.number - first - bisect(blank, row.number), row.actual_columns, row.text)
        for row in ragged
        if row.text.strip()
    )
    frame = pl.DataFrame(pl.from_arrow(table.slice(first))).rename(dict(zip(table.column_names, names, strict=True)))
    if not frame.height and not lines:
        raise SourceError(f"{origin} has a header and no rows: add at least one")
    return FoundTable(frame, _numbers(frame.height, [line.row for line in lines]), lines)


class _Ragged:
    """Collects lines that are no rows, up to a limit."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._bytes = 0

    def __call__(self, row: Any) -> str:
        self.rows.append(row)
        self._bytes += len(row.text)
        return "error" if self._bytes > MAX_RAGGED_BYTES or len(self.rows) > MAX_RAGGED else "skip"


def _split(body: bytes, width: int, delimiter: str, origin: str) -> tuple[Any, list[Any]]:
    """All records, the header's among them, and the ragged ones; only a single thread can number those."""
    try:
        return _parsed(body, width, delimiter, on_ragged=lambda _: "error", threads=True), []
    except pa.ArrowInvalid:
        ragged = _Ragged()
    try:
        return _parsed(body, width, delimiter, on_ragged=ragged, threads=False), ragged.rows
    except pa.ArrowInvalid as error:
        if STRADDLING in str(error):
            raise _too_long(body, origin) from error
        first = f": the first is {shortened(ragged.rows[0].text)}" if ragged.rows else f" ({error})"
        raise SourceError(
            f"{origin} cannot be read as a table with the delimiter {delimiter!r}: "
            f"{'too many lines are no rows' if ragged.rows else 'it is none'}{first}"
        ) from error


def _parsed(body: bytes, width: int, delimiter: str, *, on_ragged: Callable[[Any], str], threads: bool) -> Any:
    fields = [f"f{at}" for at in range(width)]
    return pa_csv.read_csv(
        pa.py_buffer(body),
        read_options=pa_csv.ReadOptions(
            use_threads=threads, block_size=min(len(body) + 1, MAX_LINE_BYTES), column_names=fields
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=b'"' in body, invalid_row_handler=on_ragged
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(fields, pa.string()), strings_can_be_null=False
        ),
    )


def _refuse_open_quote(body: bytes, table: Any, ragged: Sequence[Any], delimiter: str, origin: str) -> None:
    """A row put after the end comes out as a row, unless an open quote swallows it."""
    quotes = body.count(b'"')
    last = table.slice(max(0, table.num_rows - 1)).to_pylist()
    if not quotes or (quotes % 2 == 0 and not any("\n" in cell for row in last for cell in row.values())):
        return
    after = body + b"\n" + delimiter.encode().join([b"0"] * table.num_columns)
    longer, more = _split(after, table.num_columns, delimiter, origin)
    records_seen = table.num_rows + len(ragged)
    if longer.num_rows + len(more) == records_seen:
        raise SourceError(f"{origin}, record {records_seen}: a quote is opened and not closed: look for it there")


def _numbers(height: int, ragged: Sequence[int]) -> pl.Series:
    every: NDArray[np.uint32] = np.arange(1, height + len(ragged) + 1, dtype=np.uint32)
    return pl.Series("number", every[~np.isin(every, ragged)] if ragged else every)


def _by_tabs(body: bytes) -> bytes:
    """Cells between blanks as cells between tabs; quoted ones keep theirs."""
    return _BLANKS.sub(lambda m: m[0] if m[0].startswith(b'"') else b"\t", _EDGES.sub(b"", body))


def _too_long(body: bytes, origin: str) -> SourceError:
    lengths = enumerate(map(len, io.BytesIO(body)), start=1)
    place = next((f", line {number}" for number, length in lengths if length > MAX_LINE_BYTES), "")
    return SourceError(
        f"{origin}{place}: a row has more than {MAX_LINE_BYTES >> 20} MiB: look for a quote that is not closed"
    )
