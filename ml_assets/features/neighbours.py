"""What the nearest training rows in a plane of two columns say of the target. Choosing planes belongs in `planes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CHUNK_ROWS: Final = 20_000
SAME_PLACE: Final = 1e-100
"""Distance below which rows count as one place; their weights are then alike and finite."""
LOCAL_SHRINKAGE: Final = 5.0
STRAYS: Final = 3.0
MOST_COPIES: Final = 16
"""Copies of a row that are looked past in search of neighbours that are not copies."""


class NeighbourStatistics(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Statistics of the target over the training rows nearest in a plane, and what those rows are like otherwise.

    For each number of neighbours: mean, mean weighted by inverse distance, and standard deviation of their targets
    (for classes: the share of each), and the target that a ridge regression over them on the `context` columns expects
    at the row itself (Cleveland 1979, locally weighted regression); the mean of each context column over them, and how
    far the row is from it; the distances. No row sees its own target, nor that of an exact copy of itself: rows that
    are fitted get the statistics of the others (`fit_transform`).

    Args:
        plane: two columns of numbers.
        context: further columns of numbers.
        neighbours: how many, ascending.
        classes: labels in the order of their columns; empty for numbers.
        apart: whether fitted rows look past their whole fold, since rows of one group are in it.
    """

    def __init__(
        self,
        plane: tuple[str, str] = ("", ""),
        context: tuple[str, ...] = (),
        neighbours: tuple[int, ...] = (5, 20, 60),
        classes: tuple[str, ...] = (),
        apart: bool = False,
    ) -> None:
        self.plane = plane
        self.context = context
        self.neighbours = neighbours
        self.classes = classes
        self.apart = apart

    @property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """For each output column the columns it is made of, beside the target."""
        near = " & ".join(self.plane)
        targets = [f" is {label}" for label in self.classes] or [""]
        made: dict[str, tuple[str, ...]] = {}
        for k in self.neighbours:
            of = f"{k} near in {near}"
            made |= {f"target{t}, mean of {of}": self.plane for t in targets}
            made |= {f"target{t}, weighted mean of {of}": self.plane for t in targets}
            made |= {} if self.classes else {f"target, spread of {of}": self.plane}
            made |= {f"{c}, mean of {of}": (c, *self.plane) for c in self.context}
            made |= {f"{c}, beyond mean of {of}": (c, *self.plane) for c in self.context}
            if self.context and not self.classes:
                made[f"target, local fit of {of}"] = (*self.plane, *self.context)
            made[f"distance to neighbour {k} in {near}"] = self.plane
        return made

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Remembers places and targets of rows `X`; rows without a place are left out. Returns itself."""
        from scipy.spatial import cKDTree

        places = self._places(X)
        there = np.isfinite(places).all(axis=1)
        self.targets_ = self._targets(y)[there]
        context = X[list(self.context)].to_numpy(dtype=np.float64, na_value=np.nan)
        self.middle_, self.spread_ = _middle_and_spread(context)
        self.context_ = self._scaled(context)[there]
        self.tree_ = cKDTree(places[there])
        return self

    def fit_transform(self, X: pd.DataFrame, y: ArrayLike, folds: NDArray[np.int64] | None = None) -> pd.DataFrame:
        """Statistics of rows `X`, each without itself and its copies; with `apart`, without its fold (n,)."""
        self.fit(X, y)
        if self.apart and folds is not None and len(np.unique(folds)) > 1:
            return self._from_other_folds(X, np.asarray(y), folds)
        there = np.isfinite(self._places(X)).all(axis=1)
        content = np.asarray(pd.util.hash_pandas_object(X, index=False), dtype=np.uint64)
        return self._statistics(X, own=content, known=content[there])

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Statistics of new rows `X`, (n, columns of `lineage`) of float64; NaN where a row has no place."""
        check_is_fitted(self, "tree_")
        return self._statistics(X, own=None, known=None)

    def _from_other_folds(self, X: pd.DataFrame, y: NDArray[Any], folds: NDArray[np.int64]) -> pd.DataFrame:
        parts = []
        for fold in np.unique(folds):
            inside = folds == fold
            parts.append(clone(self).fit(X[~inside], y[~inside]).transform(X[inside]))
        together: pd.DataFrame = pd.concat(parts)
        return together.loc[X.index]

    def _statistics(
        self, X: pd.DataFrame, *, own: NDArray[np.uint64] | None, known: NDArray[np.uint64] | None
    ) -> pd.DataFrame:
        places = self._places(X)
        context = self._scaled(X[list(self.context)].to_numpy(dtype=np.float64, na_value=np.nan))
        found = np.full((len(X), len(self.lineage)), np.nan)
        there = np.flatnonzero(np.isfinite(places).all(axis=1))
        for start in range(0, len(there), CHUNK_ROWS) if len(self.targets_) > 1 else ():
            rows = there[start : start + CHUNK_ROWS]
            distances, neighbours = self._nearest(places[rows], None if own is None else own[rows], known)
            found[rows] = self._of_neighbours(distances, neighbours, context[rows])
        return pd.DataFrame(found, columns=list(self.lineage), index=X.index)

    def _nearest(
        self, places: NDArray[np.float64], own: NDArray[np.uint64] | None, known: NDArray[np.uint64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and positions (n, k) of the nearest rows that are no copies of the row itself."""
        most = min(self.neighbours[-1], len(self.targets_) - 1)
        if own is None or known is None:
            distances, neighbours = self.tree_.query(places, k=most)
            return distances.reshape(len(places), -1), neighbours.reshape(len(places), -1)
        distances, neighbours = self.tree_.query(places, k=min(most + MOST_COPIES, len(self.targets_)))
        copies = known[neighbours] == own[:, None]
        order = np.argsort(copies, axis=1, kind="stable")[:, :most]
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(neighbours, order, axis=1)

    def _of_neighbours(
        self, distances: NDArray[np.float64], neighbours: NDArray[np.int64], context: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        columns: list[NDArray[np.float64]] = []
        # A row's own farthest neighbour sets what counts as near, so that a row alone gets what it gets among others.
        nothing = np.maximum(distances[:, -1:] / 100, SAME_PLACE)
        for wanted in self.neighbours:
            k = min(wanted, neighbours.shape[1])
            targets = self.targets_[neighbours[:, :k]]
            weights = 1 / (distances[:, :k] + nothing)
            columns.append(targets.mean(axis=1))
            columns.append(np.einsum("nk,nkc->nc", weights, targets) / weights.sum(axis=1, keepdims=True))
            if not self.classes:
                columns.append(targets.std(axis=1))
            if self.context:
                near = self.context_[neighbours[:, :k]]
                mean = near.mean(axis=1)
                columns += [mean, context - mean]
                if not self.classes and k > len(self.context):
                    columns.append(_local_fit(near, targets[..., 0], context)[:, None])
                elif not self.classes:
                    columns.append(targets.mean(axis=1))
            columns.append(distances[:, k - 1 : k])
        return np.hstack(columns)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output columns."""
        return np.array(list(self.lineage), dtype=object)

    def _targets(self, y: ArrayLike) -> NDArray[np.float64]:
        """Targets as columns: (n, 1) numbers, or (n, k) zeros and ones."""
        if not self.classes:
            return np.asarray(y, dtype=np.float64)[:, None]
        labels = np.array(self.classes, dtype=object)
        return np.asarray(np.asarray(y, dtype=object)[:, None] == labels, dtype=np.float64)

    def _places(self, X: pd.DataFrame) -> NDArray[np.float64]:
        places = X[list(self.plane)].to_numpy(dtype=np.float64, na_value=np.nan)
        if not hasattr(self, "scale_"):
            spread = np.nanstd(np.where(np.isfinite(places), places, np.nan), axis=0)
            ratio = spread.max() / spread.min() if spread.min() > 0 else np.inf
            self.scale_ = np.ones(2) if ratio < 2 else np.where(spread > 0, spread, 1.0)
        return np.asarray(places / self.scale_)

    def _scaled(self, context: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = np.clip((context - self.middle_) / self.spread_, -STRAYS, STRAYS)
        return np.where(np.isnan(scaled), 0.0, scaled)


def _middle_and_spread(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median, and half the width of the middle two thirds, of each column; 0 and 1 where there is nothing."""
    empty = np.isnan(values).all(axis=0)
    filled = np.where(empty, 0.0, values)
    low, middle, high = np.nanquantile(filled, [0.16, 0.5, 0.84], axis=0) if values.shape[1] else np.zeros((3, 0))
    spread = (high - low) / 2
    return middle, np.where(spread > 0, spread, 1.0)


def _local_fit(near: NDArray[np.float64], targets: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ridge regression over each row's neighbours (n, k, d), evaluated at the row, (n,)."""
    middle, mean = near.mean(axis=1, keepdims=True), targets.mean(axis=1, keepdims=True)
    centred = near - middle
    gram = np.einsum("nki,nkj->nij", centred, centred) + LOCAL_SHRINKAGE * np.eye(near.shape[2])
    moment = np.einsum("nki,nk->ni", centred, targets - mean)
    slope = np.linalg.solve(gram, moment[..., None])[..., 0]
    return np.asarray(mean[:, 0] + np.einsum("ni,ni->n", at - middle[:, 0], slope))
