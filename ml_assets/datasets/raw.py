"""The raw table as a Polars frame: its column types, the hashes of its rows, and the way to pandas and back.

From the clean table on everything is pandas; what comes before is read, checked and kept by column, which is why ten
million rows pass. How files become such a frame belongs in `reading`, what it must keep in `validation`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ml_assets.datasets.identity import ABSENT, BATCH, index_of, mix
from ml_assets.errors import ContractViolation

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import Column, DatasetSpec

CHUNK_ROWS: Final = 1 << 15
"""Rows hashed at once: few enough for the processor's cache."""
FEW_LABELS: Final = 1 << 16
"""Labels up to which a column is hashed by their numbers, which is quicker and takes less memory."""

_TYPES: Final[dict[str, pl.DataType]] = {
    "float": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "category": pl.String(),
    "text": pl.String(),
    "date": pl.Datetime("us"),
}


def polars_type(column: Column) -> pl.DataType:
    """Polars type of a contract's column; what is missing is null, and a float is never NaN."""
    return _TYPES[column.dtype]


def raw_schema(spec: DatasetSpec) -> dict[str, pl.DataType]:
    """Columns of a raw table in order, `batch` last, each with its Polars type."""
    return {**{name: polars_type(column) for name, column in spec.columns.items()}, BATCH: pl.String()}


def conform_raw(spec: DatasetSpec, frame: pl.DataFrame, *, origin: str) -> pl.DataFrame:
    """The contract's columns of `frame` (and `batch`, where it has one), in order and in the types of `raw_schema`.

    NaN becomes null. A column that is not there or that cannot be cast without loss is an error.

    Raises:
        ContractViolation: names `origin`, the column and what it holds.
    """
    wanted = {name: kind for name, kind in raw_schema(spec).items() if name != BATCH or BATCH in frame.columns}
    if lacking := [name for name in wanted if name not in frame.columns]:
        raise ContractViolation(f"{spec.name}: {origin}: column '{lacking[0]}' is missing; add or rename the columns")
    return frame.select(_cast(spec, frame[name], kind, origin) for name, kind in wanted.items())


def _cast(spec: DatasetSpec, values: pl.Series, kind: pl.DataType, origin: str) -> pl.Series:
    if values.dtype.is_float():
        values = values.fill_nan(None)
    if values.dtype == kind:
        return values
    try:
        return values.cast(kind, strict=True)
    except pl.exceptions.PolarsError as error:
        raise ContractViolation(
            f"{spec.name}: {origin}: column '{values.name}' holds {values.dtype}, and "
            f"{spec.columns[values.name].dtype} is promised ({str(error).splitlines()[0]})"
        ) from error


def row_hashes(frame: pl.DataFrame, columns: Iterable[str]) -> NDArray[np.uint64]:
    """One hash a row, (n,), from its values in `columns`; the order of the columns does not matter.

    Mixing is splitmix64 (Steele, Lea & Flood 2014), so a hash depends on the version of no library. Equal numbers hash
    alike whether integers, floats or booleans; null is a value of its own. Two different rows of a million collide with
    probability 3e-8 (birthday bound for 64 bits).
    """
    words = [_words(frame[name]) for name in sorted(columns)]
    hashes = np.zeros(frame.height, dtype=np.uint64)

    def fill(start: int) -> None:
        part = hashes[start : start + CHUNK_ROWS]
        for column in words:
            part[:] = mix(part ^ column(start, start + CHUNK_ROWS))

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(fill, range(0, frame.height, CHUNK_ROWS)))
    return hashes


class _words:  # noqa: N801  reads as the function it is called like
    """64-bit words of a column's values, a slice of rows at a time."""

    def __init__(self, values: pl.Series) -> None:
        self._known: NDArray[np.uint64] | None = None
        if values.dtype == pl.String:
            labels = values.unique().drop_nulls()
            digests = (hashlib.blake2b(label.encode(), digest_size=8).digest() for label in labels)
            known = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
            if 0 < len(labels) <= FEW_LABELS:
                self._known, self._values = known, values.cast(pl.Enum(labels)).to_physical()
            else:
                self._values = values.replace_strict(labels, pl.Series(known, dtype=pl.UInt64), default=None)
        elif values.dtype == pl.Boolean or values.dtype.is_integer():
            self._values = values
        elif values.dtype.is_temporal():
            self._values = values.cast(pl.Datetime("us")).to_physical().reinterpret(signed=False)
        else:
            self._values = values.cast(pl.Float64)

    def __call__(self, start: int, stop: int) -> NDArray[np.uint64]:
        part = self._values.slice(start, stop - start)
        absent = part.is_null().to_numpy() if part.null_count() else None
        if self._known is not None:
            found = self._known[part.fill_null(0).to_numpy()]
        elif part.dtype == pl.UInt64:
            found = part.fill_null(0).to_numpy() if absent is not None else part.to_numpy()
        else:
            numbers = part.cast(pl.Float64)
            found = ((numbers.fill_null(0.0) if absent is not None else numbers).to_numpy() + 0.0).view(np.uint64)
        return found if absent is None else np.where(absent, ABSENT, found)


def occurrences(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """How many earlier rows have the same hash, (n,): 0 for the first of them, then 1, and so on."""
    counted = np.zeros(len(hashes), dtype=np.uint64)
    repeated = repeated_positions(hashes)
    if len(repeated):
        among = pl.DataFrame({"hash": hashes[repeated]})
        counted[repeated] = among.select(pl.int_range(pl.len()).over("hash")).to_series().to_numpy().astype(np.uint64)
    return counted


def repeated_positions(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Positions, ascending, of rows whose hash another row has too; by a sort, so that none are found quickly."""
    values = pl.Series("hash", hashes, dtype=pl.UInt64)
    ascending = values.sort()
    repeated = ascending.filter((ascending == ascending.shift()).fill_null(False)).unique()
    return values.is_in(repeated.implode()).arg_true().to_numpy() if len(repeated) else np.empty(0, dtype=np.uint32)


def row_ids(frame: pl.DataFrame) -> NDArray[np.uint64]:
    """The id of each row as a number, (n,): from its content and occurrence; neither batch nor position count."""
    content = row_hashes(frame, [name for name in frame.columns if name != BATCH])
    seen = occurrences(content)
    return np.where(seen > 0, mix(content ^ mix(seen)), content)


def to_pandas(spec: DatasetSpec, raw: pl.DataFrame, *, ids: NDArray[np.uint64] | None = None) -> pd.DataFrame:
    """`raw` as pandas, indexed by `row_id` (16 hexadecimal characters): the form of the clean table, and `batch`.

    Floats, booleans (0 and 1), and integers in which any are or may be missing are float64 with NaN; other integers
    int64; labels and texts object with None; dates datetime64[us] with NaT. The ids are those of `row_ids` unless
    others are given.
    """
    import pandas as pd

    columns = {name: _pandas(spec.columns.get(name), raw[name]) for name in raw.columns}
    return pd.DataFrame(columns, copy=False).set_axis(index_of(row_ids(raw) if ids is None else ids), axis=0)


def _pandas(column: Column | None, values: pl.Series) -> NDArray[np.generic]:
    if column is None or column.dtype in ("category", "text"):
        found = values.to_numpy().astype(object)
        if values.null_count():
            found[values.is_null().to_numpy()] = None
        return found
    if column.dtype == "date":
        return values.to_numpy().astype("datetime64[us]")
    if column.dtype == "integer" and column.missing_share == 0 and not values.null_count():
        return values.to_numpy().astype(np.int64)
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def from_pandas(spec: DatasetSpec, frame: pd.DataFrame) -> pl.DataFrame:
    """The contract's columns of a pandas table (and `batch`, where it has one) as a raw table.

    Raises:
        ContractViolation: a column is missing or holds something else than is promised.
    """
    names: Sequence[str] = [n for n in raw_schema(spec) if n in frame.columns]
    return conform_raw(
        spec,
        pl.DataFrame([_series(spec.columns.get(name), name, frame[name]) for name in names]),
        origin="the table",
    )


def _series(column: Column | None, name: str, values: pd.Series) -> pl.Series:
    if column is None or column.dtype in ("category", "text"):
        texts = [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]
        return pl.Series(name, texts, dtype=pl.String if all(isinstance(t, str | None) for t in texts) else pl.Object)
    if column.dtype == "boolean":
        return pl.Series(name, values.to_numpy(dtype=np.float64, na_value=np.nan)).fill_nan(None).cast(pl.Boolean)
    return pl.Series(name, values.to_numpy())
