"""Limits of the contract that a model has to keep, measured on rows it never saw. What is not measured is not kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import DatasetSpec, Limits, Task
from ml_assets.evaluation.decisions import Costs, said_classes
from ml_assets.evaluation.effects import score_of
from ml_assets.evaluation.metrics import calibration_error, class_positions, row_losses
from ml_assets.evaluation.record import labels_of, prediction_columns
from ml_assets.evaluation.slices import parts_of
from ml_assets.evaluation.verdict import LimitResult, Part
from ml_assets.evaluation.wording import listed, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from ml_assets.datasets.judging import PromotionLimits
    from ml_assets.evaluation.metrics import FloatArray
    from ml_assets.evaluation.record import Evaluation

COVERAGE = "coverage_90"
GROUP_ROWS = 10
"""Rows below which a group is left out of the fairness gaps."""

WORDS: Mapping[str, str] = {
    "megabytes": "megabytes of the stored model",
    "ms_per_1000_rows": "milliseconds to predict 1000 rows",
    "ece": "expected calibration error",
    "coverage": "coverage of 90 % intervals",
    "fairness_gap": "gap between groups of a sensitive column",
    "selection_gap": "gap in how often a class is said, between groups of a sensitive column",
}


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said of rows it never saw.

    Attributes:
        table: column `y` and the predictions as an evaluation has them, by row id.
        classes: labels in the order of the probabilities; none for a regression.
        costs: by which a class is said.
        known: figures that were measured before, by the names of `WORDS`.
    """

    task: Task
    table: pd.DataFrame
    classes: tuple[str, ...] = ()
    costs: Costs = ()
    known: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, evaluation: Evaluation) -> Answers:
        """An evaluated model's answers on its test rows, and what was measured of it."""
        known = {
            "megabytes": evaluation.model_bytes / 1e6,
            "ms_per_1000_rows": evaluation.predict_ms_per_1000_rows,
            "coverage": evaluation.test_metrics.get(COVERAGE, math.nan),
        }
        return cls(evaluation.task, evaluation.test, evaluation.classes, evaluation.costs, known)

    @property
    def prediction(self) -> FloatArray:
        """Numbers (n,), or probabilities (n, k)."""
        values = self.table[prediction_columns(self.task, self.classes)].to_numpy(dtype=np.float64)
        return values[:, 0] if self.task is Task.REGRESSION else values

    @property
    def losses(self) -> pd.Series[float]:
        """Loss of each row by row id."""
        losses = row_losses(self.task, labels_of(self.table), self.prediction, self.classes)
        return pd.Series(losses, index=self.table.index, name="loss")

    @property
    def is_constant(self) -> bool:
        """Whether it says the same of every row, and there are rows to tell."""
        values = self.prediction
        return len(values) > 1 and bool(np.ptp(values, axis=0).max() == 0)


def measured(spec: DatasetSpec, rows: pd.DataFrame, answers: Answers) -> dict[str, float]:
    """Figures by the names of `WORDS`, those that the contract limits; NaN where nothing can be measured.

    Args:
        spec: the contract.
        rows: clean rows that hold those of the answers.
        answers: of the model.
    """
    wanted = {name for name, _, _ in _asked(spec.limits, spec.promotion.limits)}
    found = {name: value for name, value in answers.known.items() if name in wanted}
    prediction = answers.prediction
    if len(prediction) == 0 or not np.isfinite(prediction).all():
        return {**dict.fromkeys(wanted, math.nan), **found}
    makers: dict[str, Callable[[], float]] = {
        "ece": lambda: _ece(answers),
        "fairness_gap": lambda: max(_gaps(spec, rows, answers), default=math.nan),
        "selection_gap": lambda: max(_selection_gaps(spec, rows, answers), default=math.nan),
    }
    return {**found, **{name: make() for name, make in makers.items() if name in wanted}}


def check_limits(limits: Limits, rules: PromotionLimits, values: Mapping[str, float]) -> tuple[LimitResult, ...]:
    """Each limit that the contract sets, and whether a model with these figures keeps it."""
    return tuple(
        _check(name, limit, values.get(name, math.nan), upper=upper) for name, limit, upper in _asked(limits, rules)
    )


def limits_part(results: tuple[LimitResult, ...]) -> Part:
    """Whether the limits let a model pass, in words."""
    if not results:
        return Part("limits", "not asked", "the contract sets no limits")
    broken = [one.words for one in results if one.state == "failed"]
    unsaid = [one.words for one in results if one.state == "cannot be said"]
    if broken:
        return Part("limits", "failed", "; ".join(broken + unsaid))
    if unsaid:
        return Part("limits", "cannot be said", "; ".join(unsaid))
    return Part("limits", "passed", f"keeps the contract's limits of {listed([WORDS[one.name] for one in results])}")


def _asked(limits: Limits, rules: PromotionLimits) -> list[tuple[str, float, bool]]:
    """Name, limit, and whether it is an upper one."""
    every = [
        ("megabytes", limits.megabytes, True),
        ("ms_per_1000_rows", limits.ms_per_1000_rows, True),
        ("ece", rules.largest_ece, True),
        ("coverage", rules.smallest_coverage, False),
        ("fairness_gap", rules.largest_fairness_gap, True),
        ("selection_gap", rules.largest_selection_gap, True),
    ]
    return [(name, limit, upper) for name, limit, upper in every if limit is not None]


def _check(name: str, limit: float, value: float, *, upper: bool) -> LimitResult:
    what = WORDS[name]
    if not math.isfinite(value):
        return LimitResult(name, limit, math.nan, "cannot be said", f"{what}: not measured, and the limit is {limit:g}")
    keeps = value <= limit if upper else value >= limit
    words = f"{what}: {number(value, 3)}, and the limit is {'at most' if upper else 'at least'} {limit:g}"
    return LimitResult(name, limit, value, "passed" if keeps else "failed", words)


def _ece(answers: Answers) -> float:
    if answers.task is Task.REGRESSION:
        return math.nan
    probabilities = answers.prediction
    right = probabilities.argmax(axis=1) == class_positions(labels_of(answers.table), answers.classes)
    return calibration_error(probabilities.max(axis=1), right)


def _groups(spec: DatasetSpec, rows: pd.DataFrame) -> Iterator[list[NDArray[np.bool_]]]:
    """Of each sensitive column the members of its groups that have rows enough."""
    for name, column in spec.columns.items():
        if column.sensitive is not None and column.dtype != "text":
            yield [members for _, members in parts_of(column, rows[name]) if members.sum() >= GROUP_ROWS]


def _gaps(spec: DatasetSpec, rows: pd.DataFrame, answers: Answers) -> list[float]:
    """Largest difference between groups, of each sensitive column with two groups at least.

    Of accuracy, as fairlearn's `MetricFrame.difference` has it; of RMSE, as a share of that of all rows.
    """
    inside = rows.loc[answers.table.index]
    if answers.task is Task.REGRESSION:
        losses = answers.losses.to_numpy()
        whole = float(np.sqrt(losses.mean()))
        if whole == 0:
            return []

        def figure(members: NDArray[np.bool_]) -> float:
            return float(score_of(answers.task, losses[members].mean())) / whole
    else:
        positions = class_positions(labels_of(answers.table), answers.classes)
        right = said_classes(answers.prediction, answers.costs) == positions

        def figure(members: NDArray[np.bool_]) -> float:
            return float(right[members].mean())

    found = [[figure(members) for members in groups] for groups in _groups(spec, inside)]
    return [max(values) - min(values) for values in found if len(values) > 1]


def _selection_gaps(spec: DatasetSpec, rows: pd.DataFrame, answers: Answers) -> list[float]:
    """Demographic parity difference of the class for which it is largest, of each sensitive column with two groups."""
    if answers.task is Task.REGRESSION:
        return []
    said = np.eye(len(answers.classes))[said_classes(answers.prediction, answers.costs)]
    found = [
        [said[members].mean(axis=0) for members in groups] for groups in _groups(spec, rows.loc[answers.table.index])
    ]
    return [float(np.ptp(np.array(shares), axis=0).max()) for shares in found if len(shares) > 1]
