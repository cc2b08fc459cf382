"""Estimators of families for labels as they are, where a library's own takes only 0 … k-1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from ml_assets.families.base import Params


class FoldsOfRareClasses:
    """Stratified folds for cross-fitting, in which a class of too few rows trains everywhere.

    scikit-learn's calibration refuses a class with fewer rows than folds. Here such a class's rows are in every
    training part, beside being held out once. Without such a class the folds are scikit-learn's own.

    Args:
        folds: how many.
    """

    def __init__(self, folds: int = 3) -> None:
        self.folds = folds

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """How many folds there are."""
        return self.folds

    def split(
        self, X: ArrayLike, y: ArrayLike, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Positions of training and held-out rows of each fold, by labels `y` (n,)."""
        from sklearn.model_selection import StratifiedKFold

        _, code, count = np.unique(np.asarray(y), return_inverse=True, return_counts=True)
        is_rare = (count < self.folds)[code]
        strata = np.where(is_rare, count.argmax(), code)
        for train, held_out in StratifiedKFold(self.folds).split(np.zeros(len(code)), strata):
            yield np.union1d(train, np.flatnonzero(is_rare)), held_out


class LabelledXGBClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """XGBoost's classifier for labels as they are; its own takes only 0 … k-1.

    Args:
        params: keyword arguments of `xgboost.XGBClassifier`.
    """

    def __init__(self, params: Params | None = None) -> None:
        self.params = params

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fits to rows `X` (n, d) and labels `y` (n,), weighed by `sample_weight` (n,); returns itself."""
        from xgboost import XGBClassifier

        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self.model_ = XGBClassifier(**(self.params or {})).fit(X, codes, sample_weight=sample_weight)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        return np.asarray(self.model_.predict_proba(X), dtype=np.float64)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable label of each row, (n,)."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels
