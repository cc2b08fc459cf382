"""From a fitted pipeline to predictions that JSON can carry. Which model answers belongs in `host`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.errors import ServingError
from ml_assets.learning.decision import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from sklearn.pipeline import Pipeline


class PredictionError(ServingError):
    """A model that could not predict these rows."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of some rows, in their order.

    Attributes:
        values: numbers, or the label that the model says of each.
        probabilities: for classes: by label, in the model's order, one probability a row; None for numbers.
    """

    values: list[float] | list[str]
    probabilities: dict[str, list[float]] | None = None

    def answers(self) -> Iterator[dict[str, Any]]:
        """One dictionary a row: `prediction` and, for a class, `probabilities` by label."""
        if self.probabilities is None:
            yield from ({"prediction": value} for value in self.values)
            return
        labels = list(self.probabilities)
        for value, row in zip(self.values, zip(*self.probabilities.values(), strict=True), strict=True):
            yield {"prediction": value, "probabilities": dict(zip(labels, row, strict=True))}


class Predictor(Protocol):
    """Whatever turns a table of raw rows into predictions."""

    def predict(self, frame: pd.DataFrame) -> Predictions:
        """Predictions of the rows of `frame`, which has the contract's features."""


@dataclass(frozen=True)
class PipelinePredictor:
    """A fitted scikit-learn pipeline that takes raw rows."""

    pipeline: Pipeline
    task: Task

    def predict(self, frame: pd.DataFrame) -> Predictions:
        """Predictions of the rows of `frame`; a class is the one that the model says.

        Raises:
            PredictionError: the pipeline refuses the rows, or its answer is no finite number.
        """
        classification = self.task is Task.CLASSIFICATION
        try:
            with np.errstate(all="ignore"):
                raw = self.pipeline.predict_proba(frame) if classification else self.pipeline.predict(frame)
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise PredictionError(f"the model could not predict these rows: {error}") from error
        found = np.asarray(raw, dtype=np.float64)
        if not np.isfinite(found).all():
            rows = np.unique(np.argwhere(~np.isfinite(found))[:, 0])
            raise PredictionError(f"the model gave no finite number for rows {', '.join(map(str, rows[:10]))}")
        if not classification:
            return Predictions(found.ravel().tolist())
        labels = [str(label) for label in self.pipeline.classes_]
        said = [str(label) for label in answers(self.pipeline, found)]
        return Predictions(said, {label: found[:, i].tolist() for i, label in enumerate(labels)})
