"""Sums and differences of columns brought to one scale, for trees that cut along one column at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

QUANTILES: Final = 1000
BINS: Final = 16


class ScorePairs(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The columns, and sum and difference of the normal scores of every two of those that tell most of the target.

    Args:
        columns: from how many columns pairs are made.
    """

    def __init__(self, columns: int = 12) -> None:
        self.columns = columns

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Chooses columns of `X` (n, d) by the share of the target's variance between their bins; returns itself."""
        from sklearn.preprocessing import QuantileTransformer

        values = _filled(X)
        targets = _numbers(y)
        told = np.array([_between_bins(column, targets) for column in values.T])
        varied = np.array([len(np.unique(column)) > 2 for column in values.T])
        ranked = [int(at) for at in np.argsort(-told, kind="stable") if varied[at]]
        self.chosen_ = np.sort(np.array(ranked[: self.columns], dtype=np.int64))
        if len(self.chosen_):
            scores = QuantileTransformer(
                n_quantiles=min(QUANTILES, len(values)), output_distribution="normal", subsample=None
            )
            self.scores_ = scores.fit(values[:, self.chosen_])
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """`X` (n, d) with gaps filled by 0, then sums and differences, (n, d + k (k - 1))."""
        values = _filled(X)
        if not len(self.chosen_):
            return values.astype(np.float32)
        scores = self.scores_.transform(values[:, self.chosen_]).astype(np.float32)
        first, second = np.triu_indices(scores.shape[1], 1)
        return np.hstack(
            [values.astype(np.float32), scores[:, first] + scores[:, second], scores[:, first] - scores[:, second]]
        )


def _filled(X: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(X, dtype=np.float64)
    return np.where(np.isnan(values), 0.0, values)


def _numbers(y: ArrayLike) -> NDArray[np.float64]:
    """Targets as columns: numbers, or one of zeros and ones a class."""
    values = np.asarray(y)
    if values.dtype.kind in "fiu":
        return values.astype(np.float64)[:, None]
    return np.asarray(values[:, None] == np.unique(values), dtype=np.float64)


def _between_bins(column: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    """Share of the targets' variance between bins of the column, averaged over the targets."""
    edges = np.unique(np.quantile(column, np.arange(1, BINS) / BINS))
    place = np.searchsorted(edges, column)
    sizes = np.maximum(np.bincount(place, minlength=len(edges) + 1), 1)
    sums = np.stack([np.bincount(place, weights=t, minlength=len(edges) + 1) for t in targets.T])
    between = (sums**2 / sizes).sum(axis=1) / len(column) - targets.mean(axis=0) ** 2
    total = targets.var(axis=0)
    return float(np.mean(between / np.where(total > 0, total, 1.0)))
