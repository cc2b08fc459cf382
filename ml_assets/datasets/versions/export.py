"""A version's table as a file that a person opens. How versions themselves are stored belongs in `version_packs`."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from ml_assets.datasets.reading.formulas import disarmed, formula_mask
from ml_assets.datasets.versions.packs import system_errors
from ml_assets.errors import SettingError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

ENDINGS: Final = (".csv", ".parquet")


def write_table(table: pl.DataFrame, file: Path) -> None:
    """Writes a table in one rename, as CSV or Parquet by the file's ending.

    In CSV a text that a spreadsheet would run instead of showing gets an apostrophe in front.

    Raises:
        SettingError: the ending is neither.
        UserError: the place cannot be written.
    """
    if file.suffix.lower() not in ENDINGS:
        raise SettingError(f"{file} ends neither in .csv nor in .parquet: give a name that does")
    write: Callable[[Path], object] = (
        harmless(table).write_csv if file.suffix.lower() == ".csv" else table.write_parquet
    )
    aside = file.with_name(f".{file.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        with system_errors():
            write(aside)
        aside.replace(file)
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror or error}): give another name") from error
    finally:
        aside.unlink(missing_ok=True)


def harmless(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with every text, and every column's name, as a spreadsheet may be given it."""
    return pl.DataFrame([_harmless(values).alias(disarmed(values.name)) for values in table.get_columns()])


def _harmless(values: pl.Series) -> pl.Series:
    if values.dtype != pl.String or not (mask := formula_mask(values)).any():
        return values
    return ("'" + values).zip_with(mask, values)
