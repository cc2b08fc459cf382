"""Spearman's rank correlations of a raw table, bounded in rows and columns. Other figures belong in `profiling`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from scipy import stats

from ml_assets.datasets.profiles.document import Correlations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

MOST_CORRELATED: Final = 25
CORRELATED_ROWS: Final = 20_000


def correlations(spec: DatasetSpec, table: pl.DataFrame, *, seed: int) -> Correlations:
    """Rank correlations of at most `MOST_CORRELATED` columns over at most `CORRELATED_ROWS` rows."""
    fitting = [n for n, c in spec.columns.items() if c.is_number or c.dtype == "date"]
    ordered = sorted(fitting, key=lambda name: name != spec.target)
    names = ordered[:MOST_CORRELATED]
    rows = table
    if table.height > CORRELATED_ROWS:
        chosen = np.random.default_rng(seed).choice(table.height, CORRELATED_ROWS, replace=False)
        rows = table[np.sort(chosen)]
    numbers = [rows[name].to_physical().cast(pl.Float64).fill_null(np.nan).to_numpy() for name in names]
    matrix = np.full((len(names), len(names)), np.nan)
    for i, left in enumerate(numbers):
        for j, right in enumerate(numbers[: i + 1]):
            matrix[i, j] = matrix[j, i] = spearman(left, right)
    return Correlations(
        tuple(names),
        tuple(tuple(None if np.isnan(r) else float(r) for r in row) for row in matrix),
        rows.height,
        len(ordered) - len(names),
    )


def spearman(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Spearman's rank correlation over the rows that have both; NaN where one of them does not vary."""
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < 3:
        return float("nan")
    a, b = (stats.rankdata(values[both]) for values in (left, right))
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / spread) if spread > 0 else float("nan")
