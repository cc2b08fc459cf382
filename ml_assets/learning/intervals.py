"""Intervals and sets as part of a model: from out-of-fold predictions, or from rows kept for that alone, to a pipeline.

The arithmetic is in `conformal`; how wide difficult rows' intervals are, in `difficulty`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn.pipeline import Pipeline

from ml_assets.datasets.spec import Task
from ml_assets.errors import SettingError
from ml_assets.evaluation.metrics import class_positions
from ml_assets.learning.conformal import Intervals, Sets, probability_ahead, threshold
from ml_assets.learning.difficulty import Difficulty, cross_fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.learning.search_result import SearchResult
    from ml_assets.learning.worker import TrainingRows

FEWEST_ERRORS: Final = 20
"""Rows with known errors below which a model has no intervals."""

NOISE: Final = 2.0
"""Standard errors by which adaptive intervals have to be better than plain ones."""
MOST_ERRORS: Final = 20_000
"""Rows whose errors a model keeps at most; the coverage they promise then moves by a fifth of a point."""


class ModelPipeline(Pipeline):  # type: ignore[misc]
    """A fitted pipeline that knows how far off it is: scikit-learn's, and the intervals or sets that belong to it.

    Attributes:
        intervals_: what its intervals or sets are made from.
    """

    intervals_: Intervals | Sets

    def predict_interval(self, rows: pd.DataFrame, coverage: float = 0.9) -> NDArray[np.float64]:
        """Lower and upper end of an interval for each raw row, (n, 2); the share `coverage` of them holds the truth.

        Raises:
            SettingError: the coverage cannot be promised, or the model is a classifier, which gives sets.
        """
        if not isinstance(self.intervals_, Intervals):
            raise SettingError("a classifier has no intervals: ask for `predict_set`")
        return self.intervals_.around(np.asarray(self.predict(rows), dtype=np.float64), rows, coverage)

    def predict_set(self, rows: pd.DataFrame, coverage: float = 0.9) -> NDArray[np.bool_]:
        """Whether each class (in the order of `classes_`) is in each raw row's set, (n, k); errors as above."""
        if not isinstance(self.intervals_, Sets):
            raise SettingError("a regression has no sets: ask for `predict_interval`")
        return self.intervals_.around(np.asarray(self.predict_proba(rows), dtype=np.float64), rows, coverage)


def with_intervals(pipeline: Pipeline, intervals: Intervals | Sets | None) -> Pipeline:
    """A pipeline of the same fitted steps that has `intervals`; itself where there are none."""
    if intervals is None:
        return pipeline
    made = ModelPipeline(pipeline.steps)
    made.intervals_ = intervals
    return made


def intervals_of(pipeline: Any) -> Intervals | Sets | None:
    """What a fitted pipeline's intervals or sets are made from; None where it has none."""
    return getattr(pipeline, "intervals_", None)


@dataclass(frozen=True, eq=False)
class Errors:
    """Rows that a model had not seen, and what it predicted of them.

    Attributes:
        rows: raw rows with feature columns and target, (n, …).
        prediction: (n,) numbers, or (n, k) probabilities in the order of the model's classes.
        difficulties: of the rows, by models that had not seen their errors, (n,); None where they are not known.
    """

    rows: pd.DataFrame
    prediction: NDArray[np.float64]
    difficulties: NDArray[np.float64] | None = None

    def thinned(self, most: int) -> Errors:
        """At most so many of the rows, drawn at random from more."""
        if len(self.rows) <= most:
            return self
        drawn = np.sort(np.random.default_rng(0).choice(len(self.rows), most, replace=False))
        kept = self.difficulties[drawn] if self.difficulties is not None else None
        return Errors(self.rows.iloc[drawn], self.prediction[drawn], kept)


def difficulty_of(
    rows: TrainingRows, searches: Mapping[str, SearchResult]
) -> tuple[Difficulty, NDArray[np.float64]] | None:
    """What foretells how difficult a row is, and the difficulty of the training rows by models of the other folds.

    It is learned once, from the out-of-fold errors of the family with the best score: rows that are difficult to one
    are difficult to the others. Each family's intervals hold what they promise in any case; they may be wider. None for
    a classification, whose probabilities say what is difficult, and where the contract asks for intervals of one width.
    """
    if rows.spec.task is Task.CLASSIFICATION or rows.spec.intervals.method == "plain" or not searches:
        return None
    best = min(searches.values(), key=lambda found: found.score)
    errors = np.abs(rows.target.astype(np.float64) - best.oof)
    crossed = cross_fitted(rows.spec, rows.table, errors, rows.fold, seed=rows.seed)
    return Difficulty(rows.seed).fit(rows.spec, rows.table, errors), crossed


def fit_intervals(
    spec: DatasetSpec, known: Errors, *, classes: tuple[str, ...] = (), difficulty: Difficulty | None = None
) -> Intervals | Sets | None:
    """Intervals of a regression, or sets of a classification; None with fewer than `FEWEST_ERRORS` rows.

    With `method: auto`, a regression's are adaptive where that makes the interval score (Gneiting & Raftery 2007, eq.
    43) of the known rows lower, beyond the noise, at the contract's coverage: narrower, or missing the truth by less.
    """
    if len(known.rows) < FEWEST_ERRORS:
        return None
    known = known.thinned(MOST_ERRORS)
    group = spec.intervals.groups
    groups = known.rows[group].astype(object).to_numpy() if group is not None else None
    if spec.task is Task.CLASSIFICATION:
        labels = known.rows[spec.target].astype(str).to_numpy(dtype=object)
        positions = class_positions(labels, classes)
        scores = probability_ahead(known.prediction)[np.arange(len(positions)), positions]
        unseen = tuple(label for at, label in enumerate(classes) if not (positions == at).any())
        return Sets(scores, groups, group, unseen)
    errors = np.abs(known.rows[spec.target].to_numpy(dtype=np.float64) - known.prediction)
    column = spec.columns[spec.target]
    limits = column.range if column.range is not None else (-math.inf, math.inf)
    plain = Intervals(errors, groups=groups, group=group, limits=limits)
    if known.difficulties is None or difficulty is None:
        return plain
    adaptive = Intervals(errors, known.difficulties, difficulty, groups, group, limits)
    coverage = spec.intervals.coverage
    gain = _scores(plain, coverage) - _scores(adaptive, coverage)
    noise = float(gain.std(ddof=1)) / math.sqrt(len(gain))
    return plain if spec.intervals.method == "auto" and gain.mean() <= NOISE * noise else adaptive


def _scores(intervals: Intervals, coverage: float) -> NDArray[np.float64]:
    """Interval score of each known row at `coverage`, (n,), lower is better."""
    share = intervals.difficulties if intervals.difficulties is not None else np.ones(len(intervals.errors))
    half = share * threshold(intervals.errors / share, coverage)
    missed = np.maximum(intervals.errors - half, 0.0)
    scores: NDArray[np.float64] = 2 * half + 2 / (1 - coverage) * missed
    return scores
