"""LightGBM's gradient-boosted trees, of the extra `boosters`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class LightGBM(Family):
    """Trees that grow leaf by leaf, fitted one after another to what is still wrong."""

    title = "LightGBM"
    first_seconds = 0.5
    growth = 0.4

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """A solid setting for tables of this size."""
        big = shape.rows > 1000
        return {
            "learning_rate": 0.06,
            "n_estimators": 400 if big else 100,
            "num_leaves": 48 if big else 8,
            "min_child_samples": 20 if big else 8,
            "subsample": 0.8,
            "colsample_bytree": 0.7,
            "reg_lambda": 1.0,
        }

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; then more trees of fewer leaves."""
        big = shape.rows > 1000
        slow = {
            "learning_rate": 0.04,
            "n_estimators": 600 if big else 200,
            "num_leaves": 31 if big else 4,
            "min_child_samples": 10 if big else 5,
            "subsample": 0.7,
            "colsample_bytree": 0.5,
            "reg_lambda": 5.0,
        }
        return (self.defaults(shape), slow)

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Learning rate and length together, tree size, sampling, shrinkage."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "n_estimators": trial.suggest_int("n_estimators", 50, 800, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 128, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 2, 60, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 20.0, log=True),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """LightGBM on columns without names, of which it refuses some; gaps take a learned side."""
        from lightgbm import LGBMClassifier, LGBMRegressor
        from sklearn.pipeline import make_pipeline

        from ml_assets.families.preparation import EmptyColumnsFilled

        boosting = LGBMClassifier if shape.is_classification else LGBMRegressor
        fixed = {"subsample_freq": 1, "deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbosity": -1}
        return make_pipeline(EmptyColumnsFilled(), boosting(**params, **fixed, random_state=seed))


FAMILY = LightGBM()
