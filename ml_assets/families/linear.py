"""Linear models: ridge regression and logistic regression, on the columns themselves or on splines of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class Linear(Family):
    """Weights on (splines of) columns, shrunk towards zero."""

    title = "Linear model"
    version = "2"
    first_seconds = 0.02

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """No splines, mild shrinkage."""
        return {"shrinkage": 1.0, "knots": 0}

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; less shrinkage; and splines of few knots."""
        return (self.defaults(shape), {"shrinkage": 0.02, "knots": 0}, {"shrinkage": 1.0, "knots": 4})

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Shrinkage over seven decades; straight lines, or cubic splines with few or many knots."""
        return {
            "shrinkage": trial.suggest_float("shrinkage", 1e-4, 1e3, log=True),
            "knots": trial.suggest_categorical("knots", [0, 4, 8]),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """Ridge or logistic regression behind imputation, scaling and, with knots, splines."""
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.preprocessing import SplineTransformer

        from ml_assets.families.preparation import scaled, scaled_target

        splines = [SplineTransformer(n_knots=params["knots"], extrapolation="linear")] if params["knots"] else []
        if shape.is_classification:
            return scaled(*splines, LogisticRegression(C=1 / params["shrinkage"], max_iter=2000, random_state=seed))
        return scaled(*splines, scaled_target(Ridge(alpha=params["shrinkage"])))


FAMILY = Linear()
