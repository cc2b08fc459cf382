"""A stranger's file or query: how it is written, told from its beginning, and its table as it is, before any contract.

Reading by a contract belongs in `reading`, guessing the contract in `inference`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from ml_assets.datasets.reading.columns import accepted_names, checked_header
from ml_assets.datasets.reading.compression import plain_bytes
from ml_assets.datasets.reading.database import read_query, storable_address
from ml_assets.datasets.reading.dialect import SAMPLE_BYTES, sniff
from ml_assets.datasets.reading.encoding import detected_encoding, utf8_body
from ml_assets.datasets.reading.files import read_file
from ml_assets.datasets.reading.formats import FORMAT_NAMES, Format, format_of, found_table
from ml_assets.datasets.reading.wording import shortened
from ml_assets.datasets.spec import SourceFile
from ml_assets.errors import SourceError

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec

EXCEL_ENDINGS: Final = (".xlsx", ".xlsm")
TEXT_ENDINGS: Final = (".csv", ".tsv", ".txt", ".data")
SQLITE_MAGIC: Final = b"SQLite format 3\0"
QUERY_NAME: Final = "query"


@dataclass(frozen=True)
class OpenedTable:
    """A table as its file or query has it.

    Attributes:
        source: how it is read again, for a contract; `path` and addresses of SQLite files are absolute.
        frame: columns under their own names, without blanks around them. Texts of delimited files and workbooks are
            String and null where a cell is empty; other formats have numbers, booleans and dates (naive, in UTC) too.
        header: names of the columns, in file order; `column_1` and so on where the file has none.
    """

    source: SourceFile
    frame: pl.DataFrame
    header: tuple[str, ...]


def open_table(
    origin: str, *, query: str | None = None, sheet: str | None = None, home: Path | None = None
) -> OpenedTable:
    """The table of a file, or of a query to a database.

    Args:
        origin: path of a file, or a database's address; `$NAME` takes the address from the environment, and the path of
            an SQLite file will do.
        query: the SELECT, for a database.
        sheet: of a workbook; the first by default.
        home: root of the home, below which an SQLite file lies whose address, from the environment, is relative.

    Raises:
        SourceError: it cannot be had, or is no table; names row, column and remedy.
    """
    if query is not None or "://" in origin or origin.startswith("$"):
        return _opened_query(origin, query, home)
    path = Path(origin).expanduser().absolute()
    content = read_file(path)
    if content.startswith(SQLITE_MAGIC):
        raise SourceError(f"{path.name} is an SQLite database: give a query too, such as SELECT * FROM …")
    source, names = _sniffed(path.name, plain_bytes(content, origin=path.name), path=str(path), sheet=sheet)
    found = found_table(
        source, content, names=names, header=lambda h: checked_header(h, origin=path.name), origin=path.name
    )
    if found.ragged:
        line = found.ragged[0]
        raise SourceError(
            f"{path.name}, row {line.row}: {line.cells} cells where {found.frame.width} are needed "
            f"({shortened(line.text)}): correct the line; {len(found.ragged)} such lines in all"
        )
    frame = found.frame
    if source.format == "csv":
        frame = pl.DataFrame([_without_empty(cells.alias("")).alias(cells.name) for cells in frame])
    return OpenedTable(source, frame, tuple(frame.columns))


def incoming_source(spec: DatasetSpec, path: Path, content: bytes | None = None) -> SourceFile:
    """How a file that somebody hands in for a contract is read: by its content, and where that is text by its header.

    Args:
        spec: the contract; its names tell the delimiter and where decimal marks are.
        path: the file.
        content: its bytes; read here by default.

    Raises:
        SourceError: the file cannot be read, or is of no format that is.
    """
    plain = plain_bytes(read_file(path) if content is None else content, origin=path.name)
    names = accepted_names(spec)
    numeric = {written for written, name in names.items() if spec.columns[name].dtype in ("float", "integer")}
    sheet = next((source.sheet for source in spec.sources if source.format == "excel"), None)
    source, _ = _sniffed(path.name, plain, path=str(path), sheet=sheet, known=tuple(names), numeric=numeric)
    return source.model_copy(update={"header": True})


def _sniffed(
    name: str,
    plain: bytes,
    *,
    path: str,
    sheet: str | None,
    known: Collection[str] = (),
    numeric: Collection[str] | None = None,
) -> tuple[SourceFile, tuple[str, ...] | None]:
    """How a file is read, and names for its columns where it has no header."""
    kind = _format(name, plain)
    if kind == "excel":
        return SourceFile(name=name, path=path, format=kind, header=True, sheet=sheet), None
    if sheet is not None and not known:
        raise SourceError(f"{name} is {FORMAT_NAMES[kind]}, which has no sheets: leave the sheet out")
    if kind == "parquet":
        return SourceFile(name=name, path=path, format=kind), None
    encoding = detected_encoding(plain)
    if kind == "jsonl":
        return SourceFile(name=name, path=path, format=kind, encoding=encoding), None
    head = plain[:SAMPLE_BYTES].decode(encoding, errors="ignore").lstrip("\ufeff")
    if not head.strip():
        head = utf8_body(plain, encoding, origin=name)[:SAMPLE_BYTES].decode(errors="ignore").lstrip()
    dialect = sniff(head, whole=len(plain) <= SAMPLE_BYTES, known=known, numeric=numeric)
    source = SourceFile(
        name=name,
        path=path,
        delimiter=dialect.delimiter,
        decimal=dialect.decimal,
        encoding=encoding,
        header=dialect.header,
    )
    return source, None if dialect.header else tuple(f"column_{at}" for at in range(1, len(dialect.first) + 1))


def _format(name: str, plain: bytes) -> Format:
    """By content; a name that says otherwise is a mistake, but for a text that only begins like JSON."""
    if not plain.strip():
        raise SourceError(f"{name} is empty: a header line and at least one row are needed")
    ending = Path(name.lower()).suffix
    seen = format_of(plain)
    if plain.lstrip()[:1] == b"[" and ending in (".json", ".jsonl", ".ndjson"):
        raise SourceError(f"{name} is one JSON array: put one object on each line instead")
    if seen == "jsonl" and ending in TEXT_ENDINGS:
        return "csv"
    if (seen != "excel" and ending in EXCEL_ENDINGS) or (seen != "parquet" and ending == ".parquet"):
        raise SourceError(
            f"{name} is {FORMAT_NAMES[seen or 'csv']} or nothing known, whatever its name says: rename it"
        )
    return seen or "csv"


def _without_empty(cells: pl.Series) -> pl.Series:
    return cells.set(cells == "", None)


def _opened_query(origin: str, query: str | None, home: Path | None) -> OpenedTable:
    if query is None:
        raise SourceError("a database needs a query that gives the rows: add one, such as SELECT * FROM …")
    address = storable_address(origin)
    found = read_query(address, query, home=home, origin=QUERY_NAME)
    return OpenedTable(
        SourceFile(name=QUERY_NAME, database=address, query=query), found.frame, tuple(found.frame.columns)
    )
