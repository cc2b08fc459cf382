"""Parquet files to columns. Arrow reads them: a damaged file makes it raise, where it can make Polars end the process.

What columns mean belongs in `cells`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ml_assets.datasets.reading.columns import checked_header
from ml_assets.datasets.reading.delimited import MAX_COLUMNS, FoundTable
from ml_assets.datasets.reading.wording import plain, shortened
from ml_assets.errors import SourceError

MAGIC: Final = b"PAR1"
ENCRYPTED_MAGIC: Final = b"PARE"
MAX_TABLE_BYTES: Final = 8 << 30
HARMLESS_BYTES: Final = 1 << 30
LARGEST_RATIO: Final = 1000
"""How much larger a table may be than its file: columns of one value shrink more, and few tables have no others."""
CELL_BYTES: Final = 16
THREADS: Final = 2


def parquet_table(content: bytes | Path, *, origin: str) -> FoundTable:
    """The rows of a Parquet file: numbers in their types, texts as String, dates naive in UTC.

    Args:
        content: the file's bytes, or its path, which saves holding them.
        origin: the file, for messages.

    Raises:
        SourceError: no intact Parquet file, encrypted, larger than `allowed_bytes`, without rows, or with columns of
            anything but numbers, texts, booleans and dates.
    """
    source = content if isinstance(content, Path) else pa.BufferReader(content)
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    try:
        with pq.ParquetFile(source) as file:
            schema = file.schema_arrow
            names = checked_header(schema.names, origin=origin)
            _refuse_large(file.metadata, size, origin)
            if not (rows := file.metadata.num_rows):
                raise SourceError(f"{origin} has a header and no rows: add at least one")
        texts = [field.name for field in schema if _is_text(_cell_type(field, origin))]
        columns = _read_columns(source, names, texts)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise SourceError(f"{origin} is no intact Parquet file ({plain(str(error))[:200]}): write it again") from error
    characters = sum(int(c.alias("").str.len_bytes().cast(pl.UInt64).sum()) for c in columns if c.dtype == pl.String)
    if characters > allowed_bytes(size):
        raise SourceError(f"{origin} holds {characters >> 20} MiB of text in {size} bytes: hand in smaller files")
    numbers = pl.Series("number", np.arange(1, rows + 1, dtype=np.uint32))
    return FoundTable(pl.DataFrame(columns), numbers)


def _read_columns(source: Any, names: Sequence[str], texts: Sequence[str]) -> list[pl.Series]:
    """All columns, one at a time in each of a few threads, so that little more than the table is ever in memory."""

    def some(first: int) -> list[pl.Series]:
        with pq.ParquetFile(source, read_dictionary=texts) as file:
            reader = file.reader
            return [
                _series(names[at], reader.read_all(column_indices=[at], use_threads=False).column(0))
                for at in range(first, len(names), THREADS)
            ]

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        parts = list(pool.map(some, range(THREADS)))
    return [parts[at % THREADS][at // THREADS] for at in range(len(names))]


def allowed_bytes(packed: int) -> int:
    """How large a table may be in memory whose file has `packed` bytes."""
    return min(MAX_TABLE_BYTES, max(HARMLESS_BYTES, LARGEST_RATIO * packed))


def _refuse_large(metadata: Any, size: int, origin: str) -> None:
    if metadata.num_columns > MAX_COLUMNS:
        raise SourceError(f"{origin} has {metadata.num_columns} columns, and at most {MAX_COLUMNS} are read")
    rows = sum(metadata.row_group(at).num_rows for at in range(metadata.num_row_groups))
    if rows * metadata.num_columns * CELL_BYTES > allowed_bytes(size):
        raise SourceError(
            f"{origin} says it has {rows} rows of {metadata.num_columns} columns in {size} bytes: hand in smaller files"
        )


def _cell_type(field: Any, origin: str) -> Any:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_nested(kind) or not (
        _is_text(kind) or pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    ):
        raise SourceError(
            f"{origin}: column {shortened(field.name)} holds {shortened(kind)}, and one number, text, boolean or date "
            "a cell is needed: spread it over columns, or leave it out"
        )
    return kind


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _series(name: str, column: Any) -> pl.Series:
    """A column that shares Arrow's memory; what Arrow does not verify when it reads is verified here."""
    if pa.types.is_dictionary(column.type):
        column.validate(full=True)
        parts = [_looked_up(chunk) for chunk in column.chunks]
        return pl.concat(parts).alias(name)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"), safe=column.type.unit != "ns")
    elif pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    elif pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    elif pa.types.is_date64(column.type):
        column = column.cast(pa.date32())
    return pl.Series(pl.from_arrow(column, rechunk=False)).alias(name)


def _looked_up(chunk: Any) -> pl.Series:
    """Texts of a chunk of codes; equal texts share their characters, which bounds what a small file can become."""
    words = chunk.dictionary
    if not _is_text(words.type):
        return pl.Series(pl.from_arrow(chunk.dictionary_decode()))
    return (
        pl.Series(pl.from_arrow(words)).cast(pl.String).gather(pl.Series(pl.from_arrow(chunk.indices)).cast(pl.UInt32))
    )
