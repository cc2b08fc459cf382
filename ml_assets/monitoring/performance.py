"""How the served model does live: load, refusals, its metric where labels came. Drift belongs in `drift`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.documents import read_document, write_document
from ml_assets.evaluation.metrics import primary_metric, row_losses

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.serving.prediction_log import LogSummary

FloatArray = npt.NDArray[np.float64]
DOCUMENT = "performance.json"
WORSE_BY_ERRORS = 3.0
WORSE_BY_SHARE = 0.1


@dataclass(frozen=True)
class LivePerformance:
    """Figures of one window.

    Attributes:
        state: "measured" only if at least `minimum_labels` rows have labels; `live` is None otherwise.
        metric: "rmse" or "log_loss"; lower is better.
        live: the metric over labelled rows, `live_standard_error` its standard error; it takes rows to be
            independent, and says nothing of rows whose labels never come.
        holdout: the same metric on the test rows before deployment, None if unknown.
        message: the same in a sentence.
        interval_rows: labelled rows whose callers asked for an interval or a set.
        interval_kept: share of these that held the label; None below `minimum_labels` rows, as is
            `interval_promised`, the mean of the coverages asked for.
    """

    dataset: str
    requests: int
    refused: int
    failed: int
    rows: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    labelled_rows: int
    minimum_labels: int
    state: Literal["no labels", "too few labels", "measured"]
    metric: str
    live: float | None
    live_standard_error: float | None
    holdout: float | None
    message: str
    interval_rows: int = 0
    interval_kept: float | None = None
    interval_promised: float | None = None

    @property
    def breaks_promise(self) -> bool:
        """Whether intervals or sets hold the truth less often than promised, by three standard errors."""
        if self.interval_kept is None or self.interval_promised is None:
            return False
        noise = math.sqrt(self.interval_promised * (1 - self.interval_promised) / self.interval_rows)
        return self.interval_kept < self.interval_promised - WORSE_BY_ERRORS * noise

    @property
    def is_worse(self) -> bool:
        """Whether live rows are predicted worse than the holdout: by three standard errors and by a tenth."""
        if self.live is None or self.live_standard_error is None or self.holdout is None:
            return False
        beyond_noise = self.live - self.holdout > WORSE_BY_ERRORS * self.live_standard_error
        return beyond_noise and self.live > self.holdout * (1 + WORSE_BY_SHARE)

    def save(self, folder: Path) -> None:
        """Writes `performance.json`."""
        write_document(folder / DOCUMENT, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        return cls(**read_document(folder / DOCUMENT))


def live_performance(
    summary: LogSummary,
    labelled: pd.DataFrame,
    spec: DatasetSpec,
    *,
    holdout: Mapping[str, float],
    minimum_labels: int = 50,
) -> LivePerformance:
    """Figures of the window that `summary` and `labelled` describe.

    Args:
        summary: of `PredictionLog.summary`.
        labelled: of `PredictionLog.labelled`, over the same period.
        spec: the contract.
        holdout: metrics of the champion on the test rows, by name.
        minimum_labels: fewer labelled rows give no figure.
    """
    metric = primary_metric(spec.task)
    before = holdout.get(metric)
    rows = len(labelled)
    live = error = None
    if rows >= max(minimum_labels, 1):
        live, error = _metric(spec.task, labelled)
    kept = _intervals_kept(spec.task, labelled)
    told = len(kept) >= max(minimum_labels, 1)
    state: Literal["no labels", "too few labels", "measured"] = "measured"
    if live is None:
        state = "too few labels" if rows else "no labels"
    return LivePerformance(
        dataset=spec.name,
        requests=summary.requests,
        refused=summary.refused,
        failed=summary.failed,
        rows=summary.rows,
        latency_p50_ms=summary.latency_p50_ms,
        latency_p95_ms=summary.latency_p95_ms,
        labelled_rows=rows,
        minimum_labels=minimum_labels,
        state=state,
        metric=metric,
        live=live,
        live_standard_error=error,
        holdout=before,
        message=_message(metric, live, error, before, rows=rows, minimum=minimum_labels)
        + _coverage_message(kept, told),
        interval_rows=len(kept),
        interval_kept=float(kept["held"].mean()) if told else None,
        interval_promised=float(kept["coverage"].mean()) if told else None,
    )


def _intervals_kept(task: Task, labelled: pd.DataFrame) -> pd.DataFrame:
    """Columns `coverage` and `held`: of each labelled row that was answered with an interval or a set."""
    asked = labelled[labelled["interval"].notna()] if "interval" in labelled else labelled.iloc[:0]
    found = [
        (
            told["coverage"],
            told["lower"] <= label <= told["upper"] if task is Task.REGRESSION else str(label) in told["set"],
        )
        for told, label in zip(asked.get("interval", ()), asked["label"], strict=True)
    ]
    return pd.DataFrame(found, columns=["coverage", "held"])


def _coverage_message(kept: pd.DataFrame, told: bool) -> str:
    if not told:
        return ""
    held, promised = kept["held"].mean(), kept["coverage"].mean()
    return f"; {held:.1%} of {len(kept)} intervals held the truth, {promised:.1%} were promised"


def _metric(task: Task, labelled: pd.DataFrame) -> tuple[float, float]:
    """Primary metric and its standard error, that of the RMSE by the delta method."""
    if task is Task.REGRESSION:
        actual = labelled["label"].to_numpy(dtype=np.float64)
        losses = row_losses(task, actual, labelled["prediction"].to_numpy(dtype=np.float64))
    else:
        losses = _log_losses(labelled)
    mean, error = float(losses.mean()), _standard_error(losses)
    if task is Task.CLASSIFICATION:
        return mean, error
    rmse = float(np.sqrt(mean))
    return rmse, error / (2 * rmse) if rmse > 0 else 0.0


def _log_losses(labelled: pd.DataFrame) -> FloatArray:
    """Loss of each row; a label that the model of that row does not know had probability 0."""
    answers = labelled["probabilities"]
    classes = sorted({str(c) for answer in answers for c in answer} | set(labelled["label"].astype(str)))
    probabilities = np.array([[answer.get(c) or 0.0 for c in classes] for answer in answers], dtype=np.float64)
    return row_losses(Task.CLASSIFICATION, labelled["label"].astype(str).to_numpy(), probabilities, classes)


def _standard_error(losses: FloatArray) -> float:
    return float(losses.std(ddof=1) / np.sqrt(len(losses))) if len(losses) > 1 else float("inf")


def _message(
    metric: str, live: float | None, error: float | None, holdout: float | None, *, rows: int, minimum: int
) -> str:
    if live is None:
        known = f"{rows} rows have a label" if rows else "no row has a label yet"
        return f"live {metric} unknown: {known}, at least {minimum} are needed"
    against = f"{holdout:.4g} on the holdout" if holdout is not None else "an unknown holdout figure"
    return f"live {metric} {live:.4g} (standard error {error:.2g}) over {rows} labelled rows, against {against}"
