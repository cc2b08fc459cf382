"""Tables of a dataset: the canonical files and incoming batches, read, typed and put together under row ids.

Where bytes come from is `sources`; how text is split and typed is `delimited` and `columns`; whether the
values keep the contract is `validation`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pandas as pd

from ml_assets.datasets.columns import accepted_names, conform, match_header, typed
from ml_assets.datasets.delimited import (
    DELIMITER_NAMES,
    delimiter_of,
    first_record,
    read_file,
    split_columns,
    text_bytes,
)
from ml_assets.datasets.identity import BATCH, ROW_ID, table_hash, with_row_ids
from ml_assets.datasets.sources import Mode, fetch_sources
from ml_assets.errors import ContractViolation, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ml_assets.datasets.download import Progress
    from ml_assets.datasets.spec import DatasetSpec, SourceFile

__all__ = [
    "BATCH",
    "ROW_ID",
    "assemble",
    "incoming_files",
    "load_raw_table",
    "read_csv_table",
    "read_source",
    "source_fingerprint",
    "table_hash",
    "with_row_ids",
]


def read_source(spec: DatasetSpec, file: SourceFile, content: bytes) -> pd.DataFrame:
    """The rows of one canonical file, in file order: every contract column, `file.constants` included.

    Raises:
        SourceError: the bytes are not the table that `file` describes.
        ContractViolation: the header names other columns.
    """
    body = text_bytes(content, origin=file.name)
    expected = tuple(name for name in spec.columns if name not in file.constants)
    names = expected
    if file.header:
        header = first_record(body, delimiter=file.delimiter, origin=file.name)
        names = match_header(spec, header, required=expected, origin=file.name)
    frame = _typed_frame(spec, body, names, file.delimiter, header=file.header, origin=file.name)
    return frame.assign(**file.constants)[list(spec.columns)]


def read_csv_table(spec: DatasetSpec, path: Path, *, require_target: bool) -> pd.DataFrame:
    """The rows of a CSV file that somebody hands in, in file order, with the contract's columns.

    The file is UTF-8, comma-separated, with a header of contract names or those of the source file, in any
    order.

    Args:
        spec: the contract.
        path: the file.
        require_target: True for rows to learn from, where every column must be there. False for rows to
            predict, where the target and the sensitive columns may be left out; those that are there are
            kept.

    Raises:
        SourceError: the file cannot be read as a table; names row or line, column and value.
        ContractViolation: columns are missing, extra or doubled.
    """
    body = text_bytes(read_file(path), origin=path.name)
    header = first_record(body, delimiter=",", origin=path.name)
    other = delimiter_of(body, tuple(accepted_names(spec)), expected=",", origin=path.name)
    if other is not None:
        raise SourceError(
            f"{path.name}: cells must be separated by a comma, and this looks like {DELIMITER_NAMES[other]} "
            f"({other!r}): save the file with commas"
        )
    required = tuple(spec.columns) if require_target else spec.feature_columns
    names = match_header(spec, header, required=required, origin=path.name)
    frame = _typed_frame(spec, body, names, ",", header=True, origin=path.name)
    return frame[[name for name in spec.columns if name in names]]


def assemble(spec: DatasetSpec, parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One table of all `parts` (batch name → rows), in their order: contract columns and `batch`, by row id.

    Raises:
        ContractViolation: a part lacks a column, or holds something else in a column of numbers; or there is
            no part.
    """
    if not parts:
        raise ContractViolation(f"{spec.name}: there is no table to put together: add a source file to the contract")
    typed_parts = [conform(spec, part, origin=name).assign(**{BATCH: name}) for name, part in parts.items()]
    whole = pd.concat([part for part in typed_parts if len(part)] or typed_parts[:1], ignore_index=True)
    return with_row_ids(conform(spec, whole, origin="all batches").assign(**{BATCH: whole[BATCH].astype(object)}))


def incoming_files(spec: DatasetSpec, incoming: Path) -> tuple[Path, ...]:
    """CSV files below `incoming/<dataset>`, by name; hidden and temporary names are left out."""
    folder = incoming / spec.name
    if not folder.is_dir():
        return ()
    named = (p for p in folder.iterdir() if p.suffix.lower() == ".csv" and not p.name.startswith((".", "~", "#")))
    return tuple(sorted(named, key=lambda p: p.name))


def source_fingerprint(spec: DatasetSpec, incoming: Path, mode: Mode) -> str:
    """SHA-256 over the contract, the source, and the bytes of every incoming file; nothing is parsed.

    Args:
        spec: the contract; its pins stand for the canonical files.
        incoming: the folder that holds one folder a dataset.
        mode: where canonical files are taken from.

    Raises:
        SourceError: an incoming file cannot be read.
    """
    digest = hashlib.sha256(f"{mode}\n{spec.model_dump_json()}".encode())
    for path in incoming_files(spec, incoming):
        digest.update(f"\n{path.name} {hashlib.sha256(read_file(path)).hexdigest()}".encode())
    return digest.hexdigest()


def load_raw_table(
    spec: DatasetSpec, *, mode: Mode, cache: Path, incoming: Path, progress: Progress | None = None
) -> pd.DataFrame:
    """The raw table: the canonical files in contract order, then each incoming file; batch is the file.

    Args:
        spec: the contract.
        mode: where canonical files are taken from.
        cache: folder for downloaded files.
        incoming: the folder that holds one folder a dataset.
        progress: called during downloads.

    Raises:
        SourceError: a file cannot be had or read.
        ContractViolation: a file has other columns than the contract.
    """
    contents = fetch_sources(spec, mode=mode, cache=cache, progress=progress)
    parts = {file.name: read_source(spec, file, contents[file.name]) for file in spec.sources}
    for path in incoming_files(spec, incoming):
        if path.name in parts:
            raise SourceError(f"{path} has the name of a canonical file: give it another name")
        parts[path.name] = read_csv_table(spec, path, require_target=True)
    return assemble(spec, parts)


def _typed_frame(
    spec: DatasetSpec, body: bytes, names: tuple[str, ...], delimiter: str, *, header: bool, origin: str
) -> pd.DataFrame:
    columns = split_columns(body, names, delimiter=delimiter, header=header, origin=origin)
    cells = zip(names, columns, strict=True)
    return pd.DataFrame({name: typed(name, spec.columns[name], column, origin=origin) for name, column in cells})
