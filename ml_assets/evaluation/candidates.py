"""What a stored pipeline says of rows it never saw, or why it cannot be asked about them. Comparing is the `gate`'s."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.coverage import coverage_scores
from ml_assets.evaluation.decisions import cost_matrix
from ml_assets.evaluation.evaluate import predict, predict_ms, true_values
from ml_assets.evaluation.gate_limits import COVERAGE, Answers
from ml_assets.evaluation.record import prediction_columns

if TYPE_CHECKING:
    from collections.abc import Callable


def features_of(contract: Mapping[str, Any], default: Sequence[str]) -> tuple[str, ...]:
    """Columns that a model takes, by the contract it was made under; `default` where that is not kept."""
    columns = contract.get("columns")
    if not isinstance(columns, Mapping):
        return tuple(default)
    left_out = {name for name, c in columns.items() if c.get("sensitive") is not None or c.get("ignored") is not None}
    return tuple(name for name in columns if name != contract.get("target") and name not in left_out)


def why_not_askable(spec: DatasetSpec, table: pd.DataFrame, pipeline: Any, contract: Mapping[str, Any]) -> str:
    """Why a pipeline made under another contract cannot be asked about today's rows; empty where it can."""
    target = contract.get("target", spec.target)
    if target != spec.target:
        return f"it predicts '{target}', and the contract's target is '{spec.target}'"
    if (spec.task is Task.CLASSIFICATION) != hasattr(pipeline, "classes_"):
        return f"it was made for another task than {spec.task.value}"
    missing = [name for name in features_of(contract, spec.feature_columns) if name not in table.columns]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"it takes column '{missing[0]}'{more}, which today's table does not have"
    return ""


def answers_of(
    spec: DatasetSpec,
    rows: pd.DataFrame,
    pipeline: Any,
    *,
    contract: Mapping[str, Any],
    costs: Mapping[str, Mapping[str, float]],
    model_bytes: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Answers:
    """A pipeline's answers for clean rows of classes it knows; rows of other classes are left out.

    Args:
        spec: today's contract.
        rows: that the pipeline was not trained on.
        pipeline: a fitted one that can be asked about them.
        contract: that it was made under, as JSON has it.
        costs: by which it says a class.
        model_bytes: size of its file.
        clock: monotonic seconds; the time to predict is measured only where the contract limits it, as coverage is.

    Raises:
        KeyError, TypeError, ValueError: what the pipeline raises of rows that do not suit it.
    """
    classes = tuple(map(str, pipeline.classes_)) if spec.task is Task.CLASSIFICATION else ()
    if classes:
        rows = rows[rows[spec.target].isin(classes)]
    taken = rows[list(features_of(contract, spec.feature_columns))]
    columns = prediction_columns(spec.task, classes)
    prediction = predict(spec.task, pipeline, taken)
    table = pd.DataFrame(prediction.reshape(len(rows), len(columns)), index=rows.index, columns=columns)
    table.insert(0, "y", true_values(spec, rows))
    limited = spec.limits.ms_per_1000_rows is not None
    known = {
        "megabytes": model_bytes / 1e6,
        "ms_per_1000_rows": predict_ms(spec.task, pipeline, taken, clock) if limited else math.nan,
    }
    if spec.promotion.limits.smallest_coverage is not None:
        held = coverage_scores(spec, pipeline, taken, true_values(spec, rows), prediction, classes)
        known["coverage"] = held.get(COVERAGE, math.nan)
    return Answers(spec.task, table, classes, cost_matrix(classes, costs), known)
