"""How good predictions of a rating are: scores for which a near miss is better than a far one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ml_assets.evaluation.metrics import FloatArray

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ranked_probability_score(ranks: NDArray[np.intp], probabilities: FloatArray) -> float:
    """Mean squared distance of the cumulative probabilities from the step at the truth; 0 best, 1 worst.

    The sum over the k-1 steps is divided by their number, as k differs between tables (Epstein 1969, "A scoring system
    for probability forecasts of ranked categories").

    Args:
        ranks: rank of the true class of each row, (n,), from 0.
        probabilities: (n, k), the classes in their order.
    """
    steps = probabilities.shape[1] - 1
    if steps < 1 or len(ranks) == 0:
        return float("nan")
    said = probabilities.cumsum(axis=1)[:, :-1]
    truth = ranks[:, None] <= np.arange(steps)
    return float(np.square(said - truth).sum(axis=1).mean() / steps)


def quadratic_kappa(truth: NDArray[np.intp], said: NDArray[np.intp]) -> float:
    """Agreement of two ratings (n,) beyond chance: 1 whole, 0 as by chance; NaN where both are always the same one.

    One minus the mean squared difference over that of independent ratings of the same shares (Cohen 1968, "Weighted
    kappa").
    """
    if len(truth) == 0:
        return float("nan")
    a, b = truth.astype(np.float64), said.astype(np.float64)
    chance = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    return float(1 - np.square(a - b).mean() / chance) if chance > 0 else float("nan")
