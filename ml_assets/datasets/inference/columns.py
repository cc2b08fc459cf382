"""What one column holds, and what a contract may promise of it: its type, its limits, its gaps.

Telling the type belongs in `inference_kinds`, columns beside each other in `inference_roles`, the target in
`inference_task`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import polars as pl

from ml_assets.datasets.inference.kinds import Kind, kind_of
from ml_assets.datasets.inference.labels import counted
from ml_assets.datasets.inference.ranges import NATURAL_LIMITS, roomy_period, roomy_range, roomy_share
from ml_assets.datasets.reading.cells import as_text, sentence, typed_column
from ml_assets.datasets.spec import Column
from ml_assets.errors import SourceError

CAPPED_SHARE: Final = 0.002
CAPPED_DISTINCT: Final = 50
CAPPED_FACTOR: Final = 5
FEWEST_CODES: Final = 2

_NINES: Final = re.compile(r"-?9{2,}")


@dataclass(frozen=True)
class ColumnGuess:
    """A guess at one column.

    Attributes:
        column: what a contract promises of it.
        values: its values in the type of `polars_type`.
        comments: sentences: what was seen, why this guess, how to change it.
        notes: what a person should look at.
    """

    column: Column
    values: pl.Series
    comments: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def distinct(self) -> int:
        """Different values, gaps not counted."""
        return self.values.drop_nulls().n_unique()

    def ignoring(self, reason: str, comment: str) -> ColumnGuess:
        """The same guess with a column that is no feature; which labels it has does not matter then."""
        listed = self.column.allowed is not None
        column = self.column.model_copy(update={"ignored": reason} | ({"allowed": None} if listed else {}))
        comments = self.comments[:1] if listed else self.comments
        return replace(self, column=column, comments=(*comments, comment))


def guess_column(cells: pl.Series, *, decimal: str, origin: str) -> ColumnGuess:
    """What the column `cells` of a file holds.

    Args:
        cells: texts, numbers, booleans or dates, named as in the file; null where a cell is empty.
        decimal: mark of numbers in texts.
        origin: the file, for messages.

    Raises:
        SourceError: a cell is infinite, too large, or no text at all; names the row.
    """
    if cells.dtype == pl.String:
        cells = cells.set(cells.str.strip_chars() == "", None)
    elif cells.dtype.is_float():
        cells = cells.fill_nan(None)
    if cells.null_count() == len(cells):
        nothing = Column(dtype="category", missing_share=1.0, ignored="no value in any row")
        return ColumnGuess(nothing, cells.cast(pl.String), ("Empty in every row.",))
    return _typed(kind_of(cells, decimal=decimal, origin=origin), cells, decimal=decimal, origin=origin)


def as_labels(cells: pl.Series, guess: ColumnGuess, *, origin: str) -> ColumnGuess:
    """The column as labels, all of them allowed: what the target of a classification is."""
    texts = as_text(cells).str.strip_chars()
    gaps = texts.filter(guess.values.is_null()).drop_nulls().unique()
    column = Column(dtype="category", missing_texts=tuple(sorted(gaps.filter(gaps != ""))))
    read = _typed(Kind(column), cells, decimal=".", origin=origin)
    update = {"allowed": in_order(read.values.drop_nulls().unique().to_list())}
    return replace(read, column=read.column.model_copy(update=update), notes=guess.notes)


def in_order(labels: list[str]) -> tuple[str, ...]:
    """Labels by their number if all are numbers, else by the alphabet."""
    try:
        return tuple(sorted(labels, key=lambda label: (float(label), label)))
    except ValueError:
        return tuple(sorted(labels))


def number_text(value: Any) -> str:
    """A number with as many digits as are of use in a sentence."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _typed(kind: Kind, cells: pl.Series, *, decimal: str, origin: str) -> ColumnGuess:
    """The guess with the values read by it, and what these say."""
    values, bad = typed_column(kind.column, cells, decimal=decimal)
    if bad:
        row = int(bad[0].where.arg_true()[0])
        told = sentence(cells.name, kind.column, bad[0].rule, as_text(cells.slice(row, 1))[0], decimal)
        raise SourceError(f"{origin}, row {row + 1}: {told}")
    update, comments = _limits(kind.column, values.drop_nulls())
    notes: tuple[str, ...] = ()
    if kind.column.dtype in ("float", "integer"):
        present = values.drop_nulls()
        notes = (*_codes(present, textual=cells.dtype == pl.String), *_capped(present))
    if missing := values.null_count():
        update["missing_share"] = roomy_share(missing / len(values))
        comments = (*comments, f"{missing} of {counted(len(values), 'row')} have no value.")
    column = kind.column.model_copy(update=update)
    return ColumnGuess(column, values, (*kind.comments, *comments, *map(_sentence, notes)), (*kind.notes, *notes))


def _limits(column: Column, present: pl.Series) -> tuple[dict[str, object], tuple[str, ...]]:
    """What the values add to the contract of a column, and why."""
    if present.is_empty():
        return {}, ()
    first: Any = present.min()
    last: Any = present.max()
    if column.dtype in ("float", "integer"):
        limits = roomy_range(present, whole=column.dtype == "integer")
        told = f"{number_text(first)} … {number_text(last)} seen; range: {limits.reason}."
        return {"unit": "", "range": (limits.low, limits.high)}, (told,)
    if column.dtype == "date":
        told = f"{first} … {last} seen; period: room before and after.".replace(" 00:00:00", "")
        return {"period": roomy_period(first, last)}, (told,)
    return {}, ()


def _codes(present: pl.Series, *, textual: bool) -> tuple[str, ...]:
    """A sentence on a number far from all others that looks like a code for a missing value."""
    known = present.unique().sort()
    if len(known) < 4:
        return ()
    ends = [(known[0], known[1], known[-1]), (known[-1], known[-2], known[0])]
    found = [end for end, near, far in ends if _is_code(float(end), float(near), float(far))]
    counts = {value: int((present == value).sum()) for value in found}
    remedy = "missing_texts: [{}], and a missing_share" if textual else "leave those cells empty"
    return tuple(
        f"{number_text(value)} ({counted(count, 'row')}) is far from all else: if it stands for a missing value, "
        + remedy.format(f'"{number_text(value)}"')
        for value, count in counts.items()
        if count >= FEWEST_CODES
    )


def _is_code(end: float, near: float, far: float) -> bool:
    """Whether a number at an end is -1 below numbers that are not negative, or nines beyond all others."""
    if end == -1:
        return near >= 0 and far > 1
    nines = end.is_integer() and _NINES.fullmatch(str(int(end))) is not None
    return nines and abs(end - near) > abs(near - far)


def _capped(present: pl.Series) -> tuple[str, ...]:
    """A sentence on a largest number that far too many rows have."""
    counts = present.alias("value").value_counts().sort("count", descending=True)
    largest = present.max()
    if counts.height < CAPPED_DISTINCT or counts["value"][0] != largest or largest in NATURAL_LIMITS:
        return ()
    first, second = int(counts["count"][0]), int(counts["count"][1])
    if first < CAPPED_FACTOR * second or first < CAPPED_SHARE * len(present):
        return ()
    told = number_text(largest)
    return (f"{first} rows have the largest number, {told}: if it means that or more, capped_at: {told}",)


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."
