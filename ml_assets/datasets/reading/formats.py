"""Bytes of a file to its table, whatever the format: which format it is, and who reads it.

Each format has a module of its own; what a contract makes of the columns belongs in `reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ml_assets.datasets.reading.compression import is_workbook, plain_bytes
from ml_assets.datasets.reading.delimited import FoundTable, first_record, split_table
from ml_assets.datasets.reading.encoding import utf8_body
from ml_assets.datasets.reading.files import file_start, read_file
from ml_assets.datasets.reading.json_lines import json_lines_table
from ml_assets.datasets.reading.parquet import ENCRYPTED_MAGIC, MAGIC, parquet_table
from ml_assets.datasets.reading.workbook import OLD_OR_ENCRYPTED, workbook_table
from ml_assets.errors import SourceError

if TYPE_CHECKING:
    from ml_assets.datasets.spec import SourceFile

Format = Literal["csv", "parquet", "jsonl", "excel"]
Names = Callable[[tuple[str, ...]], Sequence[str]]
"""Looks at a header, and gives back its names if they will do."""

FORMAT_NAMES: Final[dict[Format, str]] = {
    "csv": "delimited text",
    "parquet": "Parquet",
    "jsonl": "JSON lines",
    "excel": "Excel",
}


def format_of(plain: bytes) -> Format | None:
    """`parquet`, `excel` or `jsonl` by what bytes that are not compressed begin with; None for other text."""
    if plain.startswith((MAGIC, ENCRYPTED_MAGIC)):
        return "parquet"
    if plain.startswith(OLD_OR_ENCRYPTED) or is_workbook(plain):
        return "excel"
    return "jsonl" if plain.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" else None


def found_table(
    source: SourceFile, content: bytes | Path, *, names: Sequence[str] | None, header: Names, origin: str
) -> FoundTable:
    """The table that `content` holds, as `source` says it is written.

    Args:
        source: format, and how text is written.
        content: the file's bytes, compressed or not, or its path.
        names: columns of a file without a header; None where `source` says that it has one.
        header: told the names of a header before the rest is read; raises where they will not do.
        origin: the file, for messages.

    Raises:
        SourceError: the bytes are no such table.
    """
    if isinstance(content, Path) and source.format == "parquet" and file_start(content, len(MAGIC)) == MAGIC:
        return _checked(parquet_table(content, origin=origin), header)
    plain = plain_bytes(read_file(content) if isinstance(content, Path) else content, origin=origin)
    if not plain:
        raise SourceError(f"{origin} is empty: a header line and at least one row are needed")
    _refuse_other_format(source, plain, origin)
    if source.format == "parquet":
        return _checked(parquet_table(plain, origin=origin), header)
    if source.format == "excel":
        found = workbook_table(plain, sheet=source.sheet, header=names, decimal=source.decimal, origin=origin)
        return found if names is not None else _checked(found, header)
    body = utf8_body(plain, source.encoding, origin=origin)
    if source.format == "jsonl":
        return _checked(json_lines_table(body, origin=origin), header)
    if names is None:
        names = header(first_record(body, delimiter=source.delimiter, origin=origin))
    return split_table(body, names, delimiter=source.delimiter, header=source.header, origin=origin)


def _checked(found: FoundTable, header: Names) -> FoundTable:
    header(tuple(found.frame.columns))
    return found


def _refuse_other_format(source: SourceFile, plain: bytes, origin: str) -> None:
    """A file of another kind would be read as a table of nonsense, or not at all."""
    seen = format_of(plain)
    if plain.startswith(ENCRYPTED_MAGIC):
        raise SourceError(f"{origin} is an encrypted Parquet file: save it without encryption")
    if seen != source.format and {seen, source.format} & {"parquet", "excel"}:
        found = FORMAT_NAMES[seen or "csv"]
        raise SourceError(f"{origin} is said to be {FORMAT_NAMES[source.format]} and looks like {found}: correct one")
