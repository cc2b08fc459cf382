"""XGBoost's gradient-boosted trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class XGBoost(Family):
    """Regularized trees fitted one after another to what is still wrong."""

    title = "XGBoost"
    first_seconds = 0.5
    growth = 0.4

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """A solid setting for tables of this size."""
        big = shape.rows > 1000
        return {
            "learning_rate": 0.08,
            "n_estimators": 300 if big else 100,
            "max_depth": 7 if big else 3,
            "min_child_weight": 4.0 if big else 1.0,
            "subsample": 0.8,
            "colsample_bytree": 0.8,
            "reg_lambda": 1.0,
        }

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; then more, shallower and more restrained trees; then deep ones, where rows are many enough."""
        big = shape.rows > 1000
        slow = {
            "learning_rate": 0.04,
            "n_estimators": 600 if big else 300,
            "max_depth": 6 if big else 2,
            "min_child_weight": 8.0 if big else 2.0,
            "subsample": 0.7,
            "colsample_bytree": 0.5,
            "reg_lambda": 5.0,
        }
        deep = {
            "learning_rate": 0.04,
            "n_estimators": 500,
            "max_depth": 10,
            "min_child_weight": 6.0,
            "subsample": 0.8,
            "colsample_bytree": 0.5,
            "reg_lambda": 2.0,
        }
        return (self.defaults(shape), slow, deep) if big else (self.defaults(shape), slow)

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Learning rate and length together, depth, sampling, shrinkage."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "n_estimators": trial.suggest_int("n_estimators", 50, 800, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 10),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 30.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 20.0, log=True),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """XGBoost on histograms; gaps take a learned side."""
        from xgboost import XGBRegressor

        from ml_assets.families.labels import LabelledXGBClassifier

        settings = {**params, "tree_method": "hist", "n_jobs": 1, "random_state": seed, "verbosity": 0}
        return LabelledXGBClassifier(settings) if shape.is_classification else XGBRegressor(**settings)


FAMILY = XGBoost()
