"""Rows that are nearly the same, as groups. Which side of a split a group goes to is decided in `splitting`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from ml_assets.errors import ContractViolation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

MOST_PAIRS: Final = 100
"""Near rows that a row has on average, above which the tolerance is refused: it would tie the table into one knot."""


def near_groups(spec: DatasetSpec, table: pd.DataFrame, tolerance: float) -> NDArray[np.int64]:
    """Number of each row's group, (n,): rows that are near each other, directly or through others, share one.

    Two rows are near where no number differs by more than `tolerance` times its column's spread (between the 5th and
    the 95th percentile; of all values where these are equal), and everything else, gaps included, is equal.

    Raises:
        ContractViolation: so many rows are near each other that nothing would be left to split.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers = [name for name in spec.feature_columns if spec.columns[name].is_number]
    scaled = np.column_stack([_scaled(table[name]) for name in numbers]) if numbers else np.zeros((len(table), 1))
    pairs = []
    for members in _equal_but_for_numbers(spec, table, numbers):
        found = _pairs_within(spec, np.nan_to_num(scaled[members]), tolerance)
        pairs.append(members[found])
    edges = np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.int64)
    graph = coo_array((np.ones(len(edges), dtype=bool), (edges[:, 0], edges[:, 1])), shape=(len(table), len(table)))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, dtype=np.int64)


def _scaled(values: pd.Series) -> NDArray[np.float64]:
    """Values in spreads of their column; a column without spread is all zeros."""
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    present = numbers[np.isfinite(numbers)]
    if not len(present):
        return np.zeros(len(numbers))
    low, high = np.quantile(present, [0.05, 0.95])
    spread = high - low if high > low else np.ptp(present)
    return numbers / spread if spread > 0 else np.zeros(len(numbers))


def _equal_but_for_numbers(spec: DatasetSpec, table: pd.DataFrame, numbers: list[str]) -> list[NDArray[np.int64]]:
    """Positions of rows whose labels, texts, dates and gaps are equal, where there are two at least."""
    others = [name for name in spec.feature_columns if name not in numbers]
    keys = pd.concat([table[others].astype(object), table[numbers].isna().add_prefix("gap in ")], axis=1)
    if keys.shape[1] == 0:
        return [np.arange(len(table))]
    codes = keys.groupby(list(keys), dropna=False, sort=False).ngroup().to_numpy()
    order = np.argsort(codes, kind="stable")
    borders = np.flatnonzero(np.diff(codes[order])) + 1
    return [np.sort(part) for part in np.split(order, borders) if len(part) > 1]


def _pairs_within(spec: DatasetSpec, points: NDArray[np.float64], tolerance: float) -> NDArray[np.int64]:
    """Positions (m, 2) of points that differ by at most `tolerance`; copies are chained, not all paired."""
    from scipy.spatial import KDTree

    distinct, place = np.unique(points, axis=0, return_inverse=True)
    order = np.argsort(place, kind="stable")
    same = place[order][1:] == place[order][:-1]
    chained = np.column_stack([order[:-1][same], order[1:][same]])
    tree = KDTree(distinct)
    near = int(tree.count_neighbors(tree, tolerance, p=np.inf)) - len(distinct)
    if near > MOST_PAIRS * len(distinct):
        raise ContractViolation(
            f"{spec.name}: with `near_duplicates: {tolerance:g}` a row is near {near / len(distinct):,.0f} others on "
            "average, so that nearly all rows hang together: make it smaller"
        )
    first = np.zeros(len(distinct), dtype=np.int64)
    first[place[order[::-1]]] = order[::-1]
    return np.concatenate([chained, first[tree.query_pairs(tolerance, p=np.inf, output_type="ndarray")]])
