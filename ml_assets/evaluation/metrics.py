"""How good predictions are, as numbers per task; tests of differences belong in `significance`.

The primary metric of a task is RMSE or log loss, lower is better for both. Classification labels come as an
object array, probabilities as (n, n_classes) in the order of `classes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FloatArray = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]

ECE_BINS = 15
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Metric:
    """A metric as a person reads it."""

    label: str
    lower_is_better: bool
    in_target_units: bool = False


METRICS: Mapping[Task, Mapping[str, Metric]] = {
    Task.REGRESSION: {
        "rmse": Metric("root mean squared error", True, in_target_units=True),
        "mae": Metric("mean absolute error", True, in_target_units=True),
        "median_absolute_error": Metric("median absolute error", True, in_target_units=True),
        "r2": Metric("R², share of variance explained", False),
    },
    Task.CLASSIFICATION: {
        "log_loss": Metric("log loss", True),
        "accuracy": Metric("accuracy", False),
        "balanced_accuracy": Metric("balanced accuracy", False),
        "macro_f1": Metric("macro F1", False),
        "brier": Metric("Brier score", True),
        "roc_auc": Metric("ROC AUC, one class against the rest", False),
        "ece": Metric("expected calibration error", True),
    },
}


def primary_metric(task: Task) -> str:
    """Name of the metric that models are tuned, ranked and promoted by."""
    return next(iter(METRICS[task]))


def primary_score(task: Task, y_true: Labels, prediction: FloatArray, classes: Sequence[str] = ()) -> float:
    """The primary metric alone; NaN where a prediction is NaN or there are no rows.

    Raises:
        TrainingError: shapes do not fit, or `y_true` has a label that is not among `classes`.
    """
    return _primary_of(task, row_losses(task, y_true, prediction, classes))


def row_losses(task: Task, y_true: Labels, prediction: FloatArray, classes: Sequence[str] = ()) -> FloatArray:
    """Loss of each row, shape (n,): squared error, or negative log likelihood in nats.

    Probabilities below 2.2e-16 count as that, as in scikit-learn's `log_loss`, so that no row costs infinity.

    Raises:
        TrainingError: shapes do not fit, or `y_true` has a label that is not among `classes`.
    """
    if task is Task.REGRESSION:
        _same_shape(prediction, (len(y_true),))
        return np.square(np.asarray(y_true, dtype=np.float64) - prediction)
    positions = class_positions(y_true, classes)
    _same_shape(prediction, (len(positions), len(classes)))
    likelihood = np.asarray(prediction, dtype=np.float64)[np.arange(len(positions)), positions]
    losses: FloatArray = -np.log(np.clip(likelihood, SMALLEST_PROBABILITY, 1.0))
    return losses


def fold_scores(
    task: Task, y_true: Labels, prediction: FloatArray, fold: npt.NDArray[Any], classes: Sequence[str] = ()
) -> FloatArray:
    """Primary metric of each fold's rows, in the order of the folds' numbers; a negative fold is left out."""
    losses = row_losses(task, y_true, prediction, classes)
    folds = np.asarray(fold)
    return np.array([_primary_of(task, losses[folds == k]) for k in np.unique(folds[folds >= 0])])


def score(
    task: Task,
    y_true: Labels,
    prediction: FloatArray,
    classes: Sequence[str] = (),
    *,
    said: npt.NDArray[np.intp] | None = None,
) -> dict[str, float]:
    """Every metric of `METRICS[task]` by name; all NaN if a prediction is not finite or there are no rows.

    A metric that the rows cannot give (R² of a constant target, AUC with one class present) is NaN. Class
    averages are over the classes that occur in the labels (F1: or the predictions). The Brier score is the
    sum over the classes (Brier 1950; 0 best, 2 worst); the calibration error is that of the likeliest class
    over 15 bins of equally many rows (see `calibration_error`).

    Args:
        task: what is predicted.
        y_true: the true values (n,).
        prediction: numbers (n,), or probabilities (n, n_classes) in the order of `classes`.
        classes: labels; none for a regression.
        said: position of the class that the model names for each row (n,), where it is not the likeliest; accuracy,
            balanced accuracy and F1 are of these.

    Raises:
        TrainingError: shapes do not fit, or `y_true` has a label that is not among `classes`.
    """
    losses = row_losses(task, y_true, prediction, classes)
    if len(losses) == 0 or not np.isfinite(prediction).all():
        return dict.fromkeys(METRICS[task], float("nan"))
    if task is Task.REGRESSION:
        return _regression_scores(np.asarray(y_true, dtype=np.float64), prediction)
    positions = class_positions(y_true, classes)
    named = prediction.argmax(axis=1) if said is None else said
    return {"log_loss": float(losses.mean()), **_classification_scores(positions, prediction, named)}


def class_positions(y_true: Labels, classes: Sequence[str]) -> npt.NDArray[np.intp]:
    """Position in `classes` of each label, shape (n,).

    Raises:
        TrainingError: a label is not among `classes`.
    """
    positions = pd.Index(list(classes), dtype=object).get_indexer(pd.Index(y_true, dtype=object))
    if (positions < 0).any():
        unknown = sorted({str(label) for label in np.asarray(y_true, dtype=object)[positions < 0]})
        raise TrainingError(
            f"labels {', '.join(unknown)} are not among the model's classes "
            f"({', '.join(map(str, classes))}); each class needs rows in the training part"
        )
    return positions


def confusion_counts(
    positions: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], n_classes: int
) -> npt.NDArray[np.intp]:
    """Counts of rows, shape (n_classes, n_classes): actual class down, predicted class across."""
    cells = np.bincount(positions * n_classes + predicted, minlength=n_classes * n_classes)
    return cells.reshape(n_classes, n_classes)


def calibration_error(confidence: FloatArray, correct: npt.NDArray[np.bool_], bins: int = ECE_BINS) -> float:
    """Mean gap between confidence and share correct over bins of equally many rows, weighted by rows (0 to 1).

    Equal confidences share a bin, so that the order of the rows has no say. Bins of equal width (Guo et al. 2017, "On
    Calibration of Modern Neural Networks") leave most rows of a sure model in one bin; bins of equally many rows
    estimate the error with less bias (Roelofs et al. 2022, "Mitigating Bias in Calibration Error Estimation").
    """
    edges = np.unique(np.quantile(confidence, np.arange(1, bins) / bins, method="inverted_cdf"))
    bin_of = np.searchsorted(edges, confidence, side="left")
    gaps = np.bincount(bin_of, weights=confidence - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _primary_of(task: Task, losses: FloatArray) -> float:
    if len(losses) == 0:
        return float("nan")
    mean = float(losses.mean())
    return float(np.sqrt(mean)) if task is Task.REGRESSION else mean


def _regression_scores(y_true: FloatArray, prediction: FloatArray) -> dict[str, float]:
    errors = y_true - prediction
    spread = float(np.square(y_true - y_true.mean()).sum())
    return {
        "rmse": float(np.sqrt(np.square(errors).mean())),
        "mae": float(np.abs(errors).mean()),
        "median_absolute_error": float(np.median(np.abs(errors))),
        "r2": 1.0 - float(np.square(errors).sum()) / spread if spread > 0 else float("nan"),
    }


def _classification_scores(
    positions: npt.NDArray[np.intp], probabilities: FloatArray, said: npt.NDArray[np.intp]
) -> dict[str, float]:
    n_classes = probabilities.shape[1]
    counts = confusion_counts(positions, said, n_classes)
    hits, actual, named = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    occurs, either = actual > 0, actual + named > 0
    one_hot = np.eye(n_classes)[positions]
    return {
        "accuracy": float(hits.sum() / len(positions)),
        "balanced_accuracy": float((hits[occurs] / actual[occurs]).mean()),
        "macro_f1": float((2 * hits[either] / (actual + named)[either]).mean()),
        "brier": float(np.square(probabilities - one_hot).sum(axis=1).mean()),
        "roc_auc": _one_vs_rest_auc(one_hot.astype(bool), probabilities),
        "ece": calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == positions),
    }


def _one_vs_rest_auc(is_class: npt.NDArray[np.bool_], probabilities: FloatArray) -> float:
    """Mean over classes of the chance that a row of the class gets more of its probability than others."""
    ranks = pd.DataFrame(probabilities).rank().to_numpy()
    inside = is_class.sum(axis=0)
    pairs = inside * (len(is_class) - inside)
    wins = (ranks * is_class).sum(axis=0) - inside * (inside + 1) / 2
    defined = pairs > 0
    return float((wins[defined] / pairs[defined]).mean()) if defined.any() else float("nan")


def _same_shape(prediction: FloatArray, expected: tuple[int, ...]) -> None:
    if np.shape(prediction) != expected:
        raise TrainingError(f"predictions have shape {np.shape(prediction)} where {expected} is needed")
