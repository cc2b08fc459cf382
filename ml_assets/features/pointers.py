"""Where a quick model's residual points: pairs of columns that tell it together. Whether they pay is `discovery`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_PAIRS: Final = 6
NEAR: Final = 8
LIT: Final = 0.08
"""How much better neighbours in a plane must tell the residual than neighbours in the median plane do."""
BINS: Final = 16


def telling_plane(table: pd.DataFrame, residual: NDArray[np.float64], columns: Sequence[str]) -> tuple[str, str] | None:
    """The two columns whose nearest neighbours tell a row's residual best, or None where no pair stands out.

    Score of a pair: correlation of a row's residual with the mean over its neighbours in that plane. Where all planes
    score alike it is not the plane that tells, but rows that resemble each other altogether.

    Args:
        table: numbers, gaps allowed.
        residual: (n, 1) or (n, classes).
        columns: of `table` that may make a plane.
    """
    scores = {pair: _neighbour_correlation(table[list(pair)].to_numpy(), residual) for pair in combinations(columns, 2)}
    if not scores:
        return None
    best = max(scores, key=lambda pair: scores[pair])
    middle = float(np.median(list(scores.values()))) if len(scores) > 2 else 0.0
    return best if scores[best] - max(middle, 0.0) > LIT else None


def _neighbour_correlation(places: NDArray[np.float64], residual: NDArray[np.float64]) -> float:
    from scipy.spatial import cKDTree

    there = np.isfinite(places).all(axis=1)
    places, residual = places[there], residual[there]
    spread = places.std(axis=0)
    if len(places) <= NEAR or not spread.min() > 0:
        return 0.0
    if spread.max() > 2 * spread.min():
        places = places / spread
    _, nearest = cKDTree(places).query(places, k=NEAR + 1)
    around = residual[nearest[:, 1:]].mean(axis=1)
    return float(np.mean([_correlation(a, r) for a, r in zip(around.T, residual.T, strict=True)]))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if not (a.std() > 0 and b.std() > 0):
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def telling_ratios(
    table: pd.DataFrame, residual: NDArray[np.float64], columns: Sequence[str], units: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Numerators and denominators: columns of one unit, none of them negative, whose ratio tells the residual.

    At most `MOST_PAIRS`, best first; each tells more than either of its parts. Columns without a stated unit are
    taken to be of one.
    """
    amounts = [name for name in columns if table[name].min() >= 0 and table[name].max() > 0]
    alike = [(a, b) for a, b in permutations(amounts, 2) if units.get(a, "") == units.get(b, "")]

    def ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.divide(a, b, out=np.full(len(b), np.nan), where=b > 0))

    return _telling(table, residual, alike, ratio)


def telling_differences(
    table: pd.DataFrame, residual: NDArray[np.float64], columns: Sequence[str], units: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Pairs of columns of one stated unit whose difference tells the residual, as `telling_ratios` finds ratios."""
    alike = [(a, b) for a, b in combinations(columns, 2) if units.get(a) and units.get(a) == units.get(b)]
    return _telling(table, residual, alike, np.subtract)


def _telling(
    table: pd.DataFrame,
    residual: NDArray[np.float64],
    pairs: Sequence[tuple[str, str]],
    made: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> tuple[tuple[str, str], ...]:
    values = {name: table[name].to_numpy(dtype=np.float64) for name in {name for pair in pairs for name in pair}}
    alone = {name: binned_r2(column, residual) for name, column in values.items()}
    found: dict[tuple[str, str], float] = {}
    for a, b in pairs:
        gain = binned_r2(made(values[a], values[b]), residual) - max(alone[a], alone[b])
        if gain > 0:
            found[a, b] = gain
    best: dict[frozenset[str], tuple[str, str]] = {}
    for pair in sorted(found, key=lambda pair: -found[pair]):
        best.setdefault(frozenset(pair), pair)
    return tuple(best.values())[:MOST_PAIRS]


def binned_r2(values: NDArray[np.float64], residual: NDArray[np.float64]) -> float:
    """Share of the variance of `residual` (n, k) between bins of equal size of `values` (n,), less what chance gives.

    The mean over the columns of `residual`; rows without a value do not count.
    """
    there = np.isfinite(values)
    values, residual = values[there], residual[there]
    if len(values) < 4 * BINS:
        return 0.0
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    place = ranks * BINS // len(values)
    sizes = np.bincount(place, minlength=BINS)
    means = np.stack([np.bincount(place, weights=r, minlength=BINS) / sizes for r in residual.T])
    between = (sizes * (means - residual.mean(axis=0)[:, None]) ** 2).sum(axis=1) / len(values)
    total = residual.var(axis=0)
    return float(np.mean(between / np.where(total > 0, total, 1.0)) - (BINS - 1) / len(values))
