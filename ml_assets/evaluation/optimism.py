"""How much better a model looks on the folds that chose it than on the test rows. Scores belong in `metrics`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.metrics import METRICS, row_losses
from ml_assets.evaluation.record import labels_of
from ml_assets.evaluation.wording import number, with_error

if TYPE_CHECKING:
    from ml_assets.evaluation.metrics import FloatArray
    from ml_assets.evaluation.record import Evaluation

NORMAL = 1.96
"""Standard errors beyond which a gap is more than noise, at 95 %."""


@dataclass(frozen=True)
class OptimismGap:
    """The primary metric on the rows that chose the model, and on those that did not; lower is better for both.

    Attributes:
        out_of_fold: pooled over the training rows, each predicted by a model that had not seen it.
        gap: out of fold minus test; negative where the model looked better than it turned out.
        standard_error: of the gap, over rows; NaN where it cannot be said.
    """

    out_of_fold: float
    test: float
    gap: float
    standard_error: float

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the gap is more than chance; None where nothing can be said."""
        if not (math.isfinite(self.gap) and self.standard_error > 0):
            return None
        return abs(self.gap) > NORMAL * self.standard_error


def optimism_gap(evaluation: Evaluation) -> OptimismGap:
    """The gap of one model between its out-of-fold and its test score.

    The two sets of rows have no row in common, so the variances of the two means add; that of a root mean squared
    error is by the delta method, SE(MSE) / (2 RMSE). Folds share training rows, which the error leaves out of account.
    """
    kept, test = (_score(evaluation, out_of_fold=flag) for flag in (True, False))
    return OptimismGap(kept[0], test[0], kept[0] - test[0], math.hypot(kept[1], test[1]))


def gap_words(evaluation: Evaluation, gap: OptimismGap) -> str:
    """What the gap means, for who does not know the word."""
    label = METRICS[evaluation.task][evaluation.metric].label
    found = gap.beyond_noise
    if found is None:
        return (
            f"Whether the {label} on the folds flatters the model cannot be said: too few rows, or a score that is no "
            "number."
        )
    start = (
        f"On the folds that chose the model its {label} is {number(gap.out_of_fold)}, on the test rows, which had no "
        f"part in choosing, {number(gap.test)}. The difference (optimism gap, out of fold minus test) is "
        f"{with_error(gap.gap, gap.standard_error)}"
    )
    if not found:
        return f"{start}, which is within the noise: nothing says that choosing among many models flattered the winner."
    if gap.gap < 0:
        return f"{start}, more than noise: the score on the folds flatters the model, so go by that on the test rows."
    return (
        f"{start}, more than noise, and in the model's favour: the test rows are easier than the training rows, so the "
        "score on the folds is the safer promise."
    )


def _score(evaluation: Evaluation, *, out_of_fold: bool) -> tuple[float, float]:
    """Primary metric and its standard error over rows; NaN for what cannot be said."""
    table = evaluation.oof if out_of_fold else evaluation.test
    prediction = evaluation.oof_prediction if out_of_fold else evaluation.test_prediction
    losses: FloatArray = row_losses(evaluation.task, labels_of(table), prediction, evaluation.classes)
    if len(losses) < 2 or not np.isfinite(losses).all():
        return math.nan, math.nan
    mean, error = float(losses.mean()), float(losses.std(ddof=1)) / math.sqrt(len(losses))
    if evaluation.task is not Task.REGRESSION:
        return mean, error
    root = math.sqrt(mean)
    return root, error / (2 * root) if root > 0 else 0.0
