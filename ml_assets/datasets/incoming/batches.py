"""Accepted batches on disk: one folder each, and that it is there is the record that its file was taken.

Which files become batches is decided in `intake`; how their rows join the sources belongs in `tables`.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from ml_assets.artifacts import storage_errors
from ml_assets.datasets.incoming.folders import clean_stem, make_whole, safe_name
from ml_assets.datasets.raw import polars_type
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import ContractViolation, IntegrityError
from ml_assets.home import Home

ROWS_FILE: Final = "rows.parquet"
RECORD_FILE: Final = "batch.json"
ORIGINAL: Final = "original"
COMPRESSED: Final = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip", ".parquet", ".xlsx"})

Kind = Literal["rows", "labels"]
_FOLDER: Final = re.compile(r"(\d{6,})-(.+)")


@dataclass(frozen=True)
class BatchRecord:
    """What is known of one accepted batch.

    Attributes:
        id: cleaned stem of the file and the first hexadecimal digits of its hash; the `batch` of its rows.
        number: which batch of its dataset it is, from 1, in the order in which they were taken.
        kind: `rows`, or `labels`: key and target only, for rows that are there already.
        file: what the file was called when it was handed in.
        sha256: of the bytes handed in.
        taken_at: seconds since 1970.
        rows: data rows in the file: `accepted` and `refused`.
        read_as: how the file was read.
        quarantined: the entry that holds the refused rows.
        rows_sha256: of the stored rows' file.
    """

    id: str
    number: int
    kind: Kind
    file: str
    sha256: str
    taken_at: float
    rows: int
    accepted: int
    refused: int
    read_as: Mapping[str, Any]
    quarantined: str | None
    rows_sha256: str = ""


def batch_ids(spec: DatasetSpec, home: Home) -> tuple[str, ...]:
    """Ids of the accepted batches in the order in which they were taken; no file is opened."""
    return tuple(id for _, id, _ in _folders(spec, home))


def batch_records(spec: DatasetSpec, home: Home) -> tuple[BatchRecord, ...]:
    """Records of the accepted batches, in the order in which they were taken.

    Raises:
        IntegrityError: a record cannot be understood.
    """
    return tuple(_record(folder) for _, _, folder in _folders(spec, home))


def batches(spec: DatasetSpec, home: Home) -> dict[str, pl.DataFrame]:
    """Rows of the accepted batches by id, in the order in which they were taken.

    Each frame has the columns that its file had, in contract order and in the types of `raw_schema`, and no `batch`.

    Raises:
        IntegrityError: a batch was changed after it was taken.
        ContractViolation: the contract has changed so that a batch no longer fits; names batch, column and remedy.
    """
    return {id: _rows(spec, folder) for _, id, folder in _folders(spec, home)}


def newest_arrival(spec: DatasetSpec, home: Home) -> dt.datetime | None:
    """When the last batch was taken, in UTC without a time zone; None where there is none."""
    records = batch_records(spec, home)
    if not records:
        return None
    return dt.datetime.fromtimestamp(max(r.taken_at for r in records), tz=dt.UTC).replace(tzinfo=None)


def batches_folder(spec: DatasetSpec, home: Home) -> Path:
    """Where the accepted batches of a dataset lie."""
    return home.batches / spec.name


def next_number(spec: DatasetSpec, home: Home) -> int:
    """The number of the next batch."""
    return max((number for number, _, _ in _folders(spec, home)), default=0) + 1


def content_name(file: str, sha256: str, taken: Iterable[str]) -> str:
    """A name for what `file` held: its cleaned stem and 8 digits of its hash, or all of them where 8 are `taken`."""
    short = f"{clean_stem(file)}-{sha256[:8]}"
    return short if short not in taken else f"{clean_stem(file)}-{sha256}"


def write_batch(draft: Path, record: BatchRecord, rows: pl.DataFrame, content: bytes) -> None:
    """Fills an empty folder with the rows, the record, and the bytes as they were handed in."""
    rows.write_parquet(draft / ROWS_FILE)
    described = asdict(record) | {"rows_sha256": _file_sha256(draft / ROWS_FILE)}
    (draft / RECORD_FILE).write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (draft / ORIGINAL).mkdir()
    kept = draft / ORIGINAL / safe_name(record.file)
    if kept.suffix.lower() in COMPRESSED:
        kept.write_bytes(content)
        return
    with kept.with_name(f"{kept.name}.gz").open("wb") as sink, gzip.GzipFile("", "wb", 1, sink, mtime=0) as packed:
        packed.write(content)


def record_batch(spec: DatasetSpec, home: Home, draft: Path, record: BatchRecord) -> Path:
    """Gives a finished draft its place among the batches: from here on its file counts as taken."""
    place = batches_folder(spec, home) / f"{record.number:06d}-{record.id}"
    with storage_errors(place):
        make_whole(draft, place)
    return place


def _folders(spec: DatasetSpec, home: Home) -> list[tuple[int, str, Path]]:
    """Number, id and place of every batch, by number."""
    place = batches_folder(spec, home)
    if not place.is_dir():
        return []
    named = ((_FOLDER.fullmatch(folder.name), folder) for folder in place.iterdir())
    return sorted((int(match[1]), match[2], folder) for match, folder in named if match)


def _record(folder: Path) -> BatchRecord:
    try:
        told = json.loads((folder / RECORD_FILE).read_bytes())
        return BatchRecord(**{field.name: told[field.name] for field in fields(BatchRecord)})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"{folder / RECORD_FILE} {_CHANGED}") from error


_CHANGED: Final = "is missing or was changed after the batch was taken: restore it from a copy of the home"


def _rows(spec: DatasetSpec, folder: Path) -> pl.DataFrame:
    file, record = folder / ROWS_FILE, _record(folder)
    if not file.is_file() or _file_sha256(file) != record.rows_sha256:
        raise IntegrityError(f"{file} {_CHANGED}")
    frame = pl.read_parquet(file)
    wanted = {name: polars_type(column) for name, column in spec.columns.items() if name in frame.columns}
    for name, kind in wanted.items():
        try:
            frame = frame.with_columns(frame[name].cast(kind, strict=True))
        except pl.exceptions.PolarsError as error:
            raise ContractViolation(
                f"{spec.name}: batch {record.id} was accepted when column '{name}' was another kind, and is no "
                f"{spec.columns[name].dtype} now: correct the contract, or move {folder} away and hand in its "
                "original again"
            ) from error
    return frame.select(list(wanted))


def _file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
