"""From a fitted pipeline to predictions that JSON can carry. Which model answers belongs in `host`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.errors import ServingError, SettingError
from ml_assets.learning.conformal import Intervals
from ml_assets.learning.decision import answers
from ml_assets.learning.intervals import intervals_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline


class PredictionError(ServingError):
    """A model that could not predict these rows."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of some rows, in their order.

    Attributes:
        values: numbers, or the label that the model says of each.
        probabilities: for classes: by label, in the model's order, one probability a row; None for numbers.
        coverage: of the intervals or sets, where they were asked for.
        intervals: lower and upper end for each row, of numbers.
        sets: labels that each row may have, the likeliest first, of classes.
    """

    values: list[float] | list[str]
    probabilities: dict[str, list[float]] | None = None
    coverage: float | None = None
    intervals: list[tuple[float, float]] | None = None
    sets: list[list[str]] | None = None

    def answers(self) -> Iterator[dict[str, Any]]:
        """One dictionary a row: `prediction`, for a class `probabilities` by label, `interval` where it was asked for.

        An interval has its `coverage`, and `lower` and `upper` end or the `set` of labels.
        """
        for at, value in enumerate(self.values):
            answer: dict[str, Any] = {"prediction": value}
            if self.probabilities is not None:
                answer["probabilities"] = {label: shares[at] for label, shares in self.probabilities.items()}
            if self.intervals is not None:
                lower, upper = self.intervals[at]
                answer["interval"] = {"coverage": self.coverage, "lower": lower, "upper": upper}
            if self.sets is not None:
                answer["interval"] = {"coverage": self.coverage, "set": self.sets[at]}
            yield answer


class Predictor(Protocol):
    """Whatever turns a table of raw rows into predictions."""

    def predict(self, frame: pd.DataFrame, coverage: float | None = None) -> Predictions:
        """Predictions of the rows of `frame`, which has the contract's features; with intervals of a `coverage`."""


@dataclass(frozen=True)
class PipelinePredictor:
    """A fitted scikit-learn pipeline that takes raw rows."""

    pipeline: Pipeline
    task: Task

    def predict(self, frame: pd.DataFrame, coverage: float | None = None) -> Predictions:
        """Predictions of the rows of `frame`; a class is the one that the model says.

        Args:
            frame: raw rows.
            coverage: of the intervals or sets that come with them; none by default.

        Raises:
            PredictionError: the pipeline refuses the rows, or its answer is no finite number.
            SettingError: the model has no intervals, or cannot promise that coverage.
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
        around = self._around(found, frame, coverage) if coverage is not None and len(frame) else None
        if not classification:
            pairs = [(float(low), float(high)) for low, high in around] if around is not None else None
            return Predictions(found.ravel().tolist(), coverage=coverage, intervals=pairs)
        labels = [str(label) for label in self.pipeline.classes_]
        said = [str(label) for label in answers(self.pipeline, found)]
        shares = {label: found[:, i].tolist() for i, label in enumerate(labels)}
        sets = None
        if around is not None:
            order = np.argsort(-found, axis=1, kind="stable")
            sets = [[labels[k] for k in row if inside[k]] for row, inside in zip(order, around, strict=True)]
        return Predictions(said, shares, coverage, sets=sets)

    def _around(self, found: NDArray[np.float64], frame: pd.DataFrame, coverage: float) -> NDArray[Any]:
        made = intervals_of(self.pipeline)
        if made is None:
            raise SettingError(
                "this model has no intervals: it was trained before there were any, or on too few rows; train it again"
            )
        return made.around(found.ravel() if isinstance(made, Intervals) else found, frame, coverage)
