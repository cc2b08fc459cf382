"""Several families' models as one: the ensemble as a result of the search, and the estimator that answers for it.

What each family counts in it is found in `blending`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.metrics import fold_scores
from ml_assets.families import ENSEMBLE
from ml_assets.learning.blending import (
    LINEAR,
    Pooling,
    Way,
    averaged,
    combined,
    everything,
    pooled,
    stacked,
    worthwhile,
)
from ml_assets.learning.left_out import LeftOut
from ml_assets.learning.search_result import SearchResult, Trial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ml_assets.learning.worker import TrainingRows

WEIGHTS: Final = "weights"
MEMBERS: Final = "members"
INTERCEPT: Final = "intercept"
POOLING: Final = "pooling"
"""The parameters of an ensemble: what each family's answer counts, the family's own parameters, by family, what is
added to their sum, where it is a stack, and how they are put together, where it is not by a sum."""


def ensemble_result(
    rows: TrainingRows, results: Mapping[str, SearchResult | LeftOut], *, seconds: float
) -> SearchResult | LeftOut:
    """The ensemble of the families in `results`, as if it were a family that was searched.

    Its `params` are the weights and settings of its members. Its out-of-fold predictions, and so its scores, use for
    each fold weights chosen on the other folds, so that choosing weights does not flatter them.

    Args:
        rows: training rows that all results are of.
        results: by family.
        seconds: wall time since the start of the search.
    """
    members = {n: found for n, found in results.items() if n != ENSEMBLE and isinstance(found, SearchResult)}
    ids = tuple(rows.table.index)
    if any(found.row_ids != ids or found.classes != rows.classes for found in members.values()):
        return LeftOut(ENSEMBLE, "its members were not searched on the same rows: search them again together")
    if len(members) < 2:
        return LeftOut(ENSEMBLE, "fewer than two families have a model that it could be made of")
    ways = (averaged, pooled) if rows.spec.task is Task.CLASSIFICATION else (averaged, stacked)
    unseen = {way: [_cross_fitted(way, rows, members, at) for at in range(len(rows.repeats))] for way in ways}
    scores_of = {
        way: [
            score
            for predictions, folds in zip(said, rows.repeats, strict=True)
            for score in fold_scores(rows.spec.task, rows.target, predictions, folds, rows.classes)
        ]
        for way, said in unseen.items()
    }
    chosen = min(ways, key=lambda way: float(np.mean(scores_of[way])))
    blend, (oof, *repeated), scores = (
        worthwhile(chosen, rows, members, everything(rows)),
        unseen[chosen],
        scores_of[chosen],
    )
    if len(blend.weights) < 2:
        best = min(members, key=lambda name: members[name].score)
        return LeftOut(ENSEMBLE, f"no average, sum or product of families does better than {best} alone")
    params = {WEIGHTS: blend.weights, MEMBERS: {name: dict(members[name].params) for name in blend.weights}}
    if blend.intercept:
        params[INTERCEPT] = blend.intercept
    if blend.pooling != LINEAR:
        params[POOLING] = blend.pooling
    trial = Trial(0, params, "COMPLETE", float(np.mean(scores)), seconds, 0.0)
    return SearchResult(
        family=ENSEMBLE,
        params=params,
        fold_scores=tuple(float(s) for s in scores),
        trials=(trial,),
        seconds=0.0,
        classes=rows.classes,
        row_ids=ids,
        oof=oof,
        repeated=tuple(repeated),
    )


def _cross_fitted(
    way: Way, rows: TrainingRows, members: Mapping[str, SearchResult], repeat: int
) -> NDArray[np.float64]:
    """What the blend says of each row in one repeat, for each fold with weights chosen without its rows."""
    folds = rows.repeats[repeat]
    known = {name: (found.oof, *found.repeated)[repeat] for name, found in members.items()}
    said = np.zeros_like(next(iter(known.values())))
    for fold in np.unique(folds):
        inside = folds == fold
        blend = worthwhile(way, rows, members, np.tile(~inside, len(rows.repeats)))
        said[inside] = blend.answer({name: answers[inside] for name, answers in known.items()})
    return said


class WeightedAverage(BaseEstimator):  # type: ignore[misc]
    """Fitted estimators of several families that answer together, each by its weight.

    Args:
        estimators: fitted, by family, all for the same feature table.
        weights: by family; those of an average add up to 1.
        intercept: what is added to the sum of a stack; 0 makes it an average.
        pooling: `linear` for the sum of answers, `logarithmic` for the product of probabilities.
    """

    intercept = 0.0
    pooling: Pooling = LINEAR
    """What models have that were stored before there were stacks and pools."""

    def __init__(
        self,
        estimators: Mapping[str, Any] | None = None,
        weights: Mapping[str, float] | None = None,
        intercept: float = 0.0,
        pooling: Pooling = LINEAR,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.intercept = intercept
        self.pooling = pooling

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Fits copies of its estimators to rows `X` (n, d) and targets `y` (n,); the weights stay. Returns itself."""
        self.estimators = {name: clone(estimator).fit(X, y) for name, estimator in (self.estimators or {}).items()}
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Its estimators are fitted when they come."""
        return True

    def __getattr__(self, name: str) -> Any:
        """`classes_`, labels in sorted order; like a classifier's it is there only for classes."""
        if name == "classes_":
            labels = {label for _, e in self._members() for label in getattr(e, "classes_", ())}
            if labels:
                return np.array(sorted(labels), dtype=object)
        raise AttributeError(f"'{type(self).__name__}' has no attribute '{name}'")

    def predict(self, X: Any) -> NDArray[Any]:
        """Numbers (n,), or the likeliest label of each row."""
        if hasattr(self, "classes_"):
            labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
            return labels
        return self._combined([np.asarray(e.predict(X), dtype=np.float64) for _, e in self._members()])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        labels = list(self.classes_)
        answers = []
        for _, estimator in self._members():
            shares = np.zeros((len(X), len(labels)))
            shares[:, [labels.index(label) for label in estimator.classes_]] = estimator.predict_proba(X)
            answers.append(shares)
        return self._combined(answers)

    def _members(self) -> list[tuple[float, Any]]:
        weights, estimators = self.__dict__.get("weights") or {}, self.__dict__.get("estimators") or {}
        return [(weight, estimators[name]) for name, weight in weights.items()]

    def _combined(self, answers: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        weights = [weight for weight, _ in self._members()]
        return combined(answers, weights, intercept=self.intercept, pooling=self.pooling)
