"""The statistics of drift, each of a reference and a live sample. What counts as drift: see `drift`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray = npt.NDArray[np.float64]
SMALLEST_EXPECTED = 5.0


def population_stability_index(reference: npt.ArrayLike, live: npt.ArrayLike) -> float:
    """PSI of two vectors of counts over the same bins: sum of (q - p) ln(q / p).

    Half a row is added to every bin, so that an empty one does not give infinity. PSI is the symmetrised
    Kullback-Leibler divergence (Jeffreys 1946); its use and the reading "below 0.1 stable, above 0.25
    shifted" come from credit scoring (Siddiqi 2006, "Credit Risk Scorecards"). If nothing has changed it
    still is about (bins - 1)(1/n + 1/m) on average (Yurdakul & Naranjo 2020), which is why a threshold alone
    is no test. A bin that is empty on both sides counts for nothing.
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(live, dtype=np.float64)
    used = (a + b) > 0
    if not used.any():
        return 0.0
    p, q = a[used] + 0.5, b[used] + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def kolmogorov_smirnov(reference: FloatArray, live: FloatArray) -> tuple[float, float]:
    """Two-sample KS statistic (largest distance of distribution functions, 0 to 1), asymptotic p-value.

    With ties the p-value is too large rather than too small. (0, 1) if a sample is empty or both have one value.
    """
    if len(reference) == 0 or len(live) == 0 or len(reference) + len(live) == 2:
        return 0.0, 1.0
    found = stats.ks_2samp(reference, live, method="asymp")
    return float(found.statistic), float(found.pvalue)


def chi_square(reference: npt.ArrayLike, live: npt.ArrayLike) -> tuple[float, float, float]:
    """Pearson's chi-square of homogeneity of two vectors of counts: statistic, p-value, Cramér's V (0 to 1).

    Cells with an expected count below 5 on either side are pooled into one (Cochran 1954); if the pool is
    still that small it joins the smallest other cell. (0, 1, 0) if fewer than two cells are left or a side is
    empty.
    """
    table = np.asarray([reference, live], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 0.0, 1.0, 0.0
    table = _pooled(table)
    if table.shape[1] < 2:
        return 0.0, 1.0, 0.0
    found = stats.chi2_contingency(table, correction=False)
    return float(found.statistic), float(found.pvalue), float(np.sqrt(found.statistic / table.sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted so that the chance of any false alarm among them stays below alpha (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(x) for x in adjusted]


def _pooled(table: FloatArray) -> FloatArray:
    """Columns of a 2 x k table of counts, those with a small expected count summed into the last."""
    share = table.sum(axis=1, keepdims=True) / table.sum()
    smallest = (share * table.sum(axis=0)).min(axis=0)
    small = smallest < SMALLEST_EXPECTED
    if not small.any():
        return table
    large, pool = table[:, ~small], table[:, small].sum(axis=1, keepdims=True)
    if large.shape[1] and (share * pool.sum()).min() < SMALLEST_EXPECTED:
        into = int(large.sum(axis=0).argmin())
        large[:, into] += pool[:, 0]
        return large
    return np.hstack([large, pool])
