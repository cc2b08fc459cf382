"""Metrics of weighted rows, many weightings at once, for the bootstrap. Plain metrics are in `metrics`.

Each function takes what rows show and gives a `bca.Statistic`. With all weights 1 the values are those of `metrics`,
`ordinal` and `contract_scores`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ml_assets.evaluation.metrics import ECE_BINS, FloatArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.evaluation.bca import Statistic


def mean_of(values: FloatArray, *, root: bool = False) -> Statistic:
    """Weighted mean of `values` (n,), or its square root."""

    def statistic(weights: FloatArray) -> FloatArray:
        mean: FloatArray = weights @ values / weights.sum(axis=1)
        return np.sqrt(mean) if root else mean

    return statistic


def median_of(values: FloatArray) -> Statistic:
    """Weighted median of `values` (n,): the mean of the two in the middle, where half of the weight is below."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]

    def statistic(weights: FloatArray) -> FloatArray:
        below = weights[:, order].cumsum(axis=1)
        half = below[:, -1:] / 2
        low = (below < half - 1e-9).sum(axis=1)
        high = (below <= half + 1e-9).sum(axis=1)
        middle: FloatArray = (ordered[low] + ordered[np.minimum(high, len(ordered) - 1)]) / 2
        return middle

    return statistic


def r2(truth: FloatArray, prediction: FloatArray) -> Statistic:
    """Share of the variance explained; NaN where the drawn truths are all the same."""
    columns = np.column_stack([np.ones(len(truth)), truth - truth.mean(), (truth - truth.mean()) ** 2])
    errors = (truth - prediction) ** 2

    def statistic(weights: FloatArray) -> FloatArray:
        total, first, second = (weights @ columns).T
        spread = second - first**2 / total
        with np.errstate(divide="ignore", invalid="ignore"):
            found: FloatArray = np.where(
                spread > 1e-12 * np.maximum(second, 1e-300), 1 - weights @ errors / spread, np.nan
            )
        return found

    return statistic


def per_class(positions: NDArray[np.intp], said: NDArray[np.intp], k: int, what: str) -> Statistic:
    """`precision`, `recall` or `f1` of class `k`; NaN where it is neither true nor said in a draw."""
    columns = np.column_stack([(positions == k) & (said == k), positions == k, said == k]).astype(np.float64)

    def statistic(weights: FloatArray) -> FloatArray:
        hits, actual, named = (weights @ columns).T
        top, bottom = {"precision": (hits, named), "recall": (hits, actual), "f1": (2 * hits, actual + named)}[what]
        return _ratio(top, bottom)

    return statistic


def macro(positions: NDArray[np.intp], said: NDArray[np.intp], classes: int, what: str) -> Statistic:
    """Mean of `per_class` over the classes that have it in a draw."""
    parts = [per_class(positions, said, k, what) for k in range(classes)]

    def statistic(weights: FloatArray) -> FloatArray:
        return _mean_defined(np.stack([part(weights) for part in parts]))

    return statistic


def roc_auc(is_class: NDArray[np.bool_], scores: FloatArray) -> Statistic:
    """Chance that a row of the class has the higher score, ties half; NaN where a draw has only one side."""
    order, block = _ranked(scores)
    positive = is_class[order].astype(np.float64)

    def statistic(weights: FloatArray) -> FloatArray:
        ordered = weights[:, order]
        yes = np.add.reduceat(ordered * positive, block, axis=1)
        no = np.add.reduceat(ordered * (1 - positive), block, axis=1)
        above = no.cumsum(axis=1) - no
        wins = (yes * (no.sum(axis=1, keepdims=True) - above - no / 2)).sum(axis=1)
        return _ratio(wins, yes.sum(axis=1) * no.sum(axis=1))

    return statistic


def average_precision(is_class: NDArray[np.bool_], scores: FloatArray) -> Statistic:
    """Area under precision over recall, as steps; NaN where a draw has no row of the class."""
    order, block = _ranked(scores)
    positive = is_class[order].astype(np.float64)

    def statistic(weights: FloatArray) -> FloatArray:
        ordered = weights[:, order]
        yes = np.add.reduceat(ordered * positive, block, axis=1)
        seen = np.add.reduceat(ordered, block, axis=1).cumsum(axis=1)
        precision = _ratio(yes.cumsum(axis=1), seen)
        return _ratio(np.nansum(yes * precision, axis=1), yes.sum(axis=1))

    return statistic


def one_vs_rest(make: str, one_hot: NDArray[np.bool_], probabilities: FloatArray) -> Statistic:
    """Mean over classes of `roc_auc` or `average_precision`, of those that have it in a draw."""
    kind = {"roc_auc": roc_auc, "average_precision": average_precision}[make]
    parts = [kind(one_hot[:, k], probabilities[:, k]) for k in range(probabilities.shape[1])]

    def statistic(weights: FloatArray) -> FloatArray:
        return _mean_defined(np.stack([part(weights) for part in parts]))

    return statistic


def calibration_error(confidence: FloatArray, correct: NDArray[np.bool_], bins: int = ECE_BINS) -> Statistic:
    """Expected calibration error over the bins of all rows, which stay as they are in every draw."""
    edges = np.unique(np.quantile(confidence, np.arange(1, bins) / bins, method="inverted_cdf"))
    member = np.searchsorted(edges, confidence, side="left")[:, None] == np.arange(len(edges) + 1)
    gaps = member * (confidence - correct)[:, None]

    def statistic(weights: FloatArray) -> FloatArray:
        found: FloatArray = np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)
        return found

    return statistic


def quadratic_kappa(truth: FloatArray, said: FloatArray) -> Statistic:
    """Agreement of two ratings beyond chance, near misses counting more than far ones."""
    columns = np.column_stack([np.ones(len(truth)), truth, said, truth**2, said**2, (truth - said) ** 2])

    def statistic(weights: FloatArray) -> FloatArray:
        total, a, b, aa, bb, apart = (weights @ columns).T
        chance = aa / total - (a / total) ** 2 + bb / total - (b / total) ** 2 + ((a - b) / total) ** 2
        return 1 - _ratio(apart / total, chance)

    return statistic


def _ranked(scores: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order from the highest score down, and where each block of equal scores begins."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) != 0]))
    return order, starts


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = np.where(bottom > 0, top / bottom, np.nan)
    return found


def _mean_defined(parts: FloatArray) -> FloatArray:
    """Mean over the first axis of what is not NaN."""
    known = np.isfinite(parts)
    return _ratio(np.where(known, parts, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))
