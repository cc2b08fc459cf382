"""CatBoost's gradient-boosted trees, of the extra `boosters`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class CatBoost(Family):
    """Symmetric trees, fitted one after another to what is still wrong, on columns that the plan has made numbers."""

    title = "CatBoost"
    first_seconds = 1.0
    growth = 0.6

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """A solid setting for tables of this size."""
        big = shape.rows > 1000
        return {
            "learning_rate": 0.08,
            "iterations": 500 if big else 200,
            "depth": 7 if big else 4,
            "l2_leaf_reg": 3.0,
            "subsample": 0.8,
            "random_strength": 1.0,
        }

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; then more trees, deeper ones where rows are many."""
        big = shape.rows > 1000
        slow = {
            "learning_rate": 0.05,
            "iterations": 900 if big else 400,
            "depth": 8 if big else 3,
            "l2_leaf_reg": 5.0,
            "subsample": 0.7,
            "random_strength": 0.5,
        }
        return (self.defaults(shape), slow)

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Learning rate and length together, depth, shrinkage, sampling, noise in choosing splits."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "iterations": trial.suggest_int("iterations", 100, 1000, log=True),
            "depth": trial.suggest_int("depth", 3, 9),
            "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.5, 20.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "random_strength": trial.suggest_float("random_strength", 0.05, 5.0, log=True),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """CatBoost on one thread, which writes no files of its own; gaps count as less than any value."""
        import catboost  # noqa: F401  loaded here, so that it does not count as time of the first fit

        from ml_assets.families.catboost_models import CatBoostOfLabels, CatBoostOfNumbers

        fixed = {"thread_count": 1, "allow_writing_files": False, "verbose": False, "bootstrap_type": "Bernoulli"}
        trees = CatBoostOfLabels if shape.is_classification else CatBoostOfNumbers
        return trees({**params, **fixed, "random_seed": seed})


FAMILY = CatBoost()
