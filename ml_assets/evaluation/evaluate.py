"""Making the record of one fitted model; comparing records belongs in `comparison`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.errors import TrainingError
from ml_assets.evaluation.contract_scores import contract_scores
from ml_assets.evaluation.coverage import coverage_scores, without_promise
from ml_assets.evaluation.decisions import cost_matrix
from ml_assets.evaluation.metrics import FloatArray, Labels, fold_scores, primary_metric
from ml_assets.evaluation.record import Evaluation, prediction_columns
from ml_assets.evaluation.temperature import Temperature, tempered
from ml_assets.learning.splitting import repeated_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SPEED_ROWS = 1000


def evaluate(
    spec: DatasetSpec,
    *,
    family: str,
    params: Mapping[str, Any],
    pipeline: Any,
    table: pd.DataFrame,
    splits: pd.DataFrame,
    oof_prediction: FloatArray,
    repeated: Sequence[FloatArray] = (),
    fit_seconds: float,
    search_seconds: float,
    trials: int,
    model_bytes: int,
    model_sha256: str,
    data_hash: str,
    splits_hash: str,
    calibration: Temperature | None = None,
    class_weight: str = "none",
    clock: Callable[[], float] = time.perf_counter,
) -> Evaluation:
    """The record of `pipeline`, which was fitted on all training rows; this is where test rows are scored.

    Args:
        spec: the dataset's contract.
        family: name of the model family.
        params: hyperparameters of the model.
        pipeline: scikit-learn API; takes raw rows with the contract's feature columns.
        table: the clean table, indexed by row_id.
        splits: columns `part`, `fold` and those of repeats, indexed by row_id.
        oof_prediction: out-of-fold predictions of the training rows in the order of `splits`; probabilities
            in the order of `pipeline.classes_`, before any temperature.
        repeated: the same for each further repeat of the cross-validation; they count in the score and its tests.
        fit_seconds: of the final fit.
        search_seconds: of this family's share of the search.
        trials: of this family in the search.
        model_bytes: size of the stored model.
        model_sha256: of the stored model.
        data_hash: of the clean table.
        splits_hash: of the splits.
        calibration: temperature of the model's probabilities; out-of-fold ones are brought to that of the other folds.
        class_weight: how training rows were weighed, as the model's record has it.
        clock: monotonic seconds.

    Raises:
        TrainingError: the predictions do not fit the rows, or a row has a class the model does not know.
    """
    train, test = splits[splits["part"] == "train"], splits[splits["part"] == "test"]
    if len(oof_prediction) != len(train):
        raise TrainingError(
            f"{spec.name}: {family} has {len(oof_prediction)} out-of-fold predictions for {len(train)} "
            "training rows; tune the family again on these splits"
        )
    classes = tuple(map(str, pipeline.classes_)) if spec.task is Task.CLASSIFICATION else ()
    y_train, y_test = true_values(spec, table.loc[train.index]), true_values(spec, table.loc[test.index])
    X_test = table.loc[test.index, list(spec.feature_columns)]
    test_prediction = predict(spec.task, pipeline, X_test)
    milliseconds = predict_ms(spec.task, pipeline, X_test, clock)
    fold, *more_folds = repeated_folds(train)
    if calibration is not None:
        oof_prediction = calibration.out_of_fold(oof_prediction, fold)
        repeated = [tempered(one, calibration.used) for one in repeated]
    by_repeat = [
        fold_scores(spec.task, y_train, one, folds, classes)
        for one, folds in zip((oof_prediction, *repeated), (fold, *more_folds), strict=True)
    ]
    by_fold = np.concatenate(by_repeat)
    return Evaluation(
        dataset=spec.name,
        family=family,
        task=spec.task,
        metric=primary_metric(spec.task),
        classes=classes,
        params=dict(params),
        cv_score=float(by_fold.mean()),
        cv_standard_error=standard_error(by_fold, folds=len(by_repeat[0])),
        fold_scores=tuple(map(float, by_fold)),
        oof_metrics=contract_scores(spec, y_train, oof_prediction, classes),
        test_metrics={
            **contract_scores(spec, y_test, test_prediction, classes),
            **coverage_scores(spec, pipeline, X_test, y_test, test_prediction, classes),
        },
        train_rows=len(train),
        test_rows=len(test),
        fit_seconds=fit_seconds,
        search_seconds=search_seconds,
        trials=trials,
        predict_ms_per_1000_rows=milliseconds,
        model_bytes=model_bytes,
        model_sha256=model_sha256,
        data_hash=data_hash,
        splits_hash=splits_hash,
        oof=_prediction_table(spec.task, classes, train, y_train, oof_prediction),
        test=_prediction_table(spec.task, classes, test, y_test, test_prediction),
        costs=cost_matrix(classes, spec.decision.costs),
        calibration=calibration,
        class_weight=class_weight,
        without_promise=without_promise(pipeline),
    )


def predict(task: Task, pipeline: Any, rows: pd.DataFrame) -> FloatArray:
    """Predictions of raw rows as float64: numbers (n,), or probabilities (n, n_classes); n may be 0."""
    if rows.empty:
        return np.empty(0) if task is Task.REGRESSION else np.empty((0, len(pipeline.classes_)))
    raw = pipeline.predict(rows) if task is Task.REGRESSION else pipeline.predict_proba(rows)
    return np.asarray(raw, dtype=np.float64)


def true_values(spec: DatasetSpec, rows: pd.DataFrame) -> Labels:
    """The target of `rows`: float64, or labels as an object array of str."""
    target = rows[spec.target]
    if spec.task is Task.REGRESSION:
        return target.to_numpy(dtype=np.float64)
    return target.astype(str).to_numpy(dtype=object)


def standard_error(fold_values: FloatArray, *, folds: int | None = None) -> float:
    """Standard deviation (ddof 1) over the root of the number of folds; NaN for a single fold.

    Args:
        fold_values: one for each fold.
        folds: of one repeat, where there are several: the same rows again are no more rows.
    """
    k = folds or len(fold_values)
    return float(fold_values.std(ddof=1) / np.sqrt(k)) if k > 1 else float("nan")


def predict_ms(task: Task, pipeline: Any, rows: pd.DataFrame, clock: Callable[[], float]) -> float:
    """Milliseconds of one prediction call with 1000 rows; fewer rows than that are repeated."""
    if rows.empty:
        return float("nan")
    batch = rows.iloc[np.resize(np.arange(len(rows)), SPEED_ROWS)]
    start = clock()
    predict(task, pipeline, batch)
    return 1000 * (clock() - start)


def _prediction_table(
    task: Task,
    classes: tuple[str, ...],
    rows: pd.DataFrame,
    y_true: Labels,
    prediction: FloatArray,
) -> pd.DataFrame:
    columns = prediction_columns(task, classes)
    table = pd.DataFrame(prediction.reshape(len(rows), len(columns)), index=rows.index, columns=columns)
    table.insert(0, "fold", rows["fold"].to_numpy())
    table.insert(0, "y", y_true)
    return table
