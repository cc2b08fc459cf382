"""The record of one evaluated model, and how it is kept; making one belongs in `evaluate`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.decisions import Costs, said_classes
from ml_assets.evaluation.documents import as_float, read_document, write_document
from ml_assets.evaluation.metrics import FloatArray, Labels, row_losses
from ml_assets.evaluation.temperature import Temperature

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DOCUMENT = "evaluation.json"
TABLES = ("oof", "test")
PROBABILITY = "probability_"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One family's model on one dataset: its scores, predictions, costs and origin.

    Attributes:
        cv_score: mean of the primary metric over the folds of all repeats; lower is better.
        fold_scores: of each fold, repeat after repeat.
        cv_standard_error: standard deviation of the fold scores over the root of their number. It says how
            much the mean moves with the choice of folds. It is no interval for future data and, since folds
            share training rows, somewhat too small; differences between models need `significance`.
        oof_metrics: every metric of the task on the pooled out-of-fold predictions, those of the first repeat.
        test_metrics: the same on the test rows, with the model fitted on all training rows.
        oof: indexed by row_id; columns `y`, `fold`, and `prediction` or `probability_<class>` each.
        test: the same for the test rows; `fold` is -1.
        search_seconds: time of the family's share of the search; `trials` counts its trials.
        predict_ms_per_1000_rows: milliseconds for one call with 1000 raw rows.
        costs: of each said class (across) for each true class (down), by which the model says one; empty where it
            says the likeliest.
        calibration: temperature that was fitted, used or not; out-of-fold predictions are at it where it is used.
        class_weight: how training rows were weighed: `none`, `balanced`, `refused` by the estimator, or `partly`.
        without_promise: classes that no row has which the model's sets were calibrated on.
    """

    dataset: str
    family: str
    task: Task
    metric: str
    classes: tuple[str, ...]
    params: Mapping[str, Any]
    cv_score: float
    cv_standard_error: float
    fold_scores: tuple[float, ...]
    oof_metrics: Mapping[str, float]
    test_metrics: Mapping[str, float]
    train_rows: int
    test_rows: int
    fit_seconds: float
    search_seconds: float
    trials: int
    predict_ms_per_1000_rows: float
    model_bytes: int
    model_sha256: str
    data_hash: str
    splits_hash: str
    oof: pd.DataFrame
    test: pd.DataFrame
    costs: Costs = ()
    calibration: Temperature | None = None
    class_weight: str = "none"
    without_promise: tuple[str, ...] = ()

    @property
    def folds_each(self) -> int:
        """Folds of one repeat of the cross-validation."""
        return int(self.oof["fold"].nunique())

    @property
    def test_score(self) -> float:
        """The primary metric on the test rows."""
        return self.test_metrics[self.metric]

    @property
    def test_standard_error(self) -> float:
        """Standard error of the test score over its rows; RMSE's by the delta method, SE(MSE) / (2 RMSE)."""
        losses = self.test_row_losses().to_numpy()
        if len(losses) < 2 or self.test_score == 0:
            return float("nan")
        error = float(losses.std(ddof=1) / np.sqrt(len(losses)))
        return error / (2 * self.test_score) if self.task is Task.REGRESSION else error

    @property
    def oof_prediction(self) -> FloatArray:
        """Out-of-fold predictions, (n,) numbers or (n, n_classes) probabilities."""
        return self._predictions(self.oof)

    @property
    def test_prediction(self) -> FloatArray:
        """Predictions of the test rows, (n,) numbers or (n, n_classes) probabilities."""
        return self._predictions(self.test)

    @property
    def oof_said(self) -> npt.NDArray[np.intp]:
        """Position in `classes` of what is said of each training row, out of fold, (n,)."""
        return said_classes(self.oof_prediction, self.costs)

    @property
    def test_said(self) -> npt.NDArray[np.intp]:
        """Position in `classes` of what is said of each test row, (n,)."""
        return said_classes(self.test_prediction, self.costs)

    def test_row_losses(self) -> pd.Series[float]:
        """Loss of each test row (squared error or negative log likelihood), indexed by row_id."""
        losses = row_losses(self.task, labels_of(self.test), self.test_prediction, self.classes)
        return pd.Series(losses, index=self.test.index, name="loss")

    def save(self, folder: Path) -> None:
        """Write `evaluation.json`, and one Parquet file for each table."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in TABLES}
        values["calibration"] = asdict(self.calibration) if self.calibration is not None else None
        write_document(folder / DOCUMENT, values)
        for name in TABLES:
            getattr(self, name).to_parquet(folder / f"{name}.parquet")

    @classmethod
    def load(cls, folder: Path) -> Evaluation:
        """Read what `save` wrote."""
        content = read_document(folder / DOCUMENT)
        for name in ("oof_metrics", "test_metrics"):
            content[name] = {key: as_float(value) for key, value in content[name].items()}
        for name in (
            "cv_score",
            "cv_standard_error",
            "fit_seconds",
            "search_seconds",
            "predict_ms_per_1000_rows",
        ):
            content[name] = as_float(content[name])
        content["fold_scores"] = tuple(map(as_float, content["fold_scores"]))
        content["classes"] = tuple(content["classes"])
        content["without_promise"] = tuple(content.get("without_promise", ()))
        content["costs"] = tuple(map(tuple, content.get("costs", ())))
        content["calibration"] = Temperature.of(content.get("calibration"))
        content["task"] = Task(content["task"])
        content |= {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
        return cls(**content)

    def _predictions(self, table: pd.DataFrame) -> FloatArray:
        columns = prediction_columns(self.task, self.classes)
        values = table[columns].to_numpy(dtype=np.float64)
        return values[:, 0] if self.task is Task.REGRESSION else values


def prediction_columns(task: Task, classes: tuple[str, ...]) -> list[str]:
    """Names of the columns that hold predictions."""
    return ["prediction"] if task is Task.REGRESSION else [f"{PROBABILITY}{label}" for label in classes]


def labels_of(table: pd.DataFrame) -> Labels:
    """The true values of a prediction table: floats, or labels as an object array."""
    values: Labels = table["y"].to_numpy()
    return values
