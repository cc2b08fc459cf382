"""What several families' answers count together: weights from their out-of-fold predictions.

Which members there are, and the model made of them, belong in `ensembling`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ml_assets.datasets.spec import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.learning.journal import BestTrial
    from ml_assets.learning.search_result import SearchResult
    from ml_assets.learning.worker import TrainingRows

ROUNDS: Final = 50
LEAST_GAIN: Final = 0.001
"""Share of the loss (mean squared error, or log loss) that fewer members may cost: a two-thousandth of an RMSE."""
WORTH_ROWS: Final = 5000


@dataclass(frozen=True)
class Blend:
    """A weighted sum of members' answers.

    Attributes:
        weights: by family, each above 0.
        intercept: what is added; 0 where the weights are those of an average.
        loss: mean squared error, or log loss, on the rows by which it was made.
    """

    weights: dict[str, float]
    intercept: float
    loss: float


Members = Mapping[str, "SearchResult | BestTrial"]
Way = Callable[["TrainingRows", Members, "NDArray[np.bool_]"], Blend]


def everything(rows: TrainingRows) -> NDArray[np.bool_]:
    """All rows of all repeats as counted ones."""
    return np.ones(len(rows.repeats) * len(rows.table), dtype=bool)


def thinned(counted: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """About `most` of the rows that are counted, evenly over them."""
    places = np.flatnonzero(counted)
    some = np.zeros(len(counted), dtype=bool)
    some[places[:: max(math.ceil(len(places) / most), 1)]] = True
    return some


def worthwhile(way: Way, rows: TrainingRows, members: Members, counted: NDArray[np.bool_]) -> Blend:
    """The blend of the members that are worth their cost, from the rows that are `counted`, repeat after repeat.

    Each member makes answers slower and the model larger. One after another those leave without which the loss, with
    weights chosen anew, is least, as long as it stays within `LEAST_GAIN` of that of all of them; it is measured on
    `WORTH_ROWS` rows at most.
    """
    kept = dict(members)
    some = thinned(counted, WORTH_ROWS)
    loss = way(rows, kept, some).loss
    while len(kept) > 1:
        without = {name: way(rows, {n: m for n, m in kept.items() if n != name}, some).loss for name in kept}
        name = min(without, key=lambda each: without[each])
        if without[name] > loss * (1 + LEAST_GAIN):
            break
        del kept[name]
    return way(rows, kept, counted)


def averaged(rows: TrainingRows, members: Members, counted: NDArray[np.bool_]) -> Blend:
    """The average, by weights that add up to 1, that does best on the rows that are `counted`, repeat after repeat.

    Forward selection with replacement (Caruana, Niculescu-Mizil, Crew & Ksikes 2004, "Ensemble selection from libraries
    of models"): the family that lowers the loss of the average most is added, `ROUNDS` times at most; the best average
    on the way counts.
    """
    predictions, losses_of = _predictions(members, counted), _losses(rows, counted)
    chosen, total = np.zeros(len(predictions)), np.zeros_like(predictions[0])
    best, kept = np.inf, chosen
    for size in range(1, ROUNDS + 1):
        losses = losses_of((total + predictions) / size)
        winner = int(np.argmin(losses))
        total, chosen = total + predictions[winner], chosen + np.eye(len(predictions))[winner]
        if losses[winner] < best * (1 - 1e-9):
            best, kept = losses[winner], chosen
    return Blend(_above_zero(members, kept / kept.sum()), 0.0, float(best))


def stacked(rows: TrainingRows, members: Members, counted: NDArray[np.bool_]) -> Blend:
    """The sum of least squared error on the rows that are `counted`: weights of 0 or more, and an intercept.

    Breiman 1996, "Stacked regressions". Weights that add up to more than 1 stretch answers that members have drawn
    towards the mean.
    """
    from scipy.optimize import nnls

    predictions, target = _predictions(members, counted), _targets(rows, counted)
    means, mean = predictions.mean(axis=1), target.mean()
    weights, _ = nnls((predictions - means[:, None]).T, target - mean)
    intercept = float(mean - weights @ means)
    loss = float(np.mean((weights @ predictions + intercept - target) ** 2))
    return Blend(_above_zero(members, weights), intercept, loss)


def _above_zero(members: Members, weights: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(weight) for name, weight in zip(members, weights, strict=True) if weight > 0}


def _predictions(members: Members, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Out-of-fold predictions of each member on the rows that are counted, (members, n) or (members, n, k)."""
    every = [np.concatenate([found.oof, *found.repeated]) for found in members.values()]
    return np.stack([one[counted] for one in every])


def _targets(rows: TrainingRows, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.tile(rows.target, len(rows.repeats))[counted].astype(np.float64)


def _losses(rows: TrainingRows, counted: NDArray[np.bool_]) -> Any:
    """From predictions (families, n) or (families, n, k) to losses (families,): squared errors, or log losses."""
    if rows.spec.task is Task.CLASSIFICATION:
        place = {label: at for at, label in enumerate(rows.classes)}
        labels = np.tile(rows.target, len(rows.repeats))[counted]
        columns, order = np.array([place[label] for label in labels]), np.arange(len(labels))
        smallest = np.finfo(np.float64).eps
        return lambda shares: -np.log(np.clip(shares[:, order, columns], smallest, 1.0)).mean(axis=1)
    numbers = _targets(rows, counted)
    return lambda guesses: ((guesses - numbers) ** 2).mean(axis=1)
