"""Small neural networks, averaged: layers of weighted sums, fitted until a held-out part gets no better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class MultilayerPerceptron(Family):
    """The mean of a few networks that start at random, with one to three hidden layers of rectified units."""

    title = "Neural network"
    version = "3"
    first_seconds = 0.4

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """Two networks of two layers of 64; small tables are held back more."""
        alpha = 1e-3 if shape.rows > 1000 else 0.1
        params: dict[str, Any] = {"width": 64, "depth": 2, "alpha": alpha, "learning_rate": 2e-3, "networks": 2}
        return params if shape.is_classification else {**params, "target": "plain"}

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; and twice as many networks."""
        first = self.defaults(shape)
        return (first, {**first, "networks": 4})

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Size, shrinkage, speed, number of networks; the target as it is, or made normal."""
        params: dict[str, Any] = {
            "width": trial.suggest_int("width", 16, 256, log=True),
            "depth": trial.suggest_int("depth", 1, 3),
            "alpha": trial.suggest_float("alpha", 1e-5, 3.0, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            "networks": trial.suggest_int("networks", 1, 5),
        }
        if not shape.is_classification:
            params["target"] = trial.suggest_categorical("target", ["plain", "normal"])
        return params

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """Networks behind imputation and scaling, stopped early where rows are many enough to hold some out."""
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        from ml_assets.families.averaged import AveragedClassifier, AveragedRegressor
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
        }
        networks = params.get("networks", 1)
        if shape.is_classification:
            return scaled(AveragedClassifier(MLPClassifier(**settings), networks, seed))
        together = AveragedRegressor(MLPRegressor(**settings), networks, seed)
        return scaled(scaled_target(together, params.get("target", PLAIN)))


FAMILY = MultilayerPerceptron()
