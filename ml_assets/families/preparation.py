"""Preparation that families need between the feature plan and their estimator: filled gaps, no strays, one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from sklearn.base import RegressorMixin
    from sklearn.pipeline import Pipeline


STRAY_SHARE = 0.001
"""Share of training values at either end of a column that count as strays."""


def scaled(*steps: BaseEstimator) -> Pipeline:
    """Pipeline that fills gaps with the median, cuts off strays, brings columns to one scale, then runs `steps`.

    A column with gaps in training gets another one beside it that says where they are.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    imputer = SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)
    return make_pipeline(imputer, Winsorized(), StandardScaler(), *steps)


def scaled_target(regressor: RegressorMixin) -> Any:
    """`regressor`, fitted to the target brought to mean 0 and variance 1, predicting in the target's own unit."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


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
