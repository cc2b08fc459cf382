"""How two tables differ: rows added, removed and changed, and each column's figures. Keeping tables is `versions`.

A batch is where a row came from, not what it says: rows that differ in nothing else are the same row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from ml_assets.datasets.identity import BATCH
from ml_assets.datasets.raw import row_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TOP_LABELS: Final = 3
_PLACE: Final = "position"
_OTHER_PLACE: Final = "row_id"


@dataclass(frozen=True)
class ChangeCounts:
    """How many rows differ."""

    added: int
    removed: int
    changed: int


@dataclass(frozen=True, eq=False)
class TableDifference:
    """What is in one of two tables and not in the other.

    Attributes:
        key: columns that name a row; empty where there are none, and then no row counts as changed.
        added: rows of the new table that the old one does not have, in order.
        removed: rows of the old table that the new one does not have.
        before: rows of the old table whose key is in both with other values.
        after: the same rows, in the same order, as the new table has them.
        columns_added: columns that only the new table has.
        columns_removed: columns that only the old table has.
        columns_retyped: columns of another type in each; like those of one table alone they are not compared.
    """

    key: tuple[str, ...]
    added: pl.DataFrame
    removed: pl.DataFrame
    before: pl.DataFrame
    after: pl.DataFrame
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_retyped: tuple[str, ...]

    @property
    def counts(self) -> ChangeCounts:
        """How many rows differ."""
        return ChangeCounts(self.added.height, self.removed.height, self.after.height)

    def changed_cells(self) -> Iterator[tuple[dict[str, Any], dict[str, tuple[Any, Any]]]]:
        """For each changed row its key, and by column the value before and after."""
        compared = [n for n in self.after.columns if n in self.before.columns and n not in (*self.key, BATCH)]
        compared = [name for name in compared if name not in self.columns_retyped]
        for old, new in zip(self.before.iter_rows(named=True), self.after.iter_rows(named=True), strict=True):
            cells = {name: (old[name], new[name]) for name in compared if old[name] != new[name]}
            yield {name: new[name] for name in self.key}, cells


def difference(old: pl.DataFrame, new: pl.DataFrame, *, key: tuple[str, ...]) -> TableDifference:
    """What tells two tables apart, over the columns that both have in one type; order and batch do not count.

    Of several equal rows each counts. A row of the one table and a row of the other are one changed row if they have
    the same key and no other row of either table has it; where `key` is empty, or one of its columns is not in both
    tables, a changed row is one removed and one added.

    Args:
        old: a raw table.
        new: a raw table, perhaps of another contract.
        key: columns that name a row.
    """
    common = [name for name in new.columns if name in old.columns and name != BATCH]
    alike = [name for name in common if old[name].dtype == new[name].dtype]
    gone, come = _only_in_one(old, new, alike)
    usable = key if set(key) <= set(alike) else ()
    removed, added = old.filter(gone), new.filter(come)
    left, right = _pairs(removed, added, usable) if usable else (np.zeros(0, dtype=np.int64),) * 2
    return TableDifference(
        key=usable,
        added=added.filter(_without(added.height, right)),
        removed=removed.filter(_without(removed.height, left)),
        before=removed[left],
        after=added[right],
        columns_added=tuple(n for n in new.columns if n not in old.columns),
        columns_removed=tuple(n for n in old.columns if n not in new.columns),
        columns_retyped=tuple(n for n in common if n not in alike),
    )


def _only_in_one(old: pl.DataFrame, new: pl.DataFrame, columns: list[str]) -> tuple[pl.Series, pl.Series]:
    """Rows of each that the other does not have, as masks; all of them, where there are no columns to compare."""
    if not columns:
        return pl.Series(np.ones(old.height, dtype=np.bool_)), pl.Series(np.ones(new.height, dtype=np.bool_))
    before, after = pl.Series(row_ids(old.select(columns))), pl.Series(row_ids(new.select(columns)))
    return ~before.is_in(after.implode()), ~after.is_in(before.implode())


def _pairs(
    removed: pl.DataFrame, added: pl.DataFrame, key: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the rows that have the same key in both and are the only ones of it in each."""
    left, right = _keyed(removed, key, _OTHER_PLACE), _keyed(added, key, _PLACE)
    found = right.join(left, on=list(key), how="inner", maintain_order="left")
    return found[_OTHER_PLACE].to_numpy().astype(np.int64), found[_PLACE].to_numpy().astype(np.int64)


def _keyed(rows: pl.DataFrame, key: tuple[str, ...], place: str) -> pl.DataFrame:
    return rows.select(*key).with_row_index(place).drop_nulls(list(key)).unique(list(key), keep="none")


def _without(height: int, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    kept = np.ones(height, dtype=np.bool_)
    kept[places] = False
    return kept


def column_figures(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Figures by column; a figure of no values is None.

    All have `missing` and `distinct`; numbers `mean`, `std`, `min` and `max`, dates the last two of these; texts and
    booleans `top`, the most frequent labels with their rows.
    """
    return {values.name: _figures(values) for values in table.get_columns()}


def _figures(values: pl.Series) -> dict[str, Any]:
    present = values.drop_nulls()
    found: dict[str, Any] = {"missing": values.null_count(), "distinct": present.n_unique()}
    if present.dtype in (pl.String, pl.Boolean):
        counted = present.cast(pl.String).alias("label").value_counts()
        top = counted.sort(["count", "label"], descending=[True, False]).head(TOP_LABELS)
        return {**found, "top": dict(top.iter_rows())}
    if present.dtype.is_numeric():
        found |= {"mean": present.mean(), "std": present.std()}
    return {**found, "min": present.min(), "max": present.max()}
