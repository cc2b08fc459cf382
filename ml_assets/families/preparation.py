"""Preparation that families need between the feature plan and their estimator: filled gaps, no strays, one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from sklearn.pipeline import Pipeline


STRAY_SHARE = 0.001
"""Share of training values at either end of a column that count as strays."""

NEARNESS = 1e-3
"""What is added to distances between scaled rows, so that equal rows have a finite weight."""


def scaled(*steps: BaseEstimator) -> Pipeline:
    """Pipeline that fills gaps with the median, cuts off strays, brings columns to one scale, then runs `steps`.

    A column with gaps in training gets another one beside it that says where they are.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    imputer = SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)
    return make_pipeline(imputer, Winsorized(), StandardScaler(), *steps)


class Winsorized(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Values cut off at the quantiles where strays begin, lest a model with weights follow one out of sight."""

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Finds the quantiles of each column of `X` (n, d); returns itself."""
        values = np.asarray(X, dtype=np.float64)
        self.low_, self.high_ = np.quantile(values, [STRAY_SHARE, 1 - STRAY_SHARE], axis=0)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """`X` (n, d) within the quantiles."""
        return np.clip(np.asarray(X, dtype=np.float64), self.low_, self.high_)


class EmptyColumnsFilled(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Zeros for columns without a single value in training, for estimators that take gaps but not these."""

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Finds the empty columns of `X` (n, d); returns itself."""
        self.empty_ = np.isnan(np.asarray(X, dtype=np.float64)).all(axis=0)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """A copy of `X` (n, d) in which those columns are zero."""
        filled = np.array(X, dtype=np.float64)
        filled[:, self.empty_] = 0.0
        return filled


class InverseDistance:
    """Weights of neighbours that fall with a power of their distance; equal rows count as very near.

    Args:
        power: 0 weighs all alike.
    """

    def __init__(self, power: float = 2.0) -> None:
        self.power = power

    def __call__(self, distances: ArrayLike) -> NDArray[np.float64]:
        """Weights of the shape of `distances`."""
        return np.asarray((np.asarray(distances, dtype=np.float64) + NEARNESS) ** -self.power)


class DrawnRows(BaseEstimator):  # type: ignore[misc]
    """An estimator fitted to at most so many rows, drawn at random, each class keeping some.

    Args:
        estimator: what is fitted.
        most: rows it sees at most.
        seed: of the draw.
    """

    def __init__(self, estimator: Any = None, most: int = 1000, seed: int = 0) -> None:
        self.estimator = estimator
        self.most = most
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits a copy to some of the rows `X` (n, d) and targets `y` (n,); returns itself."""
        from sklearn.base import clone

        values, target = np.asarray(X), np.asarray(y)
        chosen = np.arange(len(values))
        if len(values) > self.most:
            order = np.random.default_rng(self.seed).permutation(len(values))
            if target.dtype.kind not in "fiu":
                _, first = np.unique(target[order], return_index=True)
                order = np.concatenate([order[first], np.delete(order, first)])
            chosen = np.sort(order[: self.most])
        self.fitted_ = clone(self.estimator).fit(values[chosen], target[chosen])
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Numbers, or the likeliest label of each row, (n,)."""
        return np.asarray(self.fitted_.predict(X))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        return np.asarray(self.fitted_.predict_proba(X))

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in sorted order."""
        labels: NDArray[Any] = self.fitted_.classes_
        return labels
