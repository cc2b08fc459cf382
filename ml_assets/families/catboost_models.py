"""CatBoost's estimators as this project needs them: the same bytes for the same fit, an answer without any feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ml_assets.families.base import Params

STAMPS = ("train_finish_time", "model_guid")
"""What CatBoost writes into a model that differs from fit to fit."""


class _CatBoost(BaseEstimator):  # type: ignore[misc]
    """One of CatBoost's estimators; where no column varies, which CatBoost refuses, what the target alone says.

    Args:
        params: keyword arguments of CatBoost's own estimator.
    """

    def __init__(self, params: Params | None = None) -> None:
        self.params = params

    def _fitted(self, trees: type, constant: Any, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Any:
        values = np.asarray(X, dtype=np.float64)
        varies = (values != values[:1]) & ~(np.isnan(values) & np.isnan(values[:1]))
        if not varies.any():
            return constant.fit(values, y, sample_weight=sample_weight)
        made = trees(**(self.params or {})).fit(values, y, sample_weight=sample_weight)
        written = made.get_metadata()
        for stamp in STAMPS:
            del written[stamp]
        return made


class CatBoostOfNumbers(RegressorMixin, _CatBoost):  # type: ignore[misc]
    """CatBoost's regressor."""

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fits to rows `X` (n, d) and numbers `y` (n,), weighed by `sample_weight` (n,); returns itself."""
        from catboost import CatBoostRegressor
        from sklearn.dummy import DummyRegressor

        self.model_ = self._fitted(CatBoostRegressor, DummyRegressor(), X, y, sample_weight)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Numbers (n,)."""
        return np.asarray(self.model_.predict(np.asarray(X, dtype=np.float64)), dtype=np.float64)


class CatBoostOfLabels(ClassifierMixin, _CatBoost):  # type: ignore[misc]
    """CatBoost's classifier, which answers labels of any kind in one dimension."""

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fits to rows `X` (n, d) and labels `y` (n,), weighed by `sample_weight` (n,); returns itself."""
        from catboost import CatBoostClassifier
        from sklearn.dummy import DummyClassifier

        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self.model_ = self._fitted(CatBoostClassifier, DummyClassifier(strategy="prior"), X, codes, sample_weight)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        return np.asarray(self.model_.predict_proba(np.asarray(X, dtype=np.float64)), dtype=np.float64)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable label of each row, (n,)."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels
