"""What makes a row or a table the same as another: row ids and content hashes. Reading tables is `tables`."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH: Final = "batch"
ROW_ID: Final = "row_id"
ABSENT: Final = np.uint64(0x9E3779B97F4A7C15)


def with_row_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with an index `row_id`: 16 hexadecimal characters from a row's content and occurrence number.

    The id depends on neither the position of a row nor its batch nor the order of the columns, so ids stay
    when rows are appended or shuffled; of several equal rows the first gets occurrence 0, the next 1, and so
    on. Equal numbers hash alike whether stored as integers or floats. Mixing is splitmix64 (Steele, Lea &
    Flood 2014, "Fast splittable pseudorandom number generators"), so ids do not depend on the version of any
    library.
    """
    content = np.zeros(len(frame), dtype=np.uint64)
    for name in sorted(map(str, frame.columns)):
        if name != BATCH:
            content = mix(content ^ _words(frame[name]))
    occurrence = pd.Series(content).groupby(content).cumcount().to_numpy().astype(np.uint64)
    ids = np.where(occurrence > 0, mix(content ^ mix(occurrence)), content)
    return frame.set_axis(index_of(ids), axis=0)


def index_of(ids: NDArray[np.uint64]) -> pd.Index:
    """Row ids as the index `row_id` of 16 hexadecimal characters each."""
    text = ids.astype(">u8").tobytes().hex()
    return pd.Index([text[at : at + 16] for at in range(0, len(text), 16)], name=ROW_ID, dtype=object)


def table_hash(frame: pd.DataFrame) -> str:
    """SHA-256, in hexadecimal, of columns, dtypes, index and values; equal tables hash alike anywhere.

    Missing values of a column are all alike (None, NaN, NA), and text is text whichever dtype holds it.
    """
    digest = hashlib.sha256()
    parts = [(str(frame.index.name), frame.index.to_series()), *((str(n), s) for n, s in frame.items())]
    for name, values in parts:
        kind, buffers = _canonical(values)
        digest.update(json.dumps([name, kind, len(values), [len(b) for b in buffers]]).encode())
        for buffer in buffers:
            digest.update(buffer)
    return digest.hexdigest()


def mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's mixer over `words`, wrapping around."""
    mixed = words + ABSENT
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _words(values: pd.Series) -> NDArray[np.uint64]:
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0
        return np.where(np.isnan(numbers), ABSENT, numbers.view(np.uint64))
    codes, labels = pd.factorize(values.astype(object), use_na_sentinel=True)
    digests = [hashlib.blake2b(str(label).encode(), digest_size=8).digest() for label in labels]
    known = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    return np.append(known, ABSENT)[codes]


def _canonical(values: pd.Series) -> tuple[str, list[bytes | memoryview]]:
    dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype) and not values.hasnans:
        return "bool", [values.to_numpy(dtype=np.uint8).data]
    if pd.api.types.is_integer_dtype(dtype) and not values.hasnans:
        return "int", [np.ascontiguousarray(values.to_numpy(), dtype="<i8").data]
    if pd.api.types.is_numeric_dtype(dtype):
        numbers = np.array(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype="<f8")
        numbers[np.isnan(numbers)] = np.nan
        return "float", [numbers.data]
    return "text", _text_buffers(values.astype(object))


def _text_buffers(values: pd.Series) -> list[bytes | memoryview]:
    absent = values.isna().to_numpy()
    try:
        texts = pa.array(values.where(~absent, ""), type=pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = pa.array([str(v) for v in values.where(~absent, "")], type=pa.large_string())
    lengths = np.array(pc.binary_length(texts), dtype="<i8")
    data = texts.buffers()[2]
    characters = memoryview(data)[: int(lengths.sum())] if data is not None else b""
    return [np.packbits(absent).tobytes(), lengths.data, characters]
