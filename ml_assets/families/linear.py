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
    version = "3"
    first_seconds = 0.02

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """No splines, mild shrinkage."""
        params: dict[str, Any] = {"shrinkage": 1.0, "knots": 0}
        return params if shape.is_classification else {**params, "target": "plain"}

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; less shrinkage; splines of few knots; and for numbers, those to a target made normal."""
        first = self.defaults(shape)
        settings = (first, {**first, "shrinkage": 0.02}, {**first, "knots": 4})
        return settings if shape.is_classification else (*settings, {**settings[-1], "target": "normal"})

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Shrinkage over seven decades; straight lines, or cubic splines; the target as it is, or made normal."""
        params: dict[str, Any] = {
            "shrinkage": trial.suggest_float("shrinkage", 1e-4, 1e3, log=True),
            "knots": trial.suggest_categorical("knots", [0, 4, 8]),
        }
        if not shape.is_classification:
            params["target"] = trial.suggest_categorical("target", ["plain", "normal"])
        return params

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """Ridge or logistic regression behind imputation, scaling and, with knots, splines."""
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.preprocessing import SplineTransformer

        from ml_assets.families.preparation import scaled
        from ml_assets.families.targets import PLAIN, scaled_target

        splines = [SplineTransformer(n_knots=params["knots"], extrapolation="linear")] if params["knots"] else []
        if shape.is_classification:
            return scaled(*splines, LogisticRegression(C=1 / params["shrinkage"], max_iter=2000, random_state=seed))
        return scaled(*splines, scaled_target(Ridge(alpha=params["shrinkage"]), params.get("target", PLAIN)))


FAMILY = Linear()
