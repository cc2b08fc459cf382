"""Several families' models as one: weights from out-of-fold predictions, and the estimator that uses them.

Searching settings of a single family belongs in `search`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.metrics import fold_scores
from ml_assets.families import ENSEMBLE
from ml_assets.learning.left_out import LeftOut
from ml_assets.learning.search_result import SearchResult, Trial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ml_assets.learning.journal import BestTrial
    from ml_assets.learning.worker import TrainingRows

ROUNDS: Final = 50
LEAST_GAIN: Final = 0.001
"""Share of the loss (mean squared error, or log loss) that fewer members may cost: a two-thousandth of an RMSE."""
WORTH_ROWS: Final = 5000
WEIGHTS: Final = "weights"
MEMBERS: Final = "members"
"""The parameters of an ensemble: what each family's answer counts, and the family's own parameters, by family."""


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
    weights = worthwhile_weights(rows, members, everything(rows))
    if len(weights) == 1:
        return LeftOut(ENSEMBLE, f"no average of families does better than {next(iter(weights))} alone")
    oof, *repeated = (_cross_fitted(rows, members, folds, at) for at, folds in enumerate(rows.repeats))
    scores = [
        score
        for predictions, folds in zip((oof, *repeated), rows.repeats, strict=True)
        for score in fold_scores(rows.spec.task, rows.target, predictions, folds, rows.classes)
    ]
    params = {WEIGHTS: weights, MEMBERS: {name: dict(members[name].params) for name in weights}}
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
    rows: TrainingRows, members: Mapping[str, SearchResult], folds: NDArray[np.int64], repeat: int
) -> NDArray[np.float64]:
    """What the average says of each row in one repeat, for each fold with weights chosen without its rows."""
    known = {name: (found.oof, *found.repeated)[repeat] for name, found in members.items()}
    said = np.zeros_like(next(iter(known.values())))
    for fold in np.unique(folds):
        inside = folds == fold
        weights = worthwhile_weights(rows, members, np.tile(~inside, len(rows.repeats)))
        said[inside] = sum(weight * known[name][inside] for name, weight in weights.items())
    return said


def everything(rows: TrainingRows) -> NDArray[np.bool_]:
    """All rows of all repeats as counted ones."""
    return np.ones(len(rows.repeats) * len(rows.table), dtype=bool)


def thinned(counted: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """About `most` of the rows that are counted, evenly over them."""
    places = np.flatnonzero(counted)
    some = np.zeros(len(counted), dtype=bool)
    some[places[:: max(math.ceil(len(places) / most), 1)]] = True
    return some


def worthwhile_weights(
    rows: TrainingRows, members: Mapping[str, SearchResult | BestTrial], counted: NDArray[np.bool_]
) -> dict[str, float]:
    """Greedy weights of the members that are worth their cost, from the rows that are `counted`, repeat after repeat.

    Each member makes answers slower and the model larger. One after another those leave without which the loss, with
    weights chosen anew, is least, as long as it stays within `LEAST_GAIN` of that of all of them; it is measured on
    `WORTH_ROWS` rows at most.
    """
    kept = dict(members)
    some = thinned(counted, WORTH_ROWS)
    loss = _greedy(rows, kept, some)[1]
    while len(kept) > 1:
        without = {name: _greedy(rows, {n: m for n, m in kept.items() if n != name}, some)[1] for name in kept}
        name = min(without, key=lambda each: without[each])
        if without[name] > loss * (1 + LEAST_GAIN):
            break
        del kept[name]
    return greedy_weights(rows, kept, counted)


def greedy_weights(
    rows: TrainingRows, members: Mapping[str, SearchResult | BestTrial], counted: NDArray[np.bool_]
) -> dict[str, float]:
    """Weights by family, above 0 and adding up to 1, from the rows that are `counted`, repeat after repeat.

    Forward selection with replacement (Caruana, Niculescu-Mizil, Crew & Ksikes 2004, "Ensemble selection from libraries
    of models"): the family that lowers the loss of the average most is added, `ROUNDS` times at most; the best average
    on the way counts.
    """
    return _greedy(rows, members, counted)[0]


def _greedy(
    rows: TrainingRows, members: Mapping[str, SearchResult | BestTrial], counted: NDArray[np.bool_]
) -> tuple[dict[str, float], float]:
    """Weights as `greedy_weights` has them, and the loss of their average."""
    names = list(members)
    every = [np.concatenate([members[name].oof, *members[name].repeated]) for name in names]
    predictions = np.stack([one[counted] for one in every])
    losses_of = _losses(rows, counted)
    chosen, total = np.zeros(len(names)), np.zeros_like(predictions[0])
    best, kept = np.inf, chosen
    for size in range(1, ROUNDS + 1):
        losses = losses_of((total + predictions) / size)
        winner = int(np.argmin(losses))
        total, chosen = total + predictions[winner], chosen + np.eye(len(names))[winner]
        if losses[winner] < best * (1 - 1e-9):
            best, kept = losses[winner], chosen
    weights = kept / kept.sum()
    return {name: float(weight) for name, weight in zip(names, weights, strict=True) if weight > 0}, float(best)


def _losses(rows: TrainingRows, counted: NDArray[np.bool_]) -> Any:
    """From predictions (families, n) or (families, n, k) to losses (families,): squared errors, or log losses."""
    target = np.tile(rows.target, len(rows.repeats))[counted]
    if rows.spec.task is Task.CLASSIFICATION:
        place = {label: at for at, label in enumerate(rows.classes)}
        columns, order = np.array([place[label] for label in target]), np.arange(len(target))
        smallest = np.finfo(np.float64).eps
        return lambda shares: -np.log(np.clip(shares[:, order, columns], smallest, 1.0)).mean(axis=1)
    numbers = target.astype(np.float64)
    return lambda guesses: ((guesses - numbers) ** 2).mean(axis=1)


class WeightedAverage(BaseEstimator):  # type: ignore[misc]
    """Fitted estimators of several families that answer together: the weighted mean of their answers.

    Args:
        estimators: fitted, by family, all for the same feature table.
        weights: by family, adding up to 1.
    """

    def __init__(self, estimators: Mapping[str, Any] | None = None, weights: Mapping[str, float] | None = None) -> None:
        self.estimators = estimators
        self.weights = weights

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
        return self._average([np.asarray(e.predict(X), dtype=np.float64) for _, e in self._members()])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        labels = list(self.classes_)
        answers = []
        for _, estimator in self._members():
            shares = np.zeros((len(X), len(labels)))
            shares[:, [labels.index(label) for label in estimator.classes_]] = estimator.predict_proba(X)
            answers.append(shares)
        return self._average(answers)

    def _members(self) -> list[tuple[float, Any]]:
        weights, estimators = self.__dict__.get("weights") or {}, self.__dict__.get("estimators") or {}
        return [(weight, estimators[name]) for name, weight in weights.items()]

    def _average(self, answers: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        weights = [weight for weight, _ in self._members()]
        return np.asarray(np.average(np.stack(answers), axis=0, weights=weights))
