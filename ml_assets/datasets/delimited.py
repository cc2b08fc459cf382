"""Bytes of a delimited file to columns of text, with limits on what is accepted. Their meaning: `columns`."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from ml_assets.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_CELL_BYTES: Final = 10_000
MAX_FILE_BYTES: Final = 512 << 20
WHITESPACE: Final = "whitespace"
DELIMITER_NAMES: Final = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


def read_file(path: Path) -> bytes:
    """The bytes of the file at `path`.

    Raises:
        SourceError: there is none, it is a folder, too large, or may not be read.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder, and a CSV file is needed: name a file in it")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SourceError(f"{path} has more than {MAX_FILE_BYTES >> 20} MiB: split it into several files")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist: check the path") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read ({error}): check its permissions") from error


def text_bytes(content: bytes, *, origin: str) -> bytes:
    """`content` without a byte-order mark, known to be UTF-8 text with something in it.

    Raises:
        SourceError: empty, or not UTF-8; names the position of the first wrong byte.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{origin}: byte 0 begins a UTF-16 file: save it as UTF-8")
    body = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start + len(content) - len(body)
        line = content.count(b"\n", 0, at) + 1
        raise SourceError(
            f"{origin}: byte {at} (0x{content[at]:02x}, line {line}) is not UTF-8: save the file as UTF-8"
        ) from error
    if "\0" in text:
        at = content.index(b"\0")
        raise SourceError(f"{origin}: byte {at} is zero, which no text has: save the file as UTF-8 text")
    if not text.strip():
        raise SourceError(f"{origin} is empty: a header line and at least one row are needed")
    return body


def first_record(body: bytes, *, delimiter: str, origin: str) -> tuple[str, ...]:
    """Cells of the first line that is not blank, without surrounding blanks.

    Raises:
        SourceError: one of its cells is too large, or its quotes do not match.
    """
    try:
        for record in csv.reader(io.TextIOWrapper(io.BytesIO(body), "utf-8", newline=""), delimiter=delimiter):
            if record:
                cells = tuple(cell.strip() for cell in record)
                break
        else:
            raise SourceError(f"{origin} is empty: a header line and at least one row are needed")
    except csv.Error as error:
        raise SourceError(f"{origin}: the first line cannot be read ({error}): look at its quotes") from error
    for number, cell in enumerate(cells, start=1):
        if len(cell.encode()) > MAX_CELL_BYTES:
            raise _too_large(origin, "line 1", f"cell {number}", len(cell.encode()))
    return cells


def delimiter_of(body: bytes, known: Sequence[str], *, expected: str, origin: str) -> str | None:
    """The delimiter whose first line names more of `known` than with `expected`, or None."""

    def hits(delimiter: str) -> int:
        return len(set(known) & set(first_record(body, delimiter=delimiter, origin=origin)))

    best = max((d for d in DELIMITER_NAMES if d != expected), key=hits)
    return best if hits(best) > hits(expected) else None


def split_columns(body: bytes, names: Sequence[str], *, delimiter: str, header: bool, origin: str) -> list[Any]:
    """One Arrow array of text per name, in file order, without the header; blank lines are left out.

    Raises:
        SourceError: a row has too few or too many cells, a cell is too large or holds a line break, or there
            is no row.
    """
    if delimiter == WHITESPACE:
        body, delimiter = b"\n".join(b"\t".join(line.split()) for line in body.splitlines()), "\t"
    fields = [f"f{at}" for at in range(len(names))]
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip" if len(ragged) == 1 else "error"

    try:
        table = pa_csv.read_csv(
            pa.py_buffer(body),
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=len(body) + 1, column_names=fields, skip_rows=0
            ),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(fields, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if not ragged:
            raise SourceError(f"{origin} cannot be read as a table: {error}") from error
    if ragged:
        raise _ragged(body, ragged[0], delimiter, origin)
    columns = [column.combine_chunks() for column in table.slice(int(header)).columns]
    if not len(columns[0]):
        raise SourceError(f"{origin} has a header and no rows: add at least one")
    for name, column in zip(names, columns, strict=True):
        _check_cells(column, name, origin)
    return columns


def shortened(value: object, limit: int = 40) -> str:
    """`value` in quotes, cut to `limit` characters."""
    text = re.sub(r"\s+", " ", str(value))
    return f"'{text[:limit]}…'" if len(text) > limit else f"'{text}'"


def _check_cells(column: Any, name: str, origin: str) -> None:
    sizes = pc.binary_length(column)
    if (largest := pc.max(sizes).as_py()) > MAX_CELL_BYTES:
        raise _too_large(origin, f"row {pc.index(sizes, largest).as_py() + 1}", f"column '{name}'", largest)
    if (row := pc.index(pc.match_substring(column, "\n"), True).as_py()) >= 0:
        raise SourceError(f"{origin}, row {row + 1}: column '{name}' holds a line break: look for an open quote")


def _too_large(origin: str, row: str, cell: str, size: int) -> SourceError:
    return SourceError(
        f"{origin}, {row}: {cell} holds {size} bytes, more than the {MAX_CELL_BYTES} a cell may have: "
        "shorten it, or look for a quote that is not closed"
    )


def _ragged(body: bytes, row: Any, delimiter: str, origin: str) -> SourceError:
    line = _line_of_record(body, row.number, delimiter)
    return SourceError(
        f"{origin}, line {line}: {row.actual_columns} cells where {row.expected_columns} are needed "
        f"({shortened(row.text)}): correct the line"
    )


def _line_of_record(body: bytes, number: int, delimiter: str) -> int:
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(body), "utf-8", newline=""), delimiter=delimiter)
    try:
        seen, before = 0, 0
        for record in reader:
            seen += bool(record)
            if seen == number:
                return max(before + 1, reader.line_num - sum(cell.count("\n") for cell in record))
            before = reader.line_num
    except csv.Error:
        pass
    return number
