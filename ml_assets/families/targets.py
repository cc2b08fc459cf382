"""Targets brought to a scale, or a shape, that an estimator is made for; answers come back in the target's own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

PLAIN: Final = "plain"
NORMAL: Final = "normal"
TARGETS: Final = (PLAIN, NORMAL)
RESIDUALS: Final = 50
"""Quantiles of the residuals over which an answer is averaged."""


def scaled_target(regressor: RegressorMixin, target: str = PLAIN) -> Any:
    """`regressor`, fitted to the target brought to mean 0 and variance 1, or made normal as well.

    Args:
        regressor: what is fitted.
        target: `plain` or `normal`.
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    if target == NORMAL:
        return NormalTarget(regressor)
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


class NormalTarget(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor fitted to the target made as normal as a power makes it, answering the expected target.

    The power is that of Box & Cox 1964, "An analysis of transformations", where all targets are above 0, else that of
    Yeo & Johnson 2000, "A new family of power transformations to improve normality or symmetry"; by maximum
    likelihood. Turning a mean back gives no mean, so an answer is averaged over the training residuals (Duan
    1983, "Smearing estimate: a nonparametric retransformation method"). It stays within the targets seen in training,
    beyond which the power may have no inverse.
    """

    def __init__(self, regressor: Any = None) -> None:
        self.regressor = regressor

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits a copy to rows `X` (n, d) and targets `y` (n,); returns itself."""
        from sklearn.preprocessing import PowerTransformer

        values = np.asarray(y, dtype=np.float64).reshape(-1, 1)
        is_positive = 0 < values.min() < values.max()
        self.power_ = PowerTransformer("box-cox" if is_positive else "yeo-johnson").fit(values)
        shaped = self.power_.transform(values)[:, 0]
        self.low_, self.high_ = float(shaped.min()), float(shaped.max())
        self.regressor_ = clone(self.regressor).fit(X, shaped)
        shares = (np.arange(RESIDUALS) + 0.5) / RESIDUALS
        self.residuals_ = np.quantile(shaped - np.asarray(self.regressor_.predict(X)), shares)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Expected targets (n,)."""
        shaped = np.asarray(self.regressor_.predict(X), dtype=np.float64)[:, None] + self.residuals_
        within = np.clip(shaped, self.low_, self.high_)
        back = self.power_.inverse_transform(within.reshape(-1, 1))
        return np.asarray(back.reshape(within.shape).mean(axis=1))
