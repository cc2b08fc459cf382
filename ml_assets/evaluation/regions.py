"""How wrong a model is where the target is small, middling or large, or for each class. Slices by columns: `slices`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.metrics import FloatArray, row_losses
from ml_assets.evaluation.record import Evaluation, labels_of
from ml_assets.evaluation.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PARTS: Final = 5


@dataclass(frozen=True)
class Region:
    """Out-of-fold errors of some rows.

    Attributes:
        by: `truth` or `prediction`: what the rows were put together by.
        name: which values, or which class.
        score: the primary metric.
        second: mean of prediction minus truth for a regression, share of right classes for a classification.
    """

    by: str
    name: str
    rows: int
    score: float
    second: float


def target_regions(evaluation: Evaluation) -> tuple[Region, ...]:
    """Errors by fifth of the truth and by fifth of the prediction; of a classification by class, true and said.

    A model that answers near the mean is above the truth where that is small and below where it is large: that is no
    fault. By prediction, means of answer minus truth that are not near 0 are one.
    """
    table = evaluation.oof
    truth, prediction = labels_of(table), evaluation.oof_prediction
    losses = row_losses(evaluation.task, truth, prediction, evaluation.classes)
    if evaluation.task is Task.REGRESSION:
        numbers = truth.astype(np.float64)
        second = prediction - numbers
        parts = [("truth", *part) for part in _fifths(numbers)] + [
            ("prediction", *part) for part in _fifths(prediction)
        ]
    else:
        said = np.asarray(evaluation.classes, dtype=object)[evaluation.oof_said]
        second = (said == truth).astype(np.float64)
        parts = [("truth", label, truth == label) for label in evaluation.classes]
        parts += [("prediction", label, said == label) for label in evaluation.classes]
    known = np.isfinite(losses)
    return tuple(
        _region(evaluation.task, by, name, losses[inside & known], second[inside & known])
        for by, name, inside in parts
        if (inside & known).any()
    )


def _region(task: Task, by: str, name: str, losses: FloatArray, second: FloatArray) -> Region:
    mean = float(losses.mean())
    return Region(by, name, len(losses), math.sqrt(mean) if task is Task.REGRESSION else mean, float(second.mean()))


def _fifths(values: FloatArray) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Name and members of each fifth of the rows; fewer where values repeat."""
    known = values[np.isfinite(values)]
    if len(np.unique(known)) < 2:
        return
    edges = np.unique(np.quantile(known, np.linspace(0, 1, PARTS + 1)))
    place = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    place = np.where(np.isfinite(values), place, -1)
    for at in range(len(edges) - 1):
        yield f"{number(edges[at], 3)} to {number(edges[at + 1], 3)}", place == at
