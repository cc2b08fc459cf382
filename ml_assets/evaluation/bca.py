"""Intervals of any metric by the bootstrap, bias-corrected and accelerated. Metrics of weighted rows: `weighted`.

Paired tests between models are in `significance` and `bootstrap`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy import special

from ml_assets.evaluation.bootstrap import resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

Statistic = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
"""From weights of the rows (b, n), how often each is drawn, to the metric of each draw (b,); NaN where it has none."""

DRAWS: Final = 1000
BLOCKS: Final = 200
"""Most parts that rows are left out by, one at a time, for the acceleration."""
LEAST_DEFINED: Final = 0.95
"""Share of draws that must have the metric, below which there is no interval."""


def bootstrap_weights(
    n: int, *, seed: int, draws: int = DRAWS, clusters: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """How often each of `n` rows is drawn in each of the draws, (draws, n); rows of a cluster together."""
    codes, units = _units(n, clusters)
    return np.concatenate(list(resamples(units, draws, seed)))[:, codes]


def left_out_weights(n: int, *, clusters: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Weights (parts, n) that leave one row out at a time, or one of `BLOCKS` parts; rows of a cluster together."""
    codes, units = _units(n, clusters)
    parts = min(units, BLOCKS)
    part = (codes * parts) // units
    kept: NDArray[np.float64] = (np.arange(parts)[:, None] != part[None, :]).astype(np.float64)
    return kept


def bca_interval(
    statistic: Statistic,
    drawn: NDArray[np.float64],
    left_out: NDArray[np.float64],
    *,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Bias-corrected and accelerated interval of a metric; NaN for both ends where there is none.

    Efron 1987, "Better bootstrap confidence intervals", JASA 82; with large n the acceleration is from leaving out
    parts of the rows instead of single ones (Shao & Tu 1995, section 4.4). There is none where the metric does not vary
    or fails to be defined for more than one draw in twenty.

    Args:
        statistic: the metric, by the weights of rows.
        drawn: of `bootstrap_weights`.
        left_out: of `left_out_weights`.
        confidence: of the interval.
    """
    nothing = (math.nan, math.nan)
    found = float(statistic(np.ones((1, drawn.shape[1])))[0])
    values = statistic(drawn)
    defined = np.isfinite(values)
    if not math.isfinite(found) or defined.mean() < LEAST_DEFINED:
        return nothing
    values = values[defined]
    if np.ptp(values) <= 1e-12 * max(abs(found), 1e-300):
        return nothing
    below = float((values < found).mean() + 0.5 * (values == found).mean())
    shift = float(special.ndtri(np.clip(below, 0.5 / len(values), 1 - 0.5 / len(values))))
    leaps = statistic(left_out)
    leaps = leaps[np.isfinite(leaps)]
    deviations = leaps.mean() - leaps if len(leaps) else np.zeros(1)
    spread = float(np.square(deviations).sum())
    acceleration = float((deviations**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    ends = special.ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    moved = special.ndtr(shift + (shift + ends) / (1 - acceleration * (shift + ends)))
    low, high = np.quantile(values, moved)
    return float(low), float(high)


def _units(n: int, clusters: NDArray[Any] | None) -> tuple[NDArray[np.intp], int]:
    """Number of each row's unit, (n,), and how many units there are: rows, or clusters in the order they occur."""
    if clusters is None:
        return np.arange(n), n
    codes, labels = pd.factorize(clusters)
    return codes, len(labels)
