"""The score of knowing nothing about a row: always the mean, or always the class shares."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.contract_scores import contract_scores
from ml_assets.evaluation.documents import as_float, read_document, write_document
from ml_assets.evaluation.evaluate import standard_error, true_values
from ml_assets.evaluation.metrics import FloatArray, Labels, fold_scores, primary_metric

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "baseline.json"


@dataclass(frozen=True)
class Baseline:
    """What the simplest guess scores, in the same folds and on the same test rows as the models."""

    dataset: str
    metric: str
    guess: str
    cv_score: float
    cv_standard_error: float
    test_metrics: Mapping[str, float]

    @property
    def test_score(self) -> float:
        """The primary metric on the test rows."""
        return self.test_metrics[self.metric]

    def save(self, folder: Path) -> None:
        """Write `baseline.json`."""
        write_document(folder / FILE, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Baseline:
        """Read `baseline.json`."""
        content = read_document(folder / FILE)
        content["test_metrics"] = {key: as_float(value) for key, value in content["test_metrics"].items()}
        numbers = {key: as_float(content[key]) for key in ("cv_score", "cv_standard_error")}
        return cls(**{**content, **numbers})


def baseline(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame) -> Baseline:
    """Scores of predicting the training rows' mean, or their class shares, for every row.

    Args:
        spec: the dataset's contract.
        table: the clean table, indexed by row_id.
        splits: columns `part` and `fold`, indexed by row_id.
    """
    train, test = splits[splits["part"] == "train"], splits[splits["part"] == "test"]
    y_train, y_test = true_values(spec, table.loc[train.index]), true_values(spec, table.loc[test.index])
    classes = tuple(sorted({*y_train, *y_test})) if spec.task is Task.CLASSIFICATION else ()
    fold = train["fold"].to_numpy()
    oof = np.empty((len(train), *_shape(classes)))
    for k in np.unique(fold):
        oof[fold == k] = _guess(spec.task, y_train[fold != k], classes)
    by_fold = fold_scores(spec.task, y_train, oof, fold, classes)
    test_prediction = np.broadcast_to(_guess(spec.task, y_train, classes), (len(test), *_shape(classes)))
    return Baseline(
        dataset=spec.name,
        metric=primary_metric(spec.task),
        guess="the mean of the training rows"
        if spec.task is Task.REGRESSION
        else "the class shares of the training rows",
        cv_score=float(by_fold.mean()),
        cv_standard_error=standard_error(by_fold),
        test_metrics=contract_scores(spec, y_test, np.asarray(test_prediction), classes),
    )


def _shape(classes: tuple[str, ...]) -> tuple[int, ...]:
    return (len(classes),) if classes else ()


def _guess(task: Task, y_train: Labels, classes: tuple[str, ...]) -> FloatArray:
    if task is Task.REGRESSION:
        return np.full((), y_train.mean(), dtype=np.float64)
    shares = pd.Series(y_train).value_counts(normalize=True)
    return np.array([shares.get(label, 0.0) for label in classes], dtype=np.float64)
