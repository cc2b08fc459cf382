"""A file as a contract reads it: typed columns, and every cell or line that cannot be what is promised.

Bytes to columns is `formats`, columns to types `cells`. Telling how a stranger's file is written belongs in `opening`,
and putting sources together in `tables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from ml_assets.datasets.reading.cells import as_text, sentence, typed_column
from ml_assets.datasets.reading.columns import match_header
from ml_assets.datasets.reading.formats import found_table
from ml_assets.datasets.reading.opening import incoming_source
from ml_assets.datasets.reading.wording import plain, shortened
from ml_assets.errors import SourceError

if TYPE_CHECKING:
    from ml_assets.datasets.reading.cells import BadCells
    from ml_assets.datasets.reading.delimited import FoundTable
    from ml_assets.datasets.spec import DatasetSpec, SourceFile

__all__ = ["CellFault", "ReadTable", "incoming_source", "read_rows", "refuse_faults", "typed_table"]

MAX_FAULTS: Final = 100_000
SHOWN_CHARACTERS: Final = 80
SHOWN_ROWS: Final = 5


@dataclass(frozen=True)
class CellFault:
    """One cell, or line, that cannot be what the contract promises.

    Attributes:
        row: number of the data row in the file, from 1.
        column: its name in the contract; empty for a whole line.
        value: what is written there, shortened.
        rule: `number`, `integer`, `boolean`, `date`, `cells` (too few or many in a line), `cell_size`, `line_break`,
            `zero_byte` or `formula`.
        message: a sentence with the remedy.
    """

    row: int
    column: str
    value: str
    rule: str
    message: str


@dataclass(frozen=True)
class ReadTable:
    """The rows of a file as a contract reads them.

    Attributes:
        frame: the contract's columns that the file has, in file order, in the types of `raw_schema`; a bad cell is
            null. One row a data row, but for lines that are none.
        numbers: UInt32, number of each row among the data rows of the file, from 1.
        found: the same rows under the file's own names, in the types that the file has; text for delimited files.
        faults: cells and lines that cannot be what is promised, by row.
        lines: number and text of each line that is no row.
    """

    frame: pl.DataFrame
    numbers: pl.Series
    found: pl.DataFrame
    faults: tuple[CellFault, ...]
    lines: tuple[tuple[int, str], ...] = ()

    @property
    def texts(self) -> pl.DataFrame:
        """`found` as text: what the file wrote, for a text file to the letter. Made when asked for."""
        return self.found.select(as_text(column) for column in self.found)


def read_rows(
    spec: DatasetSpec,
    source: SourceFile,
    content: bytes | Path,
    *,
    require: Sequence[str],
    formulas: bool = True,
) -> ReadTable:
    """The rows of a file with `content`, written as `source` says.

    Args:
        spec: the contract.
        source: format, delimiter, encoding and so on; the origin it names is not looked at.
        content: the file's bytes, compressed or not. Of a path, a Parquet file is read without holding its bytes.
        require: contract columns that must be there.
        formulas: whether a label or text that a spreadsheet would run is a fault.

    Raises:
        SourceError: the file is no such table, or has more than 100 000 bad cells or lines.
        ContractViolation: columns are missing, extra or doubled.
    """
    names = None if source.header or source.format in ("parquet", "jsonl") else _promised(spec, source)

    def known(header: tuple[str, ...]) -> tuple[str, ...]:
        match_header(spec, header, required=require, origin=source.name)
        return header

    found = found_table(source, content, names=names, header=known, origin=source.name)
    contract = match_header(spec, found.frame.columns, required=require, origin=source.name)
    return typed_table(spec, found, contract, decimal=source.decimal, formulas=formulas, origin=source.name)


def typed_table(
    spec: DatasetSpec, found: FoundTable, names: Sequence[str], *, decimal: str, formulas: bool, origin: str
) -> ReadTable:
    """The columns of `found`, which the contract calls `names`, in the contract's types.

    Raises:
        SourceError: more than 100 000 cells or lines are bad.
    """
    columns: list[pl.Series] = []
    faults = [_ragged_fault(line.row, line.cells, len(names), line.text) for line in found.ragged]
    for name, cells in zip(names, found.frame, strict=True):
        values, bad = typed_column(spec.columns[name], cells, decimal=decimal, formulas=formulas)
        columns.append(values.alias(name))
        for broken in bad:
            faults += _cell_faults(spec, name, broken, cells, found.numbers, decimal, MAX_FAULTS + 1 - len(faults))
            if len(faults) > MAX_FAULTS:
                raise SourceError(
                    f"{origin} has more than {MAX_FAULTS} bad cells and lines; the first: row {faults[0].row}: "
                    f"{faults[0].message}"
                )
    faults.sort(key=lambda fault: fault.row)
    lines = tuple((line.row, line.text) for line in found.ragged)
    return ReadTable(pl.DataFrame(columns), found.numbers, found.frame, tuple(faults), lines)


def refuse_faults(faults: Sequence[CellFault], *, origin: str) -> None:
    """For tables in which no cell may be bad.

    Raises:
        SourceError: names the first row, column, value and remedy, and how many more there are.
    """
    if faults:
        first, rows = faults[0], sorted({fault.row for fault in faults[1:]})
        shown = ", ".join(map(str, rows[:SHOWN_ROWS])) + (" …" if len(rows) > SHOWN_ROWS else "")
        more = f"; {len(faults) - 1} more such cells ({'rows' if rows[1:] else 'row'} {shown})" if rows else ""
        raise SourceError(f"{origin}, row {first.row}: {first.message}{more}")


def _promised(spec: DatasetSpec, source: SourceFile) -> tuple[str, ...]:
    """Columns of a file without a header: the contract's, in its order, but those that have one value."""
    return tuple(name for name in spec.columns if name not in source.constants)


def _cell_faults(
    spec: DatasetSpec, name: str, bad: BadCells, cells: pl.Series, numbers: pl.Series, decimal: str, most: int
) -> list[CellFault]:
    at = bad.where.arg_true().head(most)
    texts = as_text(cells.gather(at))
    return [
        CellFault(row, name, _shown(text), bad.rule, sentence(name, spec.columns[name], bad.rule, text, decimal))
        for row, text in zip(numbers.gather(at), texts, strict=True)
    ]


def _ragged_fault(row: int, cells: int, needed: int, text: str) -> CellFault:
    what = f"{cells} cells where {needed} are needed" if cells else "the line is no JSON object"
    return CellFault(row, "", _shown(text), "cells", f"{what} ({shortened(text)}): correct the line")


def _shown(text: str) -> str:
    return plain(text[:SHOWN_CHARACTERS])
