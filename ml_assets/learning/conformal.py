"""Intervals and sets that hold the truth as often as they promise, from errors on rows a model had not seen.

Which errors those are, and how they become part of a model, is decided in `intervals`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_assets.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ml_assets.learning.difficulty import Difficulty


@dataclass(frozen=True, eq=False)
class Intervals:
    """Prediction intervals of a regression: conformal, by groups where the contract names some.

    An interval is the prediction plus or minus a quantile of what was seen on rows the model had not seen: absolute
    errors, or absolute errors over the row's difficulty, times its difficulty (Papadopoulos et al. 2002; Lei et al.
    2018, "Distribution-free predictive inference for regression", section 5.2).

    Attributes:
        errors: absolute errors on those rows, (n,).
        difficulties: of the same rows, by models that had not seen their errors, (n,); None for intervals of one width.
        difficulty: what foretells the difficulty of other rows.
        groups: group of each of the rows, (n,), or None.
        group: column that groups are of.
        limits: least and largest number that the target can be.
    """

    errors: NDArray[np.float64]
    difficulties: NDArray[np.float64] | None = None
    difficulty: Difficulty | None = None
    groups: NDArray[Any] | None = None
    group: str | None = None
    limits: tuple[float, float] = (-math.inf, math.inf)

    @property
    def is_adaptive(self) -> bool:
        """Whether difficult rows get wider intervals."""
        return self.difficulties is not None

    def around(self, prediction: NDArray[np.float64], rows: pd.DataFrame, coverage: float) -> NDArray[np.float64]:
        """Lower and upper end of each row's interval, (n, 2).

        Args:
            prediction: the model's, (n,).
            rows: the raw rows, with the feature columns.
            coverage: share of intervals that hold the truth, between 0 and 1.

        Raises:
            SettingError: the coverage makes no sense, or there were too few errors for it.
        """
        check_coverage(coverage, len(self.errors))
        sigmas = self.difficulty.predict(rows) if self.difficulty is not None and self.is_adaptive else 1.0
        scores = self.errors if self.difficulties is None else self.errors / self.difficulties
        widths = sigmas * _thresholds(scores, self.groups, self.group, rows, coverage)
        return np.clip(np.column_stack([prediction - widths, prediction + widths]), *self.limits)


@dataclass(frozen=True, eq=False)
class Sets:
    """Prediction sets of a classification: adaptive, never empty.

    A class belongs to a row's set if the classes that are likelier together have no more probability than is usual for
    those likelier than the true one. That is the score of Romano, Sesia & Candès 2020, "Classification with valid and
    adaptive coverage", without the class's own probability and without chance: the likeliest class is always in the
    set, and a model that is right more often than the coverage asks for gives sets of one class, which then hold the
    truth more often than promised.

    Attributes:
        scores: probability of all classes likelier than the true one, on rows the model had not seen, (n,).
        groups: group of each of the rows, (n,), or None.
        group: column that groups are of.
        unseen: classes that none of those rows has; the promise is about all rows together, and says nothing of them.
    """

    scores: NDArray[np.float64]
    groups: NDArray[Any] | None = None
    group: str | None = None
    unseen: tuple[str, ...] = ()

    def around(self, probabilities: NDArray[np.float64], rows: pd.DataFrame, coverage: float) -> NDArray[np.bool_]:
        """Whether each class is in each row's set, (n, k); arguments and errors as of `Intervals.around`."""
        check_coverage(coverage, len(self.scores))
        limits = _thresholds(self.scores, self.groups, self.group, rows, coverage)
        return probability_ahead(probabilities) <= limits[:, None]


def probability_ahead(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row and class the probability of all classes that are likelier, (n, k); 0 for the likeliest.

    Of equally likely classes the earlier counts as likelier. Sums are rounded to 12 digits, lest rounding decides.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ordered = np.take_along_axis(probabilities, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    ahead = np.empty_like(before)
    np.put_along_axis(ahead, order, np.maximum(np.round(before, 12), 0.0), axis=1)
    return ahead


def largest_coverage(errors: int) -> float:
    """Largest coverage that so many errors can promise: with n of them, n / (n + 1)."""
    return errors / (errors + 1)


def check_coverage(coverage: float, errors: int) -> None:
    """Refuses a coverage that makes no sense or that `errors` rows cannot promise.

    Raises:
        SettingError: it is so.
    """
    if not 0 < coverage < 1:
        raise SettingError(f"a coverage of {coverage:g} makes no sense: give a number between 0 and 1, such as 0.9")
    if coverage > largest_coverage(errors):
        raise SettingError(
            f"a coverage of {coverage:g} cannot be promised: the model's errors are known on {errors} rows, which is "
            f"enough for {largest_coverage(errors):.3g} at most"
        )


def threshold(scores: NDArray[np.float64], coverage: float) -> float:
    """The score that a new row's is at most with probability `coverage`, if it comes as the `scores` (n,) did.

    The k-th smallest, k = ⌈(n + 1) coverage⌉ (Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World").
    The product is rounded to nine digits first, lest a rounding error asks for the next larger score.
    """
    place = math.ceil(round((len(scores) + 1) * coverage, 9))
    return float(np.partition(scores, place - 1)[place - 1])


def _thresholds(
    scores: NDArray[np.float64], groups: NDArray[Any] | None, column: str | None, rows: pd.DataFrame, coverage: float
) -> NDArray[np.float64]:
    """Threshold of each row (n,): that of its group's scores, or of all where its group has too few or is unknown."""
    found = np.full(len(rows), threshold(scores, coverage))
    if groups is None or column is None:
        return found
    own = rows[column].astype(object).to_numpy()
    for label in dict.fromkeys(groups.tolist()):
        members = scores[groups == label]
        if coverage <= largest_coverage(len(members)):
            found[own == label] = threshold(members, coverage)
    return found
