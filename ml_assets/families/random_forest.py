"""Random forests: many deep trees on bootstrap samples, averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class RandomForest(Family):
    """Leaves never get smaller than needed: full-depth forests on large tables weigh hundreds of megabytes."""

    title = "Random forest"
    version = "2"
    first_seconds = 0.3
    growth = 1.25
    size_growth = 1.0

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """A hundred trees, a third of the columns at each split."""
        return {"n_estimators": 100, "max_features": 0.4, "min_samples_leaf": 2 if shape.rows > 1000 else 1}

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Trees, share of columns at a split, leaf size."""
        smallest = 2 if shape.rows > 1000 else 1
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 250, step=25),
            "max_features": trial.suggest_float("max_features", 0.2, 1.0),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", smallest, 20, log=True),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """A random forest; gaps go to the side that helps."""
        from sklearn.ensemble import RandomForestRegressor

        from ml_assets.families.cautious import CautiousForest

        forest = CautiousForest if shape.is_classification else RandomForestRegressor
        return forest(**params, n_jobs=1, random_state=seed)


FAMILY = RandomForest()
