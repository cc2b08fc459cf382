"""A sheet of an Excel workbook (.xlsx) to columns of text. What cells mean belongs in `cells`.

openpyxl reads it as a stream: values only, formulas by the value that was last saved with them.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

import numpy as np
import openpyxl
import polars as pl

from ml_assets.datasets.reading.columns import checked_header
from ml_assets.datasets.reading.compression import allowance
from ml_assets.datasets.reading.delimited import MAX_COLUMNS, FoundTable, RaggedLine
from ml_assets.datasets.reading.values import text_of
from ml_assets.datasets.reading.wording import plain
from ml_assets.errors import SourceError, UnknownNameError

OLD_OR_ENCRYPTED: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_ROWS: Final = 1_048_576
MAX_CELLS: Final = 50_000_000
BATCH_ROWS: Final = 4096

BROKEN: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What openpyxl and the libraries below it raise on a damaged workbook; XML that is none is a SyntaxError."""


def workbook_table(
    content: bytes, *, sheet: str | None, header: Sequence[str] | None, decimal: str, origin: str
) -> FoundTable:
    """The rows of a sheet as String columns; rows with nothing in them count for nothing.

    Args:
        content: the workbook.
        sheet: its name; the first one by default.
        header: names of the columns of a sheet without a header; None if the first row has them.
        decimal: mark that numbers get in texts.
        origin: the file, for messages.

    Raises:
        SourceError: no intact workbook, encrypted, larger than a workbook may be, without that sheet, or without rows.
    """
    _refuse_bomb(content, origin)
    with _breakage(origin), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        try:
            rows = _filled_rows(_sheet(book, sheet, origin), allowance(len(content)), decimal, origin)
            first = next(rows, None)
            if first is None:
                raise SourceError(f"{origin} is empty: a header line and at least one row are needed")
            names = checked_header([cell or "" for cell in first], origin=origin) if header is None else tuple(header)
            return _table(rows if header is None else _again(first, rows), names, origin)
        finally:
            book.close()


def _sheet(book: Any, name: str | None, origin: str) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if not sheets:
        raise ValueError("it has no sheet of cells")
    if name is not None and name not in sheets:
        raise SourceError(f"{origin}: {UnknownNameError('sheet', name, sheets)}")
    return sheets[name] if name is not None else next(iter(sheets.values()))


def _filled_rows(sheet: Any, limit: int, decimal: str, origin: str) -> Iterator[tuple[str | None, ...]]:
    """Rows with something in them, as texts, without the empty cells at their end."""
    sheet.reset_dimensions()
    cells = size = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS), start=1):
        cells += len(row)
        if number > MAX_ROWS or cells > MAX_CELLS:
            raise SourceError(f"{origin} has more than {MAX_ROWS} rows or {MAX_CELLS} cells: save it as Parquet or CSV")
        texts = [None if value is None else text_of(value, decimal) for value in row]
        while texts and not (texts[-1] or "").strip():
            texts.pop()
        size += sum(len(text) for text in texts if text is not None)
        if size > limit:
            raise SourceError(f"{origin} holds more than {limit >> 20} MiB of text: save it as Parquet or CSV")
        if texts:
            yield tuple(texts)


def _table(rows: Iterator[tuple[str | None, ...]], names: Sequence[str], origin: str) -> FoundTable:
    width, number = len(names), 0
    frames: list[pl.DataFrame] = []
    ragged: list[RaggedLine] = []
    while batch := list(islice(rows, BATCH_ROWS)):
        numbered = list(enumerate(batch, start=number + 1))
        number += len(batch)
        ragged += [
            RaggedLine(at, len(row), "\t".join(cell or "" for cell in row)) for at, row in numbered if len(row) > width
        ]
        full = [row + (None,) * (width - len(row)) for _, row in numbered if len(row) <= width]
        columns = zip(*full, strict=True) if full else ((),) * width
        frames.append(
            pl.DataFrame([pl.Series(name, c, dtype=pl.String) for name, c in zip(names, columns, strict=True)])
        )
    if not number:
        raise SourceError(f"{origin} has a header and no rows: add at least one")
    numbers: np.ndarray[Any, np.dtype[np.uint32]] = np.arange(1, number + 1, dtype=np.uint32)
    if ragged:
        numbers = numbers[~np.isin(numbers, [line.row for line in ragged])]
    return FoundTable(pl.concat(frames), pl.Series("number", numbers), tuple(ragged))


def _again(first: tuple[str | None, ...], rows: Iterator[tuple[str | None, ...]]) -> Iterator[tuple[str | None, ...]]:
    yield first
    yield from rows


def _refuse_bomb(content: bytes, origin: str) -> None:
    if content.startswith(OLD_OR_ENCRYPTED):
        raise SourceError(
            f"{origin} has a password, or is of Excel's format before 2007: save it as .xlsx without a password"
        )
    with _breakage(origin), zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > allowance(len(content)):
            raise SourceError(
                f"{origin} unpacks to more than {allowance(len(content)) >> 20} MiB from {len(content)} bytes: save it "
                "as Parquet or CSV"
            )
        if any(member.flag_bits & 0x1 for member in members):
            raise SourceError(f"{origin} is encrypted: save it without a password")


@contextmanager
def _breakage(origin: str) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise SourceError(
            f"{origin} is no intact Excel workbook ({plain(str(error))[:100] or type(error).__name__}): save it again"
        ) from error
