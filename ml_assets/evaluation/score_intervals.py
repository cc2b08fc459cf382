"""Every metric of a model on its test rows with an interval. How intervals are made is in `bca`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation import weighted
from ml_assets.evaluation.bca import Statistic, bca_interval, bootstrap_weights, left_out_weights
from ml_assets.evaluation.contract_scores import ranks_of
from ml_assets.evaluation.metrics import class_positions, row_losses
from ml_assets.evaluation.record import Evaluation, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FEWEST_ROWS: Final = 10
MOST_CLASSES: Final = 12
"""Classes that are gone through one by one."""
MOST_CELLS: Final = 8_000_000
"""Rows times draws; with more rows there are fewer draws, but never below 200."""


@dataclass(frozen=True)
class ScoreInterval:
    """A metric on the test rows.

    Attributes:
        metric: its name.
        label: the class that it is of; empty where it is of all rows.
        value: NaN where the rows do not give it, and `reason` says why.
        low: of the interval; NaN where there is none, as is `high`.
        rows: how many it rests on: of the class, where there is one.
    """

    metric: str
    label: str
    value: float
    low: float
    high: float
    rows: int
    reason: str = ""


def score_intervals(
    spec: DatasetSpec, evaluation: Evaluation, *, clusters: NDArray[Any] | None = None, seed: int = 0
) -> tuple[ScoreInterval, ...]:
    """Metrics of the test rows with 95 % intervals over which rows were drawn, the model taken as given.

    Args:
        spec: the contract.
        evaluation: of the model.
        clusters: name of each test row's cluster, in the order of `evaluation.test`; None where rows are independent.
        seed: of the draws.
    """
    n, prediction = len(evaluation.test), evaluation.test_prediction
    if n == 0 or not np.isfinite(prediction).all():
        why = "there are no test rows" if n == 0 else "some predictions are no numbers"
        return (ScoreInterval(evaluation.metric, "", math.nan, math.nan, math.nan, n, why),)
    draws = int(np.clip(MOST_CELLS // n, 200, 1000))
    drawn = bootstrap_weights(n, seed=seed, draws=draws, clusters=clusters)
    left_out = left_out_weights(n, clusters=clusters)
    return tuple(
        _measured(name, label, statistic, rows, drawn, left_out)
        for name, label, statistic, rows in _statistics(spec, evaluation)
    )


def _measured(
    name: str,
    label: str,
    statistic: Statistic,
    rows: int,
    drawn: NDArray[np.float64],
    left_out: NDArray[np.float64],
) -> ScoreInterval:
    value = float(statistic(np.ones((1, drawn.shape[1])))[0])
    if not math.isfinite(value):
        why = f"no test row is '{label}'" if label and not rows else "the test rows do not give it"
        return ScoreInterval(name, label, math.nan, math.nan, math.nan, rows, why)
    if rows < FEWEST_ROWS:
        return ScoreInterval(name, label, value, math.nan, math.nan, rows, f"{rows} rows are too few for an interval")
    low, high = bca_interval(statistic, drawn, left_out)
    reason = "" if math.isfinite(low) else "it does not vary with the rows drawn"
    return ScoreInterval(name, label, value, low, high, rows, reason)


def _statistics(spec: DatasetSpec, evaluation: Evaluation) -> Iterator[tuple[str, str, Statistic, int]]:
    """Name, class, statistic and number of rows of each metric."""
    if evaluation.task is Task.REGRESSION:
        yield from _of_numbers(spec, evaluation)
    else:
        yield from _of_classes(spec, evaluation)


def _of_numbers(spec: DatasetSpec, evaluation: Evaluation) -> Iterator[tuple[str, str, Statistic, int]]:
    truth, prediction = labels_of(evaluation.test).astype(np.float64), evaluation.test_prediction
    errors, n = np.abs(truth - prediction), len(truth)
    yield "rmse", "", weighted.mean_of(errors**2, root=True), n
    yield "mae", "", weighted.mean_of(errors), n
    yield "median_absolute_error", "", weighted.median_of(errors), n
    yield "r2", "", weighted.r2(truth, prediction), n
    if spec.ordinal:
        yield "quadratic_kappa", "", weighted.quadratic_kappa(truth, np.rint(prediction)), n


def _of_classes(spec: DatasetSpec, evaluation: Evaluation) -> Iterator[tuple[str, str, Statistic, int]]:
    labels, shares, said = labels_of(evaluation.test), evaluation.test_prediction, evaluation.test_said
    positions, classes, n = class_positions(labels, evaluation.classes), evaluation.classes, len(labels)
    one_hot = np.eye(len(classes), dtype=bool)[positions]
    correct, likeliest = said == positions, shares.argmax(axis=1) == positions
    yield "log_loss", "", weighted.mean_of(row_losses(evaluation.task, labels, shares, classes)), n
    yield "brier", "", weighted.mean_of(np.square(shares - one_hot).sum(axis=1)), n
    yield "ece", "", weighted.calibration_error(shares.max(axis=1), likeliest), n
    yield "accuracy", "", weighted.mean_of(correct.astype(np.float64)), n
    yield "balanced_accuracy", "", weighted.macro(positions, said, len(classes), "recall"), n
    yield "macro_f1", "", weighted.macro(positions, said, len(classes), "f1"), n
    yield "roc_auc", "", weighted.one_vs_rest("roc_auc", one_hot, shares), n
    yield "average_precision", "", weighted.one_vs_rest("average_precision", one_hot, shares), n
    if evaluation.costs:
        yield "mean_cost", "", weighted.mean_of(np.array(evaluation.costs)[positions, said]), n
    if spec.ordinal:
        ranks = ranks_of(spec, classes).astype(np.float64)
        yield "quadratic_kappa", "", weighted.quadratic_kappa(ranks[positions], ranks[said]), n
    for k, label in enumerate(classes[:MOST_CLASSES]):
        rows = int((positions == k).sum())
        for what in ("precision", "recall", "f1"):
            yield what, label, weighted.per_class(positions, said, k, what), rows
        yield "roc_auc", label, weighted.roc_auc(one_hot[:, k], shares[:, k]), rows
        yield "average_precision", label, weighted.average_precision(one_hot[:, k], shares[:, k]), rows
