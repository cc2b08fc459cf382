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

FloatArray = npt.NDArray[np.float64]

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
    return bootstrap_t_beside(
        differences, np.empty((len(differences), 0)), seed=seed, draws=draws, confidence=confidence
    )[0]


def bootstrap_t_beside(
    differences: Differences, others: FloatArray, *, seed: int, draws: int = DRAWS, confidence: float = 0.95
) -> tuple[BootstrapTest, FloatArray]:
    """The same, and means (draws, k) of other figures of the rows, (n, k), in the same draws; NaN without a test."""
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    spread = float(values.std(ddof=1)) if n > 1 and np.isfinite(values).all() else math.nan
    if not spread > 8 * np.finfo(np.float64).eps * float(np.abs(values).max(initial=0.0)):
        return BootstrapTest(draws, math.nan, (math.nan, math.nan)), np.full((draws, others.shape[1]), np.nan)
    mean, error = float(values.mean()), spread / math.sqrt(n)
    centred = values - mean
    drawn = resampled_means(np.column_stack([centred, np.square(centred), others]), draws=draws, seed=seed)
    errors = np.sqrt(np.maximum(drawn[:, 1] - np.square(drawn[:, 0]), 0.0) / (n - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        studentized = np.where(errors > 0, drawn[:, 0] / errors, np.sign(drawn[:, 0]) * np.inf)
    studentized = np.nan_to_num(studentized, nan=0.0, posinf=np.inf, neginf=-np.inf)
    p = (1 + int((studentized >= mean / error).sum())) / (draws + 1)
    low, high = np.quantile(studentized, [(1 - confidence) / 2, (1 + confidence) / 2], method="inverted_cdf")
    interval = (float(mean - high * error), float(mean - low * error))
    return BootstrapTest(draws, float(p), interval), drawn[:, 2:]


def bootstrap_interval(
    losses: FloatArray,
    statistic: Callable[[FloatArray], FloatArray],
    *,
    seed: int,
    draws: int = DRAWS,
    confidence: float = 0.95,
) -> FloatArray:
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
    return percentiles(statistic(resampled_means(losses, draws=draws, seed=seed)), confidence)


def percentiles(figures: FloatArray, confidence: float) -> FloatArray:
    """Two-sided percentile intervals (m, 2) of figures (draws, m)."""
    return np.quantile(figures, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0).T


def resampled_means(values: FloatArray, *, draws: int, seed: int) -> FloatArray:
    """Means (draws, k) of figures of each row (n, k), over rows drawn with replacement."""
    return np.concatenate([chunk @ values for chunk in resamples(len(values), draws, seed)]) / len(values)


def resamples(n: int, draws: int, seed: int) -> Iterator[FloatArray]:
    """How often each of `n` rows is in each draw with replacement, in chunks (some, n) that make `draws` together."""
    generator = np.random.default_rng(seed)
    size = max(1, CHUNK // n)
    for start in range(0, draws, size):
        some = min(size, draws - start)
        places = generator.integers(0, n, size=(some, n), dtype=np.int32) + np.arange(some)[:, None] * n
        yield np.bincount(places.ravel(), minlength=some * n).reshape(some, n).astype(np.float64)
