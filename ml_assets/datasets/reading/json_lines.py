"""JSON lines, one object a row, to columns. What columns mean belongs in `cells`.

Polars reads a file in which every line is an object and every column of one kind; another is gone through line by line.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl

from ml_assets.datasets.reading.delimited import (
    MAX_COLUMNS,
    MAX_LINE_BYTES,
    MAX_RAGGED,
    MAX_RAGGED_BYTES,
    FoundTable,
    RaggedLine,
)
from ml_assets.datasets.reading.parquet import CELL_BYTES, allowed_bytes
from ml_assets.datasets.reading.values import column_of
from ml_assets.datasets.reading.wording import shortened
from ml_assets.errors import SourceError

_ODD_ESCAPE: Final = re.compile(rb"\\u(?:[dD][89abAB]|0000)")
_PLAIN: Final = frozenset({pl.Int64(), pl.Float64(), pl.String(), pl.Boolean()})
BLOCK_BYTES: Final = 64 << 20
SCHEMA_BYTES: Final = 64 << 10


def json_lines_table(body: bytes, *, origin: str) -> FoundTable:
    """The rows of `body`, one column a key: numbers, booleans and texts; null where an object lacks the key.

    Args:
        body: UTF-8 text, one JSON object a line; blank lines count for nothing.
        origin: the file, for messages.

    Raises:
        SourceError: a line is too long, there are too many keys, far too many lines are no objects, a value holds
            several values, or there is no row.
    """
    _refuse_long_lines(body, origin)
    frame = None if _ODD_ESCAPE.search(body) else _read_by_columns(body, origin)
    if frame is None:
        return _read_by_lines(body, origin)
    if not frame.height or not frame.width:
        raise SourceError(f"{origin} has no rows: put one JSON object on each line")
    return FoundTable(frame, pl.Series("number", np.arange(1, frame.height + 1, dtype=np.uint32)))


def _read_by_columns(body: bytes, origin: str) -> pl.DataFrame | None:
    """The table if Polars can make one, None where only a look at each line tells what is wrong."""
    try:
        schema = _schema(body, origin)
        return pl.read_ndjson(body, schema=schema) if schema else None
    except (pl.exceptions.PolarsError, RecursionError):
        return None


def _schema(body: bytes, origin: str) -> dict[str, pl.DataType] | None:
    """Keys in the order in which they come, and their types; None where one has several or no plain one.

    A few lines at a time: what Polars needs grows with the square of the number of different keys.
    """
    schema: dict[str, pl.DataType] = {}
    rows = body.count(b"\n") + 1
    for lines in _blocks(body):
        found = pl.scan_ndjson(io.BytesIO(lines), infer_schema_length=None).collect_schema()
        if not schema:
            schema = dict.fromkeys(_object(lines.lstrip().partition(b"\n")[0]) or (), pl.Null())
        for key, kind in found.items():
            both = {kind, schema.get(key, kind)} - {pl.Null()}
            if both == {pl.Int64(), pl.Float64()}:
                both = {pl.Float64()}
            if len(both) > 1 or not both <= _PLAIN:
                return None
            schema[key] = both.pop() if both else pl.Null()
        _refuse_large(len(schema), rows, len(body), origin)
    return schema


def _blocks(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        end = body.find(b"\n", at + SCHEMA_BYTES) + 1 or len(body)
        if (lines := body[at:end]).strip():
            yield lines
        at = end


def _read_by_lines(body: bytes, origin: str) -> FoundTable:
    rows: list[dict[str, Any]] = []
    numbers, ragged, keys = [], [], dict[str, None]()
    for number, line in enumerate(filter(None, map(bytes.strip, io.BytesIO(body))), start=1):
        row = _object(line)
        if row is None:
            ragged.append(RaggedLine(number, 0, line.decode()))
            _refuse_no_table(ragged, origin)
            continue
        rows.append(row)
        numbers.append(number)
        keys.update(dict.fromkeys(row))
        _refuse_large(len(keys), len(rows), len(body), origin)
    if (not rows and not ragged) or (rows and not keys):
        raise SourceError(f"{origin} has no rows: put one JSON object on each line")
    columns = [column_of(key, [row.get(key) for row in rows], origin=origin) for key in keys]
    return FoundTable(pl.DataFrame(columns), pl.Series("number", numbers, dtype=pl.UInt32), tuple(ragged))


def _object(line: bytes) -> dict[str, Any] | None:
    """The object of a line, with NaN as None and of equal keys the first; None where it is none."""
    try:
        found = json.loads(line.decode(), parse_constant=_constant, object_pairs_hook=_first_of_each)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _constant(word: str) -> float | None:
    return None if word == "NaN" else float(word.replace("Infinity", "inf"))


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key.encode("utf-8", "replace").decode(), value)
    return found


def _refuse_no_table(ragged: list[RaggedLine], origin: str) -> None:
    if len(ragged) > MAX_RAGGED or sum(len(line.text) for line in ragged[-1:]) > MAX_RAGGED_BYTES:
        raise SourceError(
            f"{origin}: too many lines are no JSON objects: the first is {shortened(ragged[0].text)}; put one object "
            "on each line"
        )


def _refuse_large(columns: int, rows: int, size: int, origin: str) -> None:
    if columns > MAX_COLUMNS:
        raise SourceError(f"{origin} has more than {MAX_COLUMNS} different keys: give every object the same ones")
    if rows * columns * CELL_BYTES > allowed_bytes(size):
        raise SourceError(f"{origin} has {columns} different keys in {rows} objects: give every object the same ones")


def _refuse_long_lines(body: bytes, origin: str) -> None:
    start = 0
    for at in range(0, len(body), BLOCK_BYTES):
        ends = np.flatnonzero(np.frombuffer(body[at : at + BLOCK_BYTES], dtype=np.uint8) == ord("\n")) + at
        lengths = np.diff(ends, prepend=start)
        start = int(ends[-1]) if len(ends) else start
        if max(int(lengths.max(initial=0)), min(at + BLOCK_BYTES, len(body)) - start) > MAX_LINE_BYTES:
            raise SourceError(f"{origin}: a line has more than {MAX_LINE_BYTES >> 20} MiB: put one object on each line")
