"""What the contract says of the rows of one incoming file: which are good, which are refused and why. Touches no disk.

Reading the file is `reading`'s part, what then happens with the rows `intake`'s.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from ml_assets.datasets.incoming.batches import Kind
from ml_assets.datasets.raw import polars_type
from ml_assets.datasets.reading.rows import ReadTable, read_rows
from ml_assets.datasets.reading.wording import plain, shortened
from ml_assets.datasets.spec import DatasetSpec, SourceFile
from ml_assets.errors import SourceError
from ml_assets.validation.quarantine import Reason, RefusedRows
from ml_assets.validation.row_rules import BadCell, bad_rows

REPEAT: Final = "repeat"
_NUMBER: Final = "row number"


@dataclass(frozen=True)
class Screened:
    """The rows of one file, told apart.

    Attributes:
        kind: what kind of batch they make.
        rows: data rows in the file.
        good: those to take, with the contract's columns that the file has, in contract order.
        bad: those refused.
        reasons: why, by row.
    """

    kind: Kind
    rows: int
    good: pl.DataFrame
    bad: RefusedRows
    reasons: tuple[Reason, ...]

    def refuses_file(self, spec: DatasetSpec) -> str | None:
        """Why the contract's policy refuses the whole file, or None."""
        count, policy = len(self.bad.cells), spec.incoming
        if not count:
            return None
        told = f"{count} of {self.rows} rows break{'s' if count == 1 else ''} the contract"
        if policy.policy == "file":
            return f"{told}, and by the contract's policy one is enough to refuse the file"
        share = count / self.rows
        if share >= policy.largest_bad_share or not self.good.height:
            return f"{told}, and from {policy.largest_bad_share:.0%} on the whole file is refused"
        return None


def read_handed_in(spec: DatasetSpec, source: SourceFile, content: bytes) -> ReadTable:
    """The rows of a file; late labels need the key and the target, others every column but a label that comes later.

    Raises:
        SourceError: the file is no table, or has no row.
        ContractViolation: its columns are not those of the contract.
    """
    if not spec.key:
        return read_rows(spec, source, content, require=tuple(spec.columns))
    needed = tuple(name for name in spec.columns if name != spec.target or name in spec.key)
    read = read_rows(spec, source, content, require=spec.key)
    if kind_of(spec, read) == "labels" or set(needed) <= set(read.frame.columns):
        return read
    return read_rows(spec, source, content, require=needed)


def kind_of(spec: DatasetSpec, read: ReadTable) -> Kind:
    """`labels` where a file has the key and the target and nothing else, while the contract has more; else `rows`."""
    late = bool(spec.key) and spec.target not in spec.key
    return "labels" if late and set(read.frame.columns) == {*spec.key, spec.target} < set(spec.columns) else "rows"


def screen(spec: DatasetSpec, source: SourceFile, read: ReadTable, *, table: Callable[[], pl.DataFrame]) -> Screened:
    """The rows of a file, told apart.

    Args:
        spec: the contract.
        source: how the file was read.
        read: its rows.
        table: gives the raw table as it is, where the file holds late labels.

    Raises:
        SourceError: there is no row.
    """
    kind = kind_of(spec, read)
    reasons = [*_faults(read), *_broken_rules(spec, read)]
    if kind == "labels":
        known = {(reason.row, reason.column) for reason in reasons}
        reasons += [r for r in _late_labels(spec, read, table()) if (r.row, r.column) not in known]
    refused = sorted({reason.row for reason in reasons if reason.row is not None})
    total = read.frame.height + len(read.lines)
    if not total:
        raise SourceError(f"{source.name} has a header and no rows: add at least one")
    keep = ~read.numbers.is_in(pl.Series(refused, dtype=pl.UInt32).implode())
    return Screened(
        kind=kind,
        rows=total,
        good=_in_contract_order(spec, read.frame.filter(keep), kind),
        bad=_refused_rows(source, read, refused),
        reasons=tuple(sorted(reasons, key=lambda reason: reason.row or 0)),
    )


def _in_contract_order(spec: DatasetSpec, rows: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    if kind == "rows" and spec.target not in rows.columns:
        rows = rows.with_columns(pl.lit(None, polars_type(spec.columns[spec.target])).alias(spec.target))
    return rows.select(name for name in spec.columns if name in rows.columns)


def _faults(read: ReadTable) -> list[Reason]:
    return [Reason(fault.row, fault.column, fault.value, fault.rule, fault.message) for fault in read.faults]


def _broken_rules(spec: DatasetSpec, read: ReadTable) -> list[Reason]:
    """Rules that cells break which could be read; a repeat counts only against rows that are good otherwise."""
    unread = {(fault.row, fault.column) for fault in read.faults}
    broken = bad_rows(spec, read.frame)
    numbers = read.numbers
    if unread and any(bad.rule == REPEAT for bad in broken):
        readable = ~numbers.is_in(pl.Series([row for row, _ in unread], dtype=pl.UInt32).unique().implode())
        places = readable.arg_true()
        again = [bad for bad in bad_rows(spec, read.frame.filter(readable)) if bad.rule == REPEAT]
        broken = [bad for bad in broken if bad.rule != REPEAT]
        broken += [replace(bad, position=int(places[bad.position])) for bad in again]
    reasons = (_reason(int(numbers[bad.position]), bad) for bad in broken)
    return [reason for reason in reasons if (reason.row, reason.column) not in unread]


def _reason(row: int, bad: BadCell) -> Reason:
    value = plain(bad.value)
    holds = f" holds {shortened(bad.value)}" if bad.value else ""
    return Reason(row, bad.column, value, bad.rule, f"column '{plain(bad.column)}'{holds}: {bad.message}")


def _late_labels(spec: DatasetSpec, read: ReadTable, table: pl.DataFrame) -> list[Reason]:
    """Rows whose key is not in the table, or that have no label."""
    rows = read.frame.with_columns(read.numbers.alias(_NUMBER))
    named = rows.drop_nulls(spec.key)
    unknown = named.join(table.select(spec.key).unique(), on=spec.key, how="anti")
    keys = unknown.select(pl.concat_str(pl.col(spec.key).cast(pl.String), separator=", ")).to_series()
    columns = ", ".join(f"'{name}'" for name in spec.key)
    message = "no row of the table has the key {} of {}: hand in the row first, or correct the key"
    reasons = [
        Reason(int(number), ", ".join(spec.key), plain(key), "unknown_key", message.format(f"'{plain(key)}'", columns))
        for number, key in zip(unknown[_NUMBER], keys, strict=True)
    ]
    unnamed = rows.filter(pl.col(spec.target).is_null())[_NUMBER]
    missing = f"column '{spec.target}' is empty, and this file is about nothing else: fill it in"
    return reasons + [Reason(int(number), spec.target, "", "label", missing) for number in unnamed]


def _refused_rows(source: SourceFile, read: ReadTable, refused: Sequence[int]) -> RefusedRows:
    delimiter = source.delimiter if source.format == "csv" and len(source.delimiter) == 1 else ","
    wanted = read.numbers.is_in(pl.Series(refused, dtype=pl.UInt32).implode())
    texts = replace(read, found=read.found.filter(wanted)).texts
    cells: dict[int, Sequence[str | None]] = dict(zip(read.numbers.filter(wanted), texts.iter_rows(), strict=True))
    cells |= {number: _cells(text, delimiter) for number, text in read.lines}
    return RefusedRows(texts.columns, [cells[number] for number in refused], delimiter)


def _cells(line: str, delimiter: str) -> Sequence[str]:
    """Cells of a line that is no row."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return [line]
