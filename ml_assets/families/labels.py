"""Estimators of families for labels as they are, where a library's own takes only 0 … k-1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ml_assets.families.base import Params


class LabelledXGBClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """XGBoost's classifier for labels as they are; its own takes only 0 … k-1.

    Args:
        params: keyword arguments of `xgboost.XGBClassifier`.
    """

    def __init__(self, params: Params | None = None) -> None:
        self.params = params

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits to rows `X` (n, d) and labels `y` (n,); returns itself."""
        from xgboost import XGBClassifier

        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self.model_ = XGBClassifier(**(self.params or {})).fit(X, codes)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        return np.asarray(self.model_.predict_proba(X), dtype=np.float64)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable label of each row, (n,)."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels
