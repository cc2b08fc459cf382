"""A small neural network: layers of weighted sums, fitted until a held-out part gets no better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class MultilayerPerceptron(Family):
    """One or two hidden layers of rectified units."""

    title = "Neural network"
    version = "2"
    first_seconds = 0.2

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """Two layers of 64; small tables are held back more."""
        alpha = 1e-3 if shape.rows > 1000 else 0.1
        params: dict[str, Any] = {"width": 64, "depth": 2, "alpha": alpha, "learning_rate": 2e-3}
        return params if shape.is_classification else {**params, "target": "plain"}

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Size, shrinkage and speed; the target as it is, or made normal."""
        params: dict[str, Any] = {
            "width": trial.suggest_int("width", 16, 256, log=True),
            "depth": trial.suggest_int("depth", 1, 3),
            "alpha": trial.suggest_float("alpha", 1e-5, 3.0, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        }
        if not shape.is_classification:
            params["target"] = trial.suggest_categorical("target", ["plain", "normal"])
        return params

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """A network behind imputation and scaling, stopped early where rows are many enough to hold some out."""
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        from ml_assets.families.preparation import scaled
        from ml_assets.families.targets import PLAIN, scaled_target

        settings: dict[str, Any] = {
            "hidden_layer_sizes": (params["width"],) * params["depth"],
            "alpha": params["alpha"],
            "learning_rate_init": params["learning_rate"],
            "batch_size": min(128, max(8, shape.rows // 10)),
            "early_stopping": shape.rows >= 500,
            "n_iter_no_change": 8,
            "max_iter": 120,
            "random_state": seed,
        }
        if shape.is_classification:
            return scaled(MLPClassifier(**settings))
        return scaled(scaled_target(MLPRegressor(**settings), params.get("target", PLAIN)))


FAMILY = MultilayerPerceptron()
