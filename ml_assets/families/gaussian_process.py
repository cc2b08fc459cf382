"""Gaussian processes: a smooth surface through the rows, as sure as they are near. For small tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator

MOST_ROWS = 1000
MOST_ROWS_OF_CLASSES = 300


class GaussianProcess(Family):
    """A process fitted to all rows of a small table, and to some drawn at random of a larger one.

    Its cost grows with the cube of the rows; on large tables it is there to be compared with, not to win.
    """

    title = "Gaussian process"
    first_seconds = 1.5
    growth = 0.0

    def most_rows(self, shape: ProblemShape) -> int:
        """A thousand rows of numbers, 300 of classes."""
        return MOST_ROWS_OF_CLASSES if shape.is_classification else MOST_ROWS

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """A surface that may bend sharply."""
        return {"smoothness": 1.5, "noise": 0.1}

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Smoothness of the surface and noise of the rows."""
        return {
            "smoothness": trial.suggest_categorical("smoothness", [0.5, 1.5, 2.5]),
            "noise": trial.suggest_float("noise", 1e-3, 1.0, log=True),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """A Gaussian process on columns of one scale."""
        from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern

        from ml_assets.families.preparation import DrawnRows, scaled
        from ml_assets.families.targets import scaled_target

        width = max(1.0, shape.columns**0.5)
        kernel = ConstantKernel(1.0) * Matern(width, (0.1 * width, 100 * width), nu=params["smoothness"])
        if shape.is_classification:
            process = GaussianProcessClassifier(kernel, max_iter_predict=50, random_state=seed)
            return scaled(DrawnRows(process, self.most_rows(shape), seed))
        process = GaussianProcessRegressor(kernel, alpha=params["noise"], random_state=seed)
        return scaled(DrawnRows(scaled_target(process), self.most_rows(shape), seed))


FAMILY = GaussianProcess()
