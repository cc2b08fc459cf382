"""Rows to learn from and rows to be asked about, drawn by a seed; who is asked is `measure`'s business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from benchmarks.quality.tables import Table

TEST_SHARE = 0.2

Duplicates = Literal["in", "apart", "none"]
"""Equal rows fall as they may, as in most published comparisons; or on one side; or the table has none."""


@dataclass(frozen=True)
class Split:
    """One draw from one table; the truth is the target of the test rows, as text for classes."""

    table: Table
    duplicates: Duplicates
    seed: int
    train: pd.DataFrame
    test: pd.DataFrame
    truth: pd.Series


def treatments(table: Table, wanted: tuple[Duplicates, ...]) -> tuple[Duplicates, ...]:
    """The treatments of duplicates that make a difference to the table."""
    return wanted if table.has_duplicates else ("none",)


def draw(table: Table, duplicates: Duplicates, seed: int) -> Split:
    """A fifth of the rows to test with, of each class alike; `apart` keeps rows of equal features on one side."""
    frame, target = table.frame, table.frame[table.target]
    groups: np.ndarray = np.arange(len(frame))
    if duplicates == "apart":
        groups = table.features.groupby(list(table.features), dropna=False, sort=False).ngroup().to_numpy()
    strata = pd.factorize(target, sort=True)[0] if table.task == "classification" else np.zeros(len(frame), dtype=int)
    tested = _tested(groups, strata, np.random.default_rng(seed))
    truth = target[tested].astype(str) if table.task == "classification" else target[tested]
    return Split(
        table,
        duplicates,
        seed,
        train=frame[~tested].reset_index(drop=True),
        test=table.features[tested].reset_index(drop=True),
        truth=truth.reset_index(drop=True),
    )


def _tested(groups: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which rows are tested: groups in random order, in the stratum of their first row, until its share is full."""
    codes, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    chosen: list[np.ndarray] = []
    for stratum in np.unique(strata[first]):
        members = rng.permutation(np.flatnonzero(strata[first] == stratum))
        share = TEST_SHARE * sizes[members].sum()
        chosen.append(codes[members[np.cumsum(sizes[members]) <= share + 1e-9]])
    return np.isin(groups, np.concatenate(chosen))
