"""The raw table of a dataset: its sources read by the contract, and the accepted batches, put together.

Bytes of canonical files are `sources`, reading them is `reading`; whether the values keep the contract is `validation`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ml_assets.datasets.identity import BATCH, ROW_ID, table_hash, with_row_ids
from ml_assets.datasets.raw import conform_raw, row_hashes, to_pandas
from ml_assets.datasets.reading.cells import typed_column
from ml_assets.datasets.reading.columns import match_header
from ml_assets.datasets.reading.compression import plain_bytes
from ml_assets.datasets.reading.database import read_query
from ml_assets.datasets.reading.files import below_home, file_sha256, read_file
from ml_assets.datasets.reading.opening import incoming_source
from ml_assets.datasets.reading.rows import read_rows, refuse_faults, typed_table
from ml_assets.datasets.sources import Mode, fetch_source, sha256
from ml_assets.datasets.updates import update_by_key
from ml_assets.errors import ContractViolation, SourceError

if TYPE_CHECKING:
    import pandas as pd

    from ml_assets.datasets.download import Progress
    from ml_assets.datasets.spec import DatasetSpec, SourceFile

__all__ = [
    "BATCH",
    "ROW_ID",
    "assemble",
    "load_raw_table",
    "read_prediction_rows",
    "read_source",
    "read_sources",
    "source_fingerprint",
    "table_hash",
    "with_row_ids",
]


def read_source(
    spec: DatasetSpec,
    source: SourceFile,
    *,
    mode: Mode,
    cache: Path,
    home: Path | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The rows of one source, in its order: every contract column, in the types of `raw_schema`.

    Args:
        spec: the contract.
        source: one of its sources.
        mode: where canonical files are taken from.
        cache: folder for downloaded files.
        home: root of the home, below which relative paths lie.
        progress: called during downloads.

    Raises:
        SourceError: the source cannot be had, is not the table it should be, or has a bad cell; names row and column.
        ContractViolation: its columns are not those of the contract.
    """
    required = tuple(name for name in spec.columns if name not in source.constants)
    if source.database is not None:
        found = read_query(source.database, source.query or "", home=home, origin=source.name)
        names = match_header(spec, found.frame.columns, required=required, origin=source.name)
        read = typed_table(spec, found, names, decimal=source.decimal, formulas=False, origin=source.name)
    else:
        content = _content(spec, source, mode=mode, cache=cache, home=home, progress=progress)
        read = read_rows(spec, source, content, require=required, formulas=False)
    refuse_faults(read.faults, origin=source.name)
    return _with_constants(spec, source, read.frame)


def read_sources(
    spec: DatasetSpec, *, mode: Mode, cache: Path, home: Path | None = None, progress: Progress | None = None
) -> dict[str, pl.DataFrame]:
    """The rows of each source of a contract, by its name, in contract order; as `read_source`.

    Raises:
        SourceError: as `read_source`, or two sources have one name.
        ContractViolation: as `read_source`.
    """
    frames: dict[str, pl.DataFrame] = {}
    for source in spec.sources:
        if source.name in frames:
            raise SourceError(f"{spec.name}: two sources are named {source.name}: give each a name of its own")
        frames[source.name] = read_source(spec, source, mode=mode, cache=cache, home=home, progress=progress)
    return frames


def assemble(
    spec: DatasetSpec, sources: Mapping[str, pl.DataFrame], batches: Mapping[str, pl.DataFrame] | None = None
) -> pl.DataFrame:
    """The raw table of sources and accepted batches, by name, in their order: contract columns and `batch`.

    With a key, a later row takes an earlier one's place, as `update_by_key` says; then a batch may lack columns.

    Raises:
        ContractViolation: a part lacks a column, or holds something else than is promised; or there is no part.
        SourceError: a batch has the name of a source.
    """
    accepted = batches or {}
    if taken := sorted(sources.keys() & accepted.keys()):
        raise SourceError(f"{spec.name}: a batch has the name of the source {taken[0]}: give it another name")
    parts = {name: part.drop(BATCH, strict=False) for name, part in (*sources.items(), *accepted.items())}
    if not parts:
        raise ContractViolation(f"{spec.name}: there is no table to put together: add a source file to the contract")
    if spec.key:
        late = [name for name, part in parts.items() if set(spec.key) <= set(part.columns) < set(spec.columns)]
        whole = {n: p if n in late else conform_raw(spec, p, origin=n) for n, p in parts.items()}
        return conform_raw(spec, update_by_key(spec, whole), origin="all batches")
    conformed = [
        conform_raw(spec, part, origin=name).with_columns(pl.lit(name).alias(BATCH)) for name, part in parts.items()
    ]
    return pl.concat(conformed, rechunk=False)


def load_raw_table(
    spec: DatasetSpec,
    *,
    mode: Mode,
    cache: Path,
    home: Path | None = None,
    batches: Mapping[str, pl.DataFrame] | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The raw table: the sources in contract order, then each accepted batch; `batch` says which a row is from.

    Args:
        spec: the contract.
        mode: where canonical files are taken from.
        cache: folder for downloaded files.
        home: root of the home, below which relative paths lie.
        batches: rows of accepted batches, by name, oldest first.
        progress: called during downloads.

    Raises:
        SourceError: a source cannot be had or read.
        ContractViolation: a source has other columns than the contract.
    """
    return assemble(spec, read_sources(spec, mode=mode, cache=cache, home=home, progress=progress), batches)


def source_fingerprint(spec: DatasetSpec, batches: Iterable[str], mode: Mode, *, home: Path | None = None) -> str:
    """SHA-256 over the contract, the bytes of its files, the rows of its queries, and which batches were accepted.

    Pins stand for canonical files. Rows of a query count whatever their order, as databases promise none.

    Args:
        spec: the contract.
        batches: names of accepted batches, oldest first.
        mode: where canonical files are taken from.
        home: root of the home, below which relative paths lie.

    Raises:
        SourceError: a file or database cannot be read.
    """
    digest = hashlib.sha256(f"{mode}\n{spec.model_dump_json()}".encode())
    for source in spec.sources:
        if source.path is not None:
            digest.update(f"\n{source.name} {file_sha256(below_home(source.path, home))}".encode())
        elif source.database is not None:
            frame = read_query(source.database, source.query or "", home=home, origin=source.name).frame
            digest.update(f"\n{source.name} {frame.schema}".encode())
            frame.columns = [f"c{at:05d}" for at in range(frame.width)]
            digest.update(np.sort(row_hashes(frame, frame.columns)).tobytes())
    for name in batches:
        digest.update(f"\nbatch {name}".encode())
    return digest.hexdigest()


def read_prediction_rows(spec: DatasetSpec, path: Path) -> pd.DataFrame:
    """The rows of a file that somebody hands in to have predicted, in file order, in the types of `to_pandas`.

    The file is of any format that is read, and has a header of contract names or those of the source file, in any
    order. The target and columns that are no features may be left out; those that are there are kept.

    Raises:
        SourceError: the file cannot be read as a table, or a cell is bad; names row, column and value.
        ContractViolation: columns are missing, extra or doubled.
    """
    content = read_file(path)
    source = incoming_source(spec, path, content)
    read = read_rows(spec, source, content, require=spec.feature_columns, formulas=False)
    refuse_faults(read.faults, origin=path.name)
    frame = pl.DataFrame([read.frame[name] for name in spec.columns if name in read.frame.columns])
    return to_pandas(spec, frame).reset_index(drop=True)


def _content(
    spec: DatasetSpec, source: SourceFile, *, mode: Mode, cache: Path, home: Path | None, progress: Progress | None
) -> bytes | Path:
    """Bytes of a canonical file, or the path of another; a pin that a path has is verified."""
    if source.path is None:
        return fetch_source(spec, source, mode=mode, cache=cache, progress=progress)
    path = below_home(source.path, home)
    if source.sha256 is not None:
        content = plain_bytes(read_file(path), origin=source.name)
        if (found := sha256(content)) != source.sha256:
            raise SourceError(
                f"{spec.name}: {path} has the wrong hash: expected {source.sha256}, found {found}; restore the "
                "file, or correct the contract's sha256"
            )
        return content
    return path


def _with_constants(spec: DatasetSpec, source: SourceFile, frame: pl.DataFrame) -> pl.DataFrame:
    """All contract columns in order, those of one value in it."""
    added: dict[str, pl.Series] = {}
    for name, text in source.constants.items():
        if name not in spec.columns:
            raise ContractViolation(f"{spec.name}: {source.name}: constant '{name}' is no column of the contract")
        value, bad = typed_column(spec.columns[name], pl.Series(name, [text]))
        if bad:
            raise ContractViolation(
                f"{spec.name}: {source.name}: constant '{name}' is '{text}', and {spec.columns[name].dtype} is promised"
            )
        added[name] = value.new_from_index(0, frame.height).alias(name)
    return pl.DataFrame([added[name] if name in added else frame[name] for name in spec.columns])
