"""scikit-learn's gradient boosting on binned columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class HistGradientBoosting(Family):
    """Trees fitted one after another to what is still wrong."""

    title = "Histogram gradient boosting"
    first_seconds = 0.3
    growth = 0.25

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """Moderate learning rate; on small tables small trees, held back so that they do not grow overconfident."""
        big = shape.rows > 1000
        return {
            "learning_rate": 0.1,
            "max_iter": 200 if big else 80,
            "max_leaf_nodes": 31 if big else 8,
            "min_samples_leaf": 20 if big else 10,
            "l2_regularization": 1e-4 if big else 3.0,
            "max_features": 1.0 if big else 0.5,
        }

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; then more trees that see half of the columns at each split."""
        big = shape.rows > 1000
        slow = {
            "learning_rate": 0.05,
            "max_iter": 400 if big else 160,
            "max_leaf_nodes": 31 if big else 4,
            "min_samples_leaf": 20 if big else 5,
            "l2_regularization": 1.0,
            "max_features": 0.5,
        }
        return (self.defaults(shape), slow)

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Learning rate and length together, tree size, shrinkage, columns at a split."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "max_iter": trial.suggest_int("max_iter", 50, 500, log=True),
            "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 4, 64, log=True),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 60, log=True),
            "l2_regularization": trial.suggest_float("l2_regularization", 1e-4, 10.0, log=True),
            "max_features": trial.suggest_float("max_features", 0.3, 1.0),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """Histogram gradient boosting; gaps are values of their own."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from sklearn.pipeline import make_pipeline

        from ml_assets.families.preparation import EmptyColumnsFilled

        boosting = HistGradientBoostingClassifier if shape.is_classification else HistGradientBoostingRegressor
        return make_pipeline(EmptyColumnsFilled(), boosting(**params, early_stopping=False, random_state=seed))


FAMILY = HistGradientBoosting()
