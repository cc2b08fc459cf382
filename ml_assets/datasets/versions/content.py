"""What a raw table's content is called: one SHA-256 over columns, types and values. Storing it belongs in `versions`.

The clean table, which is pandas, has `identity.table_hash`.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

THREADS: Final = 2
SLICE_ROWS: Final = 1 << 18
"""Texts that are laid out after one another at once."""
ABSENT_LENGTH: Final = 0xFFFFFFFF
_KINDS: Final[dict[pl.DataType, str]] = {
    pl.Float64(): "float",
    pl.Int64(): "integer",
    pl.Boolean(): "boolean",
    pl.String(): "text",
    pl.Datetime("us"): "date",
}


def content_id(table: pl.DataFrame) -> str:
    """SHA-256, in hexadecimal, of the names, types and values of a raw table's columns, in order; `batch` counts too.

    It depends on neither the layout in memory, nor a file, nor the version of a library: numbers are hashed as
    little-endian 64-bit words, texts as UTF-8 with their lengths, dates as microseconds since 1970, and a missing value
    as its place alone.

    Raises:
        TypeError: a column is of a type that raw tables do not have.
    """
    return content_ids(table, table.height)[0]


def content_ids(table: pl.DataFrame, *ends: int) -> list[str]:
    """`content_id` of the first so many rows, for each of the numbers, which ascend; in one pass over the table.

    Raises:
        TypeError: a column is of a type that raw tables do not have.
    """
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        columns = list(pool.map(lambda values: _column_digests(values, ends), table.get_columns()))
    return [hashlib.sha256(b"".join([b"raw table 1", *digests])).hexdigest() for digests in zip(*columns, strict=True)]


def _column_digests(values: pl.Series, ends: Sequence[int]) -> list[bytes]:
    kind = _KINDS.get(values.dtype)
    if kind is None:
        raise TypeError(f"column '{values.name}' is {values.dtype}, which raw tables do not have")
    digests, found = _Texts() if kind == "text" else _Words(), []
    for start, end in pairwise([0, *ends]):
        digests.add(values.slice(start, end - start))
        header = json.dumps([values.name, kind, end]).encode()
        found.append(hashlib.sha256(header + digests.of(values.head(end))).digest())
    return found


class _Words:
    """Digest of the words of numbers, dates or booleans, and of the places where none is."""

    def __init__(self) -> None:
        self._words = hashlib.sha256()

    def add(self, values: pl.Series) -> None:
        for chunk in values.get_chunks():
            self._words.update(np.ascontiguousarray(_words(chunk)).data)

    def of(self, values: pl.Series) -> bytes:
        """Digest of all that were added, which are `values`."""
        if not values.null_count():
            return self._words.digest()
        absent = values.is_null().arg_true().to_numpy().astype("<u8")
        return self._words.digest() + hashlib.sha256(absent.data).digest()


def _words(chunk: pl.Series) -> NDArray[np.generic]:
    if chunk.dtype == pl.Boolean:
        return chunk.cast(pl.UInt8).fill_null(0).to_numpy()
    numbers = chunk.to_physical()
    if numbers.null_count():
        numbers = numbers.fill_null(0)
    return numbers.to_numpy().astype("<f8" if numbers.dtype == pl.Float64 else "<i8", copy=False)


class _Texts:
    """Digest of the texts' lengths in bytes, and of the texts after one another."""

    def __init__(self) -> None:
        self._lengths, self._texts = hashlib.sha256(), hashlib.sha256()

    def add(self, values: pl.Series) -> None:
        for chunk in (values.slice(at, SLICE_ROWS).rechunk() for at in range(0, len(values), SLICE_ROWS)):
            sizes = chunk.str.len_bytes().fill_null(ABSENT_LENGTH)
            self._lengths.update(sizes.to_numpy().astype("<u4", copy=False).data)
            joined = chunk.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
            _, offsets, characters = joined.buffers()
            places = np.frombuffer(offsets, dtype=np.int64)[joined.offset : joined.offset + len(joined) + 1]
            self._texts.update(memoryview(characters or b"")[places[0] : places[-1]])

    def of(self, _: pl.Series) -> bytes:
        """Digest of all that were added."""
        return self._lengths.digest() + self._texts.digest()
