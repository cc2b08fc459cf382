"""Estimators that depend on their random start, fitted several times and averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SEEDS_APART = 1009


class _Averaged(BaseEstimator):  # type: ignore[misc]
    """Fits of one estimator that differ in `random_state` alone.

    Where fits scatter by their start, so does their error, and the mean of a few is rid of most of it: Lakshminarayanan
    et al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles".

    Args:
        estimator: what is fitted.
        fits: how many times.
        seed: the first fit's `random_state`.
    """

    def __init__(self, estimator: Any = None, fits: int = 1, seed: int = 0) -> None:
        self.estimator = estimator
        self.fits = fits
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fits copies to rows `X` (n, d) and targets `y` (n,), weighed by `sample_weight` (n,); returns itself."""
        weighed = {} if sample_weight is None else {"sample_weight": sample_weight}
        starts = [self.seed + SEEDS_APART * at for at in range(self.fits)]
        self.fitted_ = [clone(self.estimator).set_params(random_state=start).fit(X, y, **weighed) for start in starts]
        return self


class AveragedRegressor(RegressorMixin, _Averaged):  # type: ignore[misc]
    """The mean of several fits' numbers."""

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Numbers (n,)."""
        return np.asarray(np.mean([one.predict(X) for one in self.fitted_], axis=0), dtype=np.float64)


class AveragedClassifier(ClassifierMixin, _Averaged):  # type: ignore[misc]
    """The mean of several fits' probabilities."""

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in sorted order."""
        labels: NDArray[Any] = self.fitted_[0].classes_
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        return np.asarray(np.mean([one.predict_proba(X) for one in self.fitted_], axis=0), dtype=np.float64)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable label of each row, (n,)."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels
