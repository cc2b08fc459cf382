"""Extremely randomized trees: cuts drawn at random, the best of few kept, many trees averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class ExtraTrees(Family):
    """Trees on the columns, or on normal scores of them, their sums and their differences as well."""

    title = "Extra trees"
    version = "3"
    first_seconds = 0.4
    size_growth = 1.0

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """A hundred trees; pairs of columns where rows are few enough for their cost."""
        big = shape.rows > 10_000
        return {
            "n_estimators": 100,
            "max_features": 0.3,
            "min_samples_leaf": 2 if big else 1,
            "pairs": 0 if big else 12,
        }

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; the columns alone, each split choosing among more of them; and many more trees of that kind."""
        first = self.defaults(shape)
        alone = {**first, "max_features": 0.7, "pairs": 0}
        return (first, alone, {**alone, "n_estimators": 400})

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Trees, share of columns at a split, leaf size, and from how many columns pairs are made."""
        big = shape.rows > 10_000
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 400, step=50),
            "max_features": trial.suggest_float("max_features", 0.1, 1.0),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2 if big else 1, 20, log=True),
            "pairs": trial.suggest_categorical("pairs", [0, 12]),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """Extra trees; gaps go to the side that helps, or are filled where pairs are made."""
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.pipeline import make_pipeline

        from ml_assets.families.cautious import CautiousExtraTrees
        from ml_assets.families.pairs import ScorePairs

        forest = CautiousExtraTrees if shape.is_classification else ExtraTreesRegressor
        settings = {name: value for name, value in params.items() if name != "pairs"}
        trees = forest(**settings, n_jobs=1, random_state=seed)
        return make_pipeline(ScorePairs(params["pairs"]), trees) if params["pairs"] else trees


FAMILY = ExtraTrees()
