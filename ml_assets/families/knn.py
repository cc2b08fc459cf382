"""Nearest neighbours: the answer of the training rows that look alike, the nearer the louder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator


class NearestNeighbours(Family):
    """Mean, or shares, of the nearest training rows, weighted by a power of their distance."""

    title = "Nearest neighbours"
    version = "2"
    first_seconds = 0.03
    size_growth = 1.0

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """A few dozen neighbours with a weight that falls steeply."""
        return {"neighbours": min(20, max(1, shape.rows // 5)), "power": 2.0}

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """From one neighbour to a hundred, and how fast their weight falls."""
        return {
            "neighbours": trial.suggest_int("neighbours", 1, max(2, min(100, shape.rows // 3)), log=True),
            "power": trial.suggest_float("power", 0.0, 6.0),
        }

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """Nearest neighbours on columns of one scale."""
        from sklearn.neighbors import KNeighborsRegressor

        from ml_assets.families.cautious import CautiousNeighbours
        from ml_assets.families.preparation import InverseDistance, scaled

        kind = CautiousNeighbours if shape.is_classification else KNeighborsRegressor
        return scaled(kind(n_neighbors=params["neighbours"], weights=InverseDistance(params["power"])))


FAMILY = NearestNeighbours()
