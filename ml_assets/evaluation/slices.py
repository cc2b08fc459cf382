"""How wrong a model is on parts of the rows: slices of the sensitive columns. Saying so belongs in `card_data`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.metrics import FloatArray, row_losses
from ml_assets.evaluation.record import labels_of
from ml_assets.evaluation.wording import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from ml_assets.datasets.spec import Column
    from ml_assets.evaluation.record import Evaluation

PARTS: Final = 4
MOST_LABELS: Final = 12
SMALL: Final = 30
NORMAL: Final = 1.96
ALL_ROWS: Final = "all rows"


@dataclass(frozen=True)
class Slice:
    """The winner's errors on some of the training rows, each predicted by the model that had not seen it.

    Attributes:
        name: what the rows have in common.
        score: the primary metric; NaN where there is none.
        low: of the score's 95 % interval; NaN for fewer than two rows, as is `high`.
        second: mean of prediction minus truth for a regression, accuracy for a classification.
    """

    name: str
    rows: int
    score: float
    low: float
    high: float
    second: float

    @property
    def small(self) -> bool:
        """Whether there are too few rows for the score to say much."""
        return self.rows < SMALL


def error_slices(spec: DatasetSpec, table: pd.DataFrame, evaluation: Evaluation) -> dict[str, tuple[Slice, ...]]:
    """Out-of-fold errors by slice of each sensitive column, all rows first; a text has no slices.

    Numbers and dates are cut into quarters of the rows, or by value where there are no more than four; labels by
    label, the rarest together. The interval is normal theory for the logarithm of the mean loss: as good as the
    percentile bootstrap on squared errors of heavy tails (tried at 30 to 400 rows), and it never reaches below 0.

    Args:
        spec: the dataset's contract.
        table: the clean table that the model was trained on.
        evaluation: of the model.
    """
    rows = table.loc[evaluation.oof.index]
    losses = row_losses(evaluation.task, labels_of(evaluation.oof), evaluation.oof_prediction, evaluation.classes)
    seconds = _seconds(evaluation)
    known = np.isfinite(losses)
    return {
        name: tuple(
            _slice(evaluation.task, label, losses[members & known], seconds[members & known])
            for label, members in [(ALL_ROWS, known), *parts_of(column, rows[name])]
            if (members & known).any()
        )
        for name, column in spec.columns.items()
        if column.sensitive is not None and column.dtype != "text"
    }


def _slice(task: Task, name: str, losses: FloatArray, seconds: FloatArray) -> Slice:
    mean = float(losses.mean())
    error = float(losses.std(ddof=1)) / math.sqrt(len(losses)) if len(losses) > 1 else math.nan
    factor = math.exp(NORMAL * error / mean) if mean > 0 else math.nan
    score, low, high = (
        math.sqrt(value) if task is Task.REGRESSION else value for value in (mean, mean / factor, mean * factor)
    )
    return Slice(name, len(losses), score, low, high, float(seconds.mean()))


def _seconds(evaluation: Evaluation) -> FloatArray:
    truth = labels_of(evaluation.oof)
    if evaluation.task is Task.REGRESSION:
        return np.asarray(evaluation.oof_prediction - truth.astype(np.float64), dtype=np.float64)
    named = np.asarray(evaluation.classes, dtype=object)[evaluation.oof_said]
    return np.asarray(named == truth, dtype=np.float64)


def parts_of(column: Column, values: pd.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Name and members of each slice but `all rows`."""
    missing = values.isna().to_numpy()
    if column.dtype == "date":
        ordered = values.to_numpy().astype("datetime64[us]").astype(np.float64)
        yield from _quarters(np.where(missing, np.nan, ordered), _day)
    elif column.dtype in ("float", "integer"):
        yield from _quarters(values.to_numpy(dtype=np.float64), number)
    else:
        names = {1.0: "yes", 0.0: "no"} if column.dtype == "boolean" else {}
        yield from _by_label(values.map(lambda v: names.get(v, str(v)), na_action="ignore"))
    if missing.any():
        yield "missing", missing


def _quarters(values: FloatArray, write: Callable[[float], str]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Quarters of the rows, or each value where there are few; fewer quarters where values repeat."""
    present = values[~np.isnan(values)]
    distinct = np.unique(present)
    if len(distinct) <= PARTS:
        yield from ((write(value), values == value) for value in distinct)
        return
    inner = np.quantile(present, np.arange(1, PARTS) / PARTS, method="inverted_cdf")
    edges = [-math.inf, *np.unique(np.minimum(inner, distinct[-2])), math.inf]
    for low, high in pairwise(edges):
        if low == -math.inf:
            name = f"up to {write(high)}"
        else:
            name = f"over {write(low)}" + (f", up to {write(high)}" if high < math.inf else "")
        yield name, (values > low) & (values <= high)


def _by_label(labels: pd.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    counts = labels.value_counts()
    ranked = sorted(counts.index, key=lambda label: (-counts[label], label))
    kept = ranked if len(ranked) <= MOST_LABELS else ranked[: MOST_LABELS - 1]
    yield from ((str(label), (labels == label).to_numpy()) for label in kept)
    if rest := ranked[len(kept) :]:
        yield f"{len(rest)} others", labels.isin(rest).to_numpy()


def _day(microseconds: float) -> str:
    return str(np.datetime64(int(microseconds), "us").astype("datetime64[D]"))
