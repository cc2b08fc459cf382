"""Packs on disk: immutable Parquet files of rows, written aside and verified before they are read.

Which rows a version takes from which pack is said by `version_layout`.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from ml_assets.artifacts import write_atomically
from ml_assets.datasets.versions.layout import Layout, Pack
from ml_assets.errors import IntegrityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARQUET: Final[dict[str, Any]] = {"compression": "zstd", "compression_level": 1, "statistics": False}
"""On numbers of real tables higher levels take half as long again and save a tenth at most."""

THREADS: Final = 2
_SYSTEM_ERROR: Final = re.compile(r"os error ([0-9]+)")
LARGE: Final = 1 << 18
"""Packs of more rows than this are read one column at a time, so that they and the version are never both in memory."""


@dataclass(frozen=True)
class PackFolder:
    """The packs of one dataset."""

    folder: Path

    def path(self, pack: Pack) -> Path:
        """The pack's file."""
        return self.folder / f"{pack.sha256}.parquet"

    def write(self, table: pl.DataFrame) -> Pack:
        """Stores rows; a file of the same name, which may have been damaged, is replaced."""
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self.folder / f".{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            with system_errors():
                table.write_parquet(aside, **PARQUET)
            pack = Pack(_sha256(aside), table.height, aside.stat().st_size)
            aside.replace(self.path(pack))
        finally:
            aside.unlink(missing_ok=True)
        return pack

    def verify(self, layout: Layout) -> None:
        """Compares the packs' bytes with their names.

        Raises:
            IntegrityError: a pack is missing or its bytes are others.
        """
        for pack in layout.packs:
            verify_file(self.path(pack), pack.sha256)

    def open(self, layout: Layout) -> StoredRows:
        """The rows of a version, still on disk; the packs are verified.

        Raises:
            IntegrityError: a pack is missing or its bytes are others.
        """
        self.verify(layout)
        paths = [self.path(pack) for pack in layout.packs]
        packs = [path if pack.rows > LARGE else _read(path) for pack, path in zip(layout.packs, paths, strict=True)]
        return StoredRows(layout, packs, pl.Schema(pl.read_parquet_schema(paths[0])))

    def read(self, layout: Layout) -> pl.DataFrame:
        """The rows of a version, in order; the packs are verified first.

        Raises:
            IntegrityError: a pack is missing or its bytes are others.
        """
        return self.open(layout).frame()


@dataclass(frozen=True, eq=False)
class StoredRows:
    """The rows of a version where they lie. Columns are read when they are asked for, so that few are in memory.

    Attributes:
        layout: which rows of which packs they are.
        packs: the packs' files; of small packs what is in them.
        schema: columns and their types.
    """

    layout: Layout
    packs: list[Path | pl.DataFrame]
    schema: pl.Schema

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.layout.length.sum())

    def __getitem__(self, name: str) -> pl.Series:
        """One column, in the order of the rows."""
        parts = [p[name] if isinstance(p, pl.DataFrame) else _read(p, name)[name] for p in self.packs]
        if self.layout.is_whole_pack:
            return parts[0]
        return pl.concat(parts, rechunk=True).gather(self._places)

    def frame(self) -> pl.DataFrame:
        """All columns."""
        if self.layout.is_whole_pack and isinstance(self.packs[0], Path):
            return _read(self.packs[0])
        return pl.DataFrame([self[name] for name in self.schema])

    def rows(self, positions: NDArray[np.int64]) -> pl.DataFrame:
        """Rows by position."""
        if not len(positions):
            return pl.DataFrame(schema=self.schema)
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            return pl.DataFrame(list(pool.map(lambda name: self[name].gather(positions), self.schema)))

    @cached_property
    def _places(self) -> pl.Series:
        """Of each row, its place among the rows of all packs."""
        first = np.cumsum([0, *(pack.rows for pack in self.layout.packs[:-1])])
        numbers, rows = self.layout.rows()
        return pl.Series(rows + first[numbers])


@contextmanager
def system_errors() -> Iterator[None]:
    """Turns what Polars says when the operating system refuses a write back into the `OSError` that it was."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        found = _SYSTEM_ERROR.search(str(error))
        if found is None:
            raise
        number = int(found[1])
        raise OSError(number, os.strerror(number)) from error


def write_layout(path: Path, layout: Layout) -> str:
    """Stores the segments of a layout in one rename; the SHA-256 of the file."""
    buffer = io.BytesIO()
    layout.to_frame().write_parquet(buffer, **PARQUET)
    content = buffer.getvalue()
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_layout(path: Path, sha256: str, packs: tuple[Pack, ...]) -> Layout:
    """The layout stored at `path`, its bytes verified.

    Raises:
        IntegrityError: the file is missing or its bytes are others.
    """
    verify_file(path, sha256)
    return Layout.from_frame(packs, _read(path))


def verify_file(path: Path, sha256: str) -> None:
    """Compares a file's bytes with what they were when they were written.

    Raises:
        IntegrityError: the file is missing or its bytes are others; says what to do.
    """
    if not path.is_file():
        raise IntegrityError(f"{path} is missing: {REMEDY}")
    if _sha256(path) != sha256:
        raise IntegrityError(f"{path} was changed after it was written (SHA-256 {sha256[:12]}… expected): {REMEDY}")


REMEDY: Final = (
    "put the file back from a copy, or materialize raw_table again, which stores anew what the table holds today"
)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, *columns: str) -> pl.DataFrame:
    return pl.read_parquet(path, columns=list(columns) or None, glob=False, hive_partitioning=False)
