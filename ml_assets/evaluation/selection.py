"""By how much choosing among many settings flatters the one that was chosen. Fresh test rows: `optimism`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_assets.evaluation.metrics import METRICS
from ml_assets.evaluation.record import Evaluation
from ml_assets.evaluation.wording import number, percent


@dataclass(frozen=True)
class SelectionGap:
    """The best cross-validated score, and what choosing in the same way gives on folds that had no part in it.

    Attributes:
        settings: how many were chosen among.
        plain: score of the best setting, over the folds that chose it.
        nested: for each fold, the score of the setting that is best on the other folds; their mean.
    """

    settings: int
    plain: float
    nested: float

    @property
    def gap(self) -> float:
        """Nested minus plain: positive where choosing flatters."""
        return self.nested - self.plain


def selection_gap(fold_scores: Sequence[Sequence[float]], *, folds_each: int | None = None) -> SelectionGap | None:
    """The gap over all settings that went through every fold; None for fewer than two, or fewer than three folds.

    Nested in the choice, not in the search: the settings themselves were proposed by a search that had seen all folds,
    so that the truth may be somewhat worse (Cawley & Talbot 2010, "On over-fitting in model selection", section 5).
    Settings with another number of folds than most are left out.

    Args:
        fold_scores: of each setting, lower is better, in the order of the folds.
        folds_each: folds of one repeat, where the cross-validation was repeated; choosing is within each repeat.
    """
    complete = [tuple(scores) for scores in fold_scores if len(scores) > 0 and np.isfinite(scores).all()]
    if not complete:
        return None
    folds = Counter(map(len, complete)).most_common(1)[0][0]
    table = np.array([scores for scores in complete if len(scores) == folds])
    if len(table) < 2 or (folds_each or folds) < 3:
        return None
    each = folds_each if folds_each and folds % folds_each == 0 else folds
    by_repeat = table.reshape(len(table), -1, each)
    others = ((by_repeat.sum(axis=2, keepdims=True) - by_repeat) / (each - 1)).reshape(table.shape)
    nested = table[others.argmin(axis=0), np.arange(folds)].mean()
    return SelectionGap(len(table), float(table.mean(axis=1).min()), float(nested))


def selection_words(evaluation: Evaluation, gap: SelectionGap | None) -> str:
    """What choosing cost, for a page; empty where it cannot be said."""
    if gap is None:
        return ""
    label = METRICS[evaluation.task][evaluation.metric].label
    start = (
        f"{gap.settings} settings of all families went through every fold, and the best of them has a {label} of "
        f"{number(gap.plain)} on the folds that chose it. Chosen for each fold on the others alone, it would have been "
        f"{number(gap.nested)} (nested minus plain: {number(gap.gap, 2)}"
    )
    share = f", {percent(abs(gap.gap) / gap.plain)} of the score" if gap.plain > 0 else ""
    return f"{start}{share}): that is by how much choosing flatters."
