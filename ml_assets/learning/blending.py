"""What several families' answers count together: weights from their out-of-fold predictions, and the answer by them.

Which members there are, and the model made of them, belong in `ensembling`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.metrics import class_positions
from ml_assets.evaluation.temperature import log_probabilities, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.learning.journal import BestTrial
    from ml_assets.learning.search_result import SearchResult
    from ml_assets.learning.worker import TrainingRows

ROUNDS: Final = 50
LEAST_GAIN: Final = 0.001
"""Share of the loss (mean squared error, or log loss) that fewer members may cost: a two-thousandth of an RMSE."""
WORTH_ROWS: Final = 5000
POOL_ROWS: Final = 20_000
"""Most rows by which a logarithmic pool's weights are found: it has no more weights than members."""
PENALTY: Final = 10.0
"""What the sum of a logarithmic pool's squared weights costs, in nats on the sum of the rows' losses."""

Pooling = Literal["linear", "logarithmic"]
LINEAR: Final = "linear"
LOGARITHMIC: Final = "logarithmic"


@dataclass(frozen=True)
class Blend:
    """How members' answers become one.

    Attributes:
        weights: by family, each above 0.
        intercept: what is added; 0 where the weights are those of an average, or of a logarithmic pool.
        loss: mean squared error, or log loss, on the rows by which it was made.
        pooling: whether answers are added up, or probabilities multiplied.
    """

    weights: dict[str, float]
    intercept: float
    loss: float
    pooling: Pooling = LINEAR

    def answer(self, answers: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """What it says, (n,) or (n, k), from the answers of its members and of any others.

        Without any member it says the intercept; of classes, that they are equally likely.
        """
        if not self.weights:
            any_of_them = next(iter(answers.values()))
            nothing = np.zeros_like(any_of_them)
            return softmax(nothing) if self.pooling == LOGARITHMIC else nothing + self.intercept
        mine = [answers[name] for name in self.weights]
        return combined(mine, list(self.weights.values()), intercept=self.intercept, pooling=self.pooling)


def combined(
    answers: Sequence[NDArray[np.float64]], weights: Sequence[float], *, intercept: float, pooling: Pooling
) -> NDArray[np.float64]:
    """One answer, (n,) or (n, k), from several.

    Args:
        answers: of the members, each (n,), or probabilities (n, k).
        weights: of the members.
        intercept: what is added to a sum.
        pooling: `linear` for their weighted sum; `logarithmic` for probabilities in proportion to the product of
            theirs, each raised to its weight.
    """
    if pooling == LOGARITHMIC:
        # Term by term, since a matrix product's last bits may depend on how many rows there are.
        weighted = [weight * log_probabilities(one) for weight, one in zip(weights, answers, strict=True)]
        return softmax(np.sum(weighted, axis=0))
    average = np.asarray(np.average(np.stack(answers), axis=0, weights=weights))
    return average * sum(weights) + intercept if intercept else average


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

    Each member makes answers slower and the model larger. Those that count nothing leave; then, one after another, the
    one that counts least, as long as the loss, with weights chosen anew, stays within `LEAST_GAIN` of that of all of
    them; it is measured on `WORTH_ROWS` rows at most. There may be none left, where none tells anything.
    """
    some = thinned(counted, WORTH_ROWS)
    blend = way(rows, members, some)
    most = blend.loss * (1 + LEAST_GAIN)
    while len(blend.weights) > 1:
        least = min(blend.weights, key=lambda name: blend.weights[name])
        fewer = way(rows, {name: members[name] for name in blend.weights if name != least}, some)
        if fewer.loss > most or not fewer.weights:
            break
        blend = fewer
    if not blend.weights:
        return way(rows, members, counted)
    return way(rows, {name: members[name] for name in blend.weights}, counted)


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


def pooled(rows: TrainingRows, members: Members, counted: NDArray[np.bool_]) -> Blend:
    """The product of probabilities, each raised to a weight of 0 or more, of least log loss on the `counted` rows.

    A logarithmic opinion pool (Genest & Zidek 1986, "Combining probability distributions: a critique and an annotated
    bibliography"). Weights that add up to more than 1 make answers surer than their average, so that it is calibrated
    too. Few rows make it less sure: `PENALTY` times the sum of the squared weights counts as loss of all rows together
    (a ridge, or a normal prior about saying nothing).
    """
    from scipy.optimize import minimize

    counted = thinned(counted, POOL_ROWS)
    known, columns = log_probabilities(_predictions(members, counted)), _columns(rows, counted)
    order, flat = np.arange(len(columns)), known.reshape(len(known), -1)
    of_truth = known[:, order, columns].mean(axis=1)
    penalty = PENALTY * len(rows.repeats) / len(order)

    def log_loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        shares = softmax((weights @ flat).reshape(known.shape[1:]))
        said = np.clip(shares[order, columns], np.finfo(np.float64).tiny, 1.0)
        return float(-np.log(said).mean()), flat @ shares.ravel() / len(order) - of_truth

    def penalized(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, slope = log_loss(weights)
        return loss + penalty * float(weights @ weights), slope + 2 * penalty * weights

    start = np.full(len(known), 1 / len(known))
    found = minimize(penalized, start, jac=True, bounds=[(0.0, None)] * len(start), method="L-BFGS-B").x
    return Blend(_above_zero(members, found), 0.0, log_loss(found)[0], LOGARITHMIC)


def _above_zero(members: Members, weights: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(weight) for name, weight in zip(members, weights, strict=True) if weight > 0}


def _predictions(members: Members, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Out-of-fold predictions of each member on the rows that are counted, (members, n) or (members, n, k)."""
    every = [np.concatenate([found.oof, *found.repeated]) for found in members.values()]
    return np.stack([one[counted] for one in every])


def _targets(rows: TrainingRows, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.tile(rows.target, len(rows.repeats))[counted].astype(np.float64)


def _columns(rows: TrainingRows, counted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Column of the true class of each row that is counted."""
    return np.tile(class_positions(rows.target, rows.classes), len(rows.repeats))[counted]


def _losses(rows: TrainingRows, counted: NDArray[np.bool_]) -> Any:
    """From predictions (families, n) or (families, n, k) to losses (families,): squared errors, or log losses."""
    if rows.spec.task is Task.CLASSIFICATION:
        columns = _columns(rows, counted)
        order = np.arange(len(columns))
        smallest = np.finfo(np.float64).eps
        return lambda shares: -np.log(np.clip(shares[:, order, columns], smallest, 1.0)).mean(axis=1)
    numbers = _targets(rows, counted)
    return lambda guesses: ((guesses - numbers) ** 2).mean(axis=1)
