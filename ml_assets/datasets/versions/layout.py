"""Where a version's rows lie: stretches of rows of packs, in row order. The packs' files belong in `version_packs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ml_assets.datasets.versions.alignment import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MOST_PACKS: Final = 50
"""A version that would need more packs than this takes the rows of small ones into its own."""
KEPT_PACKS: Final = 10
WORTHWHILE: Final = 0.8
"""Rows are stored anew where referring to old ones costs more than this share of it."""
SEGMENT_BYTES: Final = 6
SEGMENT_TYPES: Final = pl.Schema({"pack": pl.UInt16(), "skip": pl.Int64(), "length": pl.UInt32()})


@dataclass(frozen=True)
class Pack:
    """An immutable file of rows, named by the SHA-256 of its bytes."""

    sha256: str
    rows: int
    bytes: int


@dataclass(frozen=True, eq=False)
class Layout:
    """A version's rows in order, as segments.

    Attributes:
        packs: files that hold them.
        pack: which of the packs each segment lies in, (s,).
        start: its first row there, (s,).
        length: its number of rows, (s,).
    """

    packs: tuple[Pack, ...]
    pack: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]

    @classmethod
    def of_rows(cls, packs: tuple[Pack, ...], pack: NDArray[np.int64], row: NDArray[np.int64]) -> Layout:
        """Layout of rows given one by one: number of the pack and row in it, each (n,); unused packs are left out."""
        if not len(pack):
            return cls(packs[:1], *(np.zeros(0, dtype=np.int64) for _ in range(3)))
        starts = np.flatnonzero(_begins(pack, row))
        used, numbers = np.unique(pack[starts], return_inverse=True)
        lengths = np.diff(starts, append=len(pack))
        return cls(tuple(packs[n] for n in used), numbers.astype(np.int64), row[starts], lengths)

    @classmethod
    def of_table(cls, pack: Pack) -> Layout:
        """Layout of a table that is one pack."""
        return cls((pack,), *(np.array([n] if pack.rows else [], dtype=np.int64) for n in (0, 0, pack.rows)))

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of the pack, and the row in it, of each of the version's rows, both (n,)."""
        first = np.cumsum(self.length) - self.length
        within = np.arange(self.length.sum()) - np.repeat(first, self.length)
        return np.repeat(self.pack, self.length), np.repeat(self.start, self.length) + within

    @property
    def is_whole_pack(self) -> bool:
        """Whether the version is exactly one pack, row by row."""
        return len(self.packs) == 1 and self.length.tolist() == [self.packs[0].rows] and self.start.tolist() == [0]

    def to_frame(self) -> pl.DataFrame:
        """Segments as they are stored: `skip` is how many rows of the pack lie between its last segment and this."""
        frame = pl.DataFrame({"pack": self.pack, "start": self.start, "length": self.length})
        after = (pl.col("start") + pl.col("length")).shift(fill_value=0).over("pack")
        return frame.select("pack", (pl.col("start") - after).alias("skip"), "length").cast(SEGMENT_TYPES)

    @classmethod
    def from_frame(cls, packs: tuple[Pack, ...], frame: pl.DataFrame) -> Layout:
        """The layout that `to_frame` made."""
        frame = frame.cast(pl.Int64)
        start = (pl.col("skip") + pl.col("length")).cum_sum().over("pack") - pl.col("length")
        found = frame.select("pack", start.alias("start"), "length")
        return cls(packs, *(found[name].to_numpy() for name in ("pack", "start", "length")))


def follow(base: Layout, places: NDArray[np.int64], store: Callable[[NDArray[np.bool_]], Pack]) -> Layout:
    """Layout of a table of which row i is row `places[i]` of `base`, or new where that is -1.

    Args:
        base: the earlier version.
        places: (n,).
        store: makes a pack of the rows that a mask (n,) names; called at most once.
    """
    pack, row = _reused(base, places)
    pack[_crowded(base, pack)] = NOWHERE
    if _costs_too_much(base, pack, row):
        pack[:] = NOWHERE
    fresh = pack == NOWHERE
    if not fresh.any() and len(fresh):
        return Layout.of_rows(base.packs, pack, row)
    stored = store(fresh)
    pack[fresh], row[fresh] = len(base.packs), np.arange(stored.rows)
    return Layout.of_rows((*base.packs, stored), pack, row)


def _reused(base: Layout, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    known = places != NOWHERE
    if base.is_whole_pack:
        return np.where(known, 0, NOWHERE), np.where(known, places, 0)
    pack, row = np.full(len(places), NOWHERE, dtype=np.int64), np.zeros(len(places), dtype=np.int64)
    packs, rows = base.rows()
    pack[known], row[known] = packs[places[known]], rows[places[known]]
    return pack, row


def _crowded(base: Layout, pack: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows of the packs to be given up, (n,): all but the largest, where there are too many."""
    if len(base.packs) < MOST_PACKS:
        return np.zeros(len(pack), dtype=np.bool_)
    used = np.bincount(pack[pack != NOWHERE], minlength=len(base.packs))
    if np.count_nonzero(used) < MOST_PACKS:
        return np.zeros(len(pack), dtype=np.bool_)
    return ~np.isin(pack, np.argsort(used, kind="stable")[-KEPT_PACKS:])


def _costs_too_much(base: Layout, pack: NDArray[np.int64], row: NDArray[np.int64]) -> bool:
    bytes_a_row = sum(p.bytes for p in base.packs) / max(sum(p.rows for p in base.packs), 1)
    fresh = np.count_nonzero(pack == NOWHERE)
    segments = np.count_nonzero(_begins(pack, row) & (pack != NOWHERE))
    return bool(fresh * bytes_a_row + segments * SEGMENT_BYTES > WORTHWHILE * len(pack) * bytes_a_row)


def _begins(pack: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a segment begins at each row, (n,)."""
    begins = np.ones(len(pack), dtype=np.bool_)
    begins[1:] = (np.diff(row) != 1) | (np.diff(pack) != 0)
    return begins
