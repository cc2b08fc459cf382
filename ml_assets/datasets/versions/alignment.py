"""Which rows of a table were in an earlier one already, so that only the others are stored; that is `version_packs`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

NOWHERE: Final = -1
THREADS: Final = 2
FEW: Final = 0.05
"""Share of rows up to which those that moved or are new are looked up one by one."""
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_WINDOW_STEPS: Final = (1, 2, 4)
"""A window is eight rows: a row, then two, then four more are folded into its hash."""
_ANCHORS: Final = np.uint64(7)
"""One window of eight can be an anchor: those whose hash ends in three zero bits."""


class Rows(Protocol):
    """A table, or one that is still on disk."""

    @property
    def height(self) -> int:
        """Number of rows."""

    def __getitem__(self, name: str, /) -> pl.Series:
        """One column."""


def align(old: Rows, new: pl.DataFrame) -> NDArray[np.int64]:
    """For each row of `new` the place of an equal row in `old`, (n,); -1 where there is none. Columns are the same.

    Rows that stand where they stood are told at once; where that leaves few, as in a table that grew, those are looked
    up one by one. Otherwise stretches of rows that stayed together are found first, by windows of rows that are the
    only ones of their kind, so that a row that `old` holds often is taken from its own stretch. Hashes only propose:
    rows count as equal if their values are the same, bit for bit.
    """
    places = _standing(old, new)
    open_rows = np.flatnonzero(places == NOWHERE)
    if len(open_rows) > FEW * new.height:
        before, after = _hashes(old, new.columns), _hashes(new, new.columns)
        places = _along_stretches(before, after)
        _look_up(before, after, places)
        places[~_equal(old, new, places)] = NOWHERE
    elif len(open_rows):
        places[open_rows] = _found(old, new[open_rows])
    return places


def align_grown(old: Rows, new: pl.DataFrame) -> NDArray[np.int64]:
    """As `align`, of a table that begins with the rows of `old`."""
    rest = new.slice(old.height)
    if rest.height > FEW * new.height:
        return align(old, new)
    return np.append(np.arange(old.height), _found(old, rest))


def _standing(old: Rows, new: pl.DataFrame) -> NDArray[np.int64]:
    """The own place of each row of `new` that stands where it stood in `old`."""
    rows = min(old.height, new.height)
    same = np.ones(rows, dtype=np.bool_)
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        for equal in pool.map(lambda name: _same(new[name].head(rows), old[name].head(rows)), new.columns):
            np.logical_and(same, equal, out=same)
    places = np.full(new.height, NOWHERE, dtype=np.int64)
    places[:rows][same] = np.flatnonzero(same)
    return places


def _found(old: Rows, few: pl.DataFrame) -> NDArray[np.int64]:
    """The first place in `old` of each of a few rows, looked for among those with one of their most telling values."""
    telling = max(few.columns, key=lambda name: few[name].n_unique())
    candidates = old[telling].is_in(few[telling].unique().implode(), nulls_equal=True).arg_true().to_numpy()
    known = pl.DataFrame([old[name].gather(candidates) for name in few.columns]) if len(candidates) else few.head(0)
    found = np.full(few.height, NOWHERE, dtype=np.int64)
    _look_up(_hashes(known, few.columns), _hashes(few, few.columns), found)
    there = _equal(known, few, found)
    return np.where(there, np.append(candidates, 0)[np.where(there, found, 0)].astype(np.int64), NOWHERE)


def _hashes(table: Rows, names: Iterable[str]) -> NDArray[np.uint64]:
    """A hash a row, good within this process: Polars may hash otherwise in another version."""
    hashes = np.zeros(table.height, dtype=np.uint64)
    for values in (table[name] for name in names):
        hashes *= _ODD
        hashes += values.hash(seed=1).to_numpy()
        if values.dtype == pl.Float64:
            hashes += _bits(values)
    return hashes


def _along_stretches(before: NDArray[np.uint64], after: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Places of rows that follow, or come before, an anchor in both tables, or stand where they stood."""
    found = _unique_anchors(after).join(_unique_anchors(before), on="window", suffix="_before")
    rows, shift = (found[name].to_numpy().astype(np.int64) for name in ("row", "row_before"))
    order = np.argsort(rows)
    rows, shift = rows[order], (shift - rows)[order]
    places = np.full(len(after), NOWHERE, dtype=np.int64)
    lengths = np.diff(rows, prepend=0, append=len(after))
    for shifts in (np.append(0, shift), np.append(shift, 0)):
        _take(before, after, places, np.repeat(shifts, lengths))
    return places


def _unique_anchors(hashes: NDArray[np.uint64]) -> pl.DataFrame:
    windows = hashes.copy()
    for step in _WINDOW_STEPS:
        if len(windows) <= step:
            break
        windows = windows[:-step] * _ODD ^ (windows[step:] >> np.uint64(29)) ^ windows[step:]
    rows = np.flatnonzero(windows & _ANCHORS == 0)
    return pl.DataFrame({"window": windows[rows], "row": rows}).filter(pl.col("window").is_unique())


def _take(
    before: NDArray[np.uint64], after: NDArray[np.uint64], places: NDArray[np.int64], shifts: NDArray[np.int64]
) -> None:
    """Fills open `places` with those `shifts` further on, where the hashes agree."""
    open_rows = np.flatnonzero(places == NOWHERE)
    at = open_rows + shifts[open_rows]
    inside = (at >= 0) & (at < len(before))
    open_rows, at = open_rows[inside], at[inside]
    same = before[at] == after[open_rows]
    places[open_rows[same]] = at[same]


def _look_up(before: NDArray[np.uint64], after: NDArray[np.uint64], places: NDArray[np.int64]) -> None:
    """Fills open `places` with the first row of the same hash."""
    open_rows = np.flatnonzero(places == NOWHERE)
    wanted = pl.DataFrame({"hash": after[open_rows], "row": open_rows})
    known = pl.DataFrame({"hash": before}).with_row_index("place").join(wanted, on="hash", how="semi")
    found = wanted.join(known.unique("hash", keep="first", maintain_order=True), on="hash")
    places[found["row"].to_numpy()] = found["place"].to_numpy()


def _equal(old: Rows, new: pl.DataFrame, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each row of `new` has the values of the row of `old` at its place, bit for bit."""
    same: NDArray[np.bool_] = places != NOWHERE
    if not same.any():
        return same
    at = pl.Series(np.where(same, places, 0))
    for name in new.columns:
        np.logical_and(same, _same(new[name], old[name].gather(at)), out=same)
    return same


def _same(values: pl.Series, others: pl.Series) -> NDArray[np.bool_]:
    """Whether values are the same, bit for bit, one by one."""
    if values.dtype != pl.Float64:
        return values.eq_missing(others).to_numpy()
    same = np.empty(len(values), dtype=np.bool_)
    ends = sorted({end for side in (values, others) for end in np.cumsum([0, *side.chunk_lengths()]).tolist()})
    for start, end in pairwise(ends):  # within one chunk on either side, so that none is copied
        one, other = (_bits(side.slice(start, end - start)) for side in (values, others))
        np.equal(one, other, out=same[start:end])
    if values.null_count() or others.null_count():
        np.logical_and(same, values.is_null().to_numpy() == others.is_null().to_numpy(), out=same)
    return same


def _bits(values: pl.Series) -> NDArray[np.uint64]:
    """Floats as the words that they are, so that zero and minus zero differ and NaN is itself."""
    words: NDArray[np.uint64] = (values.fill_null(0.0) if values.null_count() else values).to_numpy().view(np.uint64)
    return words
