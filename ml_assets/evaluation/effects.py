"""How large a difference between two models is: in units of the score, and as a share of it, with intervals.

Whether it is more than noise is said by `significance` and `bootstrap`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.bootstrap import DRAWS, percentiles, resampled_means

if TYPE_CHECKING:
    from ml_assets.evaluation.metrics import FloatArray


@dataclass(frozen=True)
class Effect:
    """By how much a candidate is better than a reference on the same rows; positive is better.

    Attributes:
        reference: primary metric of the reference: RMSE in the target's units, or log loss in nats.
        candidate: that of the candidate.
        difference: reference minus candidate.
        interval: of the difference, percentile bootstrap over rows.
        share: the difference as a share of the reference's score.
        share_interval: of the share, likewise.
    """

    reference: float
    candidate: float
    difference: float
    interval: tuple[float, float]
    share: float
    share_interval: tuple[float, float]


def score_of(task: Task, mean_loss: FloatArray) -> FloatArray:
    """The primary metric whose mean loss per row this is: its root for a regression; a mean below 0 counts as 0."""
    losses = np.asarray(mean_loss, dtype=np.float64)
    made: FloatArray = np.sqrt(np.maximum(losses, 0.0)) if task is Task.REGRESSION else losses
    return made


def loss_factor(task: Task, share: float) -> float:
    """What a mean loss is multiplied by where the score is `share` higher: its square for RMSE."""
    return float((1 + share) ** 2 if task is Task.REGRESSION else 1 + share)


def effect(task: Task, losses: FloatArray, *, seed: int, draws: int = DRAWS, confidence: float = 0.95) -> Effect:
    """The effect on rows of which each model's loss is given.

    Args:
        task: what the losses are of: squared errors, or negative log likelihoods.
        losses: of the reference and of the candidate, (n, 2).
        seed: of the bootstrap.
        draws: its resamples.
        confidence: of the intervals.
    """
    if len(losses) < 2 or not np.isfinite(losses).all():
        return effect_of(task, losses, np.full((1, 2), np.nan), confidence=confidence)
    return effect_of(task, losses, resampled_means(losses, draws=draws, seed=seed), confidence=confidence)


def effect_of(task: Task, losses: FloatArray, drawn: FloatArray, *, confidence: float) -> Effect:
    """The same, from mean losses (draws, 2) of rows that were drawn already; NaN as intervals where they are."""
    old, new = (float(v) for v in score_of(task, losses.mean(axis=0))) if len(losses) else (math.nan, math.nan)
    scores = score_of(task, drawn)
    difference = scores[:, 0] - scores[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        intervals = percentiles(np.column_stack([difference, difference / scores[:, 0]]), confidence)
    return Effect(
        reference=old,
        candidate=new,
        difference=old - new,
        interval=(float(intervals[0, 0]), float(intervals[0, 1])),
        share=(old - new) / old if old > 0 else math.nan,
        share_interval=(float(intervals[1, 0]), float(intervals[1, 1])),
    )


def loss_as_score(task: Task, reference_loss: float, difference: float) -> float:
    """By how much the score falls when the mean loss falls from `reference_loss` by `difference`; at most to 0."""
    before, after = score_of(task, np.array([reference_loss, reference_loss - difference]))
    return float(before - max(after, 0.0))
