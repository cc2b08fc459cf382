"""Paired bootstrap of rows, beside the t-tests of `significance`. Rows that depend on each other are `clusters`.

Draws are of whole rows, the same for all models, so that what is compared is compared on the same rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ml_assets.evaluation.significance import Differences

DRAWS = 999
CHUNK = 4_000_000
"""Drawn places held in memory at once."""


@dataclass(frozen=True)
class BootstrapTest:
    """What a bootstrap-t says of the mean of paired differences; NaN where no test is possible.

    Attributes:
        p_one_sided: against "the mean is not above zero".
        interval: two-sided, for the mean.
    """

    draws: int
    p_one_sided: float
    interval: tuple[float, float]


def bootstrap_t(differences: Differences, *, seed: int, draws: int = DRAWS, confidence: float = 0.95) -> BootstrapTest:
    """Studentized bootstrap of the mean of independent differences, shape (n,).

    Where differences are skewed Student's t is too sure on one side; this is right to second order (Hall 1988,
    "Theoretical comparison of bootstrap confidence intervals", Annals of Statistics 16). The p-value is
    (1 + #{t* >= t}) / (draws + 1), so it never is 0.

    Args:
        differences: one per independent row, oriented so that a positive mean is the claim.
        seed: of the draws.
        draws: resamples.
        confidence: of the interval.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    spread = float(values.std(ddof=1)) if n > 1 and np.isfinite(values).all() else math.nan
    if not spread > 8 * np.finfo(np.float64).eps * float(np.abs(values).max(initial=0.0)):
        return BootstrapTest(draws, math.nan, (math.nan, math.nan))
    mean, error = float(values.mean()), spread / math.sqrt(n)
    centred = values - mean
    pairs = np.column_stack([centred, np.square(centred)])
    drawn = np.concatenate([chunk @ pairs for chunk in resamples(n, draws, seed)]) / n
    errors = np.sqrt(np.maximum(drawn[:, 1] - np.square(drawn[:, 0]), 0.0) / (n - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        studentized = np.where(errors > 0, drawn[:, 0] / errors, np.sign(drawn[:, 0]) * np.inf)
    studentized = np.nan_to_num(studentized, nan=0.0, posinf=np.inf, neginf=-np.inf)
    p = (1 + int((studentized >= mean / error).sum())) / (draws + 1)
    low, high = np.quantile(studentized, [(1 - confidence) / 2, (1 + confidence) / 2], method="inverted_cdf")
    return BootstrapTest(draws, float(p), (float(mean - high * error), float(mean - low * error)))


def bootstrap_interval(
    losses: npt.NDArray[np.float64],
    statistic: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    *,
    seed: int,
    draws: int = DRAWS,
    confidence: float = 0.95,
) -> npt.NDArray[np.float64]:
    """Percentile intervals (m, 2) of a statistic of mean losses.

    Args:
        losses: of each row by each model, (n, k).
        statistic: turns means of the losses (draws, k) into (draws, m) figures.
        seed: of the draws.
        draws: resamples.
        confidence: of the intervals.
    """
    if len(losses) < 2:
        figures = statistic(np.full((1, losses.shape[1]), np.nan)).shape[1]
        return np.full((figures, 2), np.nan)
    means = np.concatenate([chunk @ losses for chunk in resamples(len(losses), draws, seed)]) / len(losses)
    figures = statistic(means)
    return np.quantile(figures, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0).T


def resamples(n: int, draws: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """How often each of `n` rows is in each draw with replacement, in chunks (some, n) that make `draws` together."""
    generator = np.random.default_rng(seed)
    size = max(1, CHUNK // n)
    for start in range(0, draws, size):
        some = min(size, draws - start)
        places = generator.integers(0, n, size=(some, n)) + np.arange(some)[:, None] * n
        yield np.bincount(places.ravel(), minlength=some * n).reshape(some, n).astype(np.float64)
