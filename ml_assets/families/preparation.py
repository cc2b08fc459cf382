"""Preparation that several families need between the feature plan and their estimator: filled gaps, one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.pipeline import Pipeline


def scaled(*steps: BaseEstimator) -> Pipeline:
    """Pipeline that fills gaps with the median, brings every column to mean 0 and variance 1, then runs `steps`."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), *steps)


def scaled_target(regressor: RegressorMixin) -> Any:
    """`regressor`, fitted to the target brought to mean 0 and variance 1, predicting in the target's own unit."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(regressor, transformer=StandardScaler())
