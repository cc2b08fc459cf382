"""How differently a model serves the groups of a sensitive column, by fairlearn's metrics. Limits: `gate_limits`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.record import Evaluation, labels_of
from ml_assets.evaluation.slices import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

FEWEST_ROWS: Final = 30
"""Rows of a group, below which it is left out of a gap."""


@dataclass(frozen=True)
class GroupGap:
    """A metric by group of one sensitive column.

    Attributes:
        column: the sensitive column.
        metric: `rmse`, `mean_error`, `accuracy`, `selection_rate` or `true_positive_rate`.
        label: the class that rates are of; empty for others.
        difference: largest minus smallest over the groups.
        ratio: smallest over largest; NaN where that means nothing.
        lowest: the group with the smallest value, `highest` that with the largest.
        groups: how many were compared.
        left_out: groups with fewer than `FEWEST_ROWS` rows.
    """

    column: str
    metric: str
    label: str
    difference: float
    ratio: float
    lowest: str
    highest: str
    groups: int
    left_out: tuple[str, ...]


def group_gaps(spec: DatasetSpec, rows: pd.DataFrame, evaluation: Evaluation) -> tuple[GroupGap, ...]:
    """Gaps over the groups of each sensitive column, by out-of-fold predictions; numbers are cut into quarters.

    For classes, the selection rate is how often a class is said (its difference is the demographic parity difference),
    and the true positive rate how often it is said where it is true (its difference is that of equal opportunity),
    class by class, or of the last class where there are two (Bird et al. 2020, "Fairlearn").
    """
    found: list[GroupGap] = []
    for name, column in spec.columns.items():
        if column.sensitive is None or column.dtype == "text":
            continue
        groups = np.full(len(rows), "", dtype=object)
        for label, members in parts_of(column, rows[name]):
            groups[np.asarray(members)] = label
        found += _gaps_of(name, groups, evaluation)
    return tuple(found)


def _gaps_of(column: str, groups: NDArray[Any], evaluation: Evaluation) -> Iterator[GroupGap]:
    names, sizes = np.unique(groups[groups != ""].astype(str), return_counts=True)
    small = tuple(str(name) for name, size in zip(names, sizes, strict=True) if size < FEWEST_ROWS)
    known = np.isfinite(evaluation.oof_prediction.reshape(len(groups), -1)).all(axis=1)
    kept = np.array([group != "" and group not in small for group in groups]) & known
    if len(set(groups[kept])) < 2:
        return
    truth, said = labels_of(evaluation.oof), _said(evaluation)
    for metric, label, functions in _metrics(evaluation):
        yield _gap(column, metric, label, functions, truth[kept], said[kept], groups[kept], small)


def _said(evaluation: Evaluation) -> NDArray[Any]:
    if evaluation.task is Task.REGRESSION:
        return evaluation.oof_prediction
    return np.asarray(evaluation.classes, dtype=object)[evaluation.oof_said]


def _metrics(evaluation: Evaluation) -> Iterator[tuple[str, str, Callable[..., float]]]:
    from fairlearn.metrics import selection_rate, true_positive_rate

    if evaluation.task is Task.REGRESSION:
        yield "rmse", "", lambda truth, said: float(np.sqrt(np.mean((truth - said).astype(np.float64) ** 2)))
        yield "mean_error", "", lambda truth, said: float(np.mean((said - truth).astype(np.float64)))
        return
    yield "accuracy", "", lambda truth, said: float(np.mean(truth == said))
    for label in evaluation.classes[-1:] if len(evaluation.classes) == 2 else evaluation.classes:
        yield "selection_rate", label, _of_class(selection_rate, label)
        yield "true_positive_rate", label, _of_class(true_positive_rate, label)


def _of_class(metric: Callable[..., float], label: str) -> Callable[..., float]:
    def one(truth: NDArray[Any], said: NDArray[Any]) -> float:
        return float(metric((truth == label).astype(int), (said == label).astype(int), pos_label=1))

    return one


def _gap(
    column: str,
    metric: str,
    label: str,
    function: Callable[..., float],
    truth: NDArray[Any],
    said: NDArray[Any],
    groups: NDArray[Any],
    small: tuple[str, ...],
) -> GroupGap:
    from fairlearn.metrics import MetricFrame

    def measured(y_true: Any, y_pred: Any) -> float:
        return function(np.asarray(y_true), np.asarray(y_pred))

    frame = MetricFrame(metrics=measured, y_true=truth, y_pred=said, sensitive_features=groups.astype(str))
    by_group: Mapping[str, float] = frame.by_group.astype(float).to_dict()
    lowest, highest = min(by_group, key=lambda g: by_group[g]), max(by_group, key=lambda g: by_group[g])
    positive = by_group[highest] > 0 and by_group[lowest] >= 0
    return GroupGap(
        column=column,
        metric=metric,
        label=label,
        difference=float(frame.difference()),
        ratio=float(frame.ratio()) if positive else math.nan,
        lowest=str(lowest),
        highest=str(highest),
        groups=len(by_group),
        left_out=small,
    )
