"""Text to typed columns as a contract names them: headers, numbers, labels, gaps. Files are `delimited`."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ml_assets.datasets.delimited import shortened
from ml_assets.errors import ContractViolation, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ml_assets.datasets.spec import Column, DatasetSpec

MISSING_NUMBERS: Final = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""Texts that stand for a missing number. A label is missing only where the cell is empty: 'NA' is a label."""

LARGEST_INTEGER: Final = 2.0**53
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)


def accepted_names(spec: DatasetSpec) -> dict[str, str]:
    """Contract column by each name a header may give it: its own, or that of the source file."""
    names = {c.source_name: n for n, c in spec.columns.items() if c.source_name}
    return {**names, **{n: n for n in spec.columns}}


def match_header(spec: DatasetSpec, header: Sequence[str], *, required: Iterable[str], origin: str) -> tuple[str, ...]:
    """The contract's name of each column of `header`, in file order.

    Raises:
        SourceError: the first line is data and no header.
        ContractViolation: columns are missing, extra or doubled; offers the nearest name of each.
    """
    accepted = accepted_names(spec)
    missing_needed = [name for name in spec.columns if name in set(required)]
    if not set(header) & set(accepted) and any(NUMBER.fullmatch(cell) for cell in header):
        raise SourceError(
            f"{origin}: the first line looks like data: put a header above it: {','.join(missing_needed)}"
        )
    found = [accepted[cell] for cell in header if cell in accepted]
    extra = [cell for cell in header if cell not in accepted]
    missing = [name for name in missing_needed if name not in found]
    faults = [f"column '{name}' is there twice" for name in dict.fromkeys(found) if found.count(name) > 1]
    for name in missing:
        near = _nearest(spec, name, extra)
        if near is not None:
            extra.remove(near)
        faults.append(f"column '{name}' is missing" + (f" (rename {shortened(near)}?)" if near is not None else ""))
    faults += [_extra_fault(spec, cell) for cell in dict.fromkeys(extra)]
    if faults:
        raise ContractViolation(f"{spec.name}: {origin}: {'; '.join(faults)}; {_header_remedy(missing, extra)}")
    return tuple(found)


def typed(name: str, column: Column, cells: Any, *, origin: str) -> pd.Series:
    """`cells`, an Arrow array of text, as float64, int64 or object, as the contract says.

    An integer column in which the contract allows missing values, or which has some, comes back as float64; a
    missing number is NaN, a missing label None.

    Raises:
        SourceError: text in a number, or a fraction in an integer; names row, column and value.
    """
    trimmed = pc.utf8_trim_whitespace(cells)
    if not column.is_number:
        labels = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        return pd.Series(labels.to_numpy(zero_copy_only=False), name=name, dtype=object)
    absent = pc.is_in(trimmed, value_set=pa.array(MISSING_NUMBERS))
    present = pc.if_else(absent, pa.scalar(None, pa.string()), trimmed)
    try:
        numbers = pc.cast(present, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise _no_number(name, present.to_pylist(), origin) from error
    values = pd.Series(np.asarray(numbers, dtype=np.float64), name=name)
    return _whole(column, values, cells, origin) if column.dtype == "integer" else values


def conform(spec: DatasetSpec, frame: pd.DataFrame, *, origin: str) -> pd.DataFrame:
    """The contract's columns of `frame`, in contract order, with the dtypes that `typed` gives.

    Raises:
        ContractViolation: a column is missing, or one of numbers holds something else.
    """
    match_header(spec, [str(c) for c in frame.columns if c in spec.columns], required=spec.columns, origin=origin)
    return pd.DataFrame({n: _cast(spec, n, frame[n], origin) for n in spec.columns}, index=frame.index)


def _cast(spec: DatasetSpec, name: str, values: pd.Series, origin: str) -> pd.Series:
    column = spec.columns[name]
    if not column.is_number:
        labels = values.astype(object)
        return labels.where(labels.notna(), None)
    try:
        numbers = values.astype("float64")
    except (TypeError, ValueError) as error:
        raise ContractViolation(
            f"{spec.name}: {origin}: column '{name}' holds something that is no number: {error}"
        ) from error
    return integers(column, numbers) if column.dtype == "integer" else numbers


def integers(column: Column, numbers: pd.Series) -> pd.Series:
    """`numbers` as int64 where all are whole, none is missing and the contract lets none be missing."""
    usable = np.isfinite(numbers) & (numbers.abs() <= LARGEST_INTEGER) & (numbers == np.floor(numbers))
    return numbers.astype("int64") if column.missing_share == 0 and bool(usable.all()) else numbers


def _whole(column: Column, numbers: pd.Series, cells: Any, origin: str) -> pd.Series:
    fraction = numbers.notna() & np.isfinite(numbers) & (numbers != np.floor(numbers))
    wrong = (fraction | (numbers.abs() > LARGEST_INTEGER) & np.isfinite(numbers)).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise SourceError(
            f"{origin}, row {row + 1}: column '{numbers.name}' holds {shortened(cells[row].as_py())}, "
            "and whole numbers are needed: correct the cell"
        )
    return integers(column, numbers)


def _no_number(name: str, texts: Sequence[str | None], origin: str) -> SourceError:
    bad = [row for row, text in enumerate(texts) if text is not None and not NUMBER.fullmatch(text)]
    if not bad:
        return SourceError(f"{origin}: column '{name}' holds something that is no number")
    text = str(texts[bad[0]])
    hint = (
        "write it with a decimal point"
        if NUMBER.fullmatch(text.replace(",", "."))
        else "correct the cell, or leave it empty"
    )
    more = f" ({len(bad) - 1} more such rows)" if len(bad) > 1 else ""
    return SourceError(
        f"{origin}, row {bad[0] + 1}: column '{name}' holds {shortened(text)}, and a number is needed{more}: {hint}"
    )


def _nearest(spec: DatasetSpec, name: str, extra: Sequence[str]) -> str | None:
    targets = [name, spec.columns[name].source_name or name]
    by_key = {_plain(cell): cell for cell in extra}
    for target in targets:
        close = difflib.get_close_matches(_plain(target), list(by_key), n=1, cutoff=0.7)
        if close:
            return by_key[close[0]]
    return None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()[:200]


def _extra_fault(spec: DatasetSpec, cell: str) -> str:
    by_key = {_plain(n): n for n in accepted_names(spec)}
    close = difflib.get_close_matches(_plain(cell), list(by_key), n=1, cutoff=0.7)
    nearest = f" (nearest: '{by_key[close[0]]}')" if close else ""
    return f"column {shortened(cell)} is not in the contract{nearest}"


def _header_remedy(missing: Sequence[str], extra: Sequence[str]) -> str:
    if missing and extra:
        return "correct the header line"
    if missing:
        return "add or rename the columns"
    return "remove the columns" if extra else "keep one of each"
