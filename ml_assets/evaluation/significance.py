"""Tests of paired differences; who is promoted belongs in `gate`, who leads belongs in `comparison`.

Differences are oriented so that a positive mean is the claim (for losses: other minus candidate).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Differences = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairedTest:
    """What a test of paired differences says; all but `n` and `mean` are NaN where no test is possible.

    No test is possible with fewer than two differences, with one that is not finite, or when they are all
    equal: a spread of zero says nothing about the noise.
    """

    n: int
    mean: float
    standard_error: float
    statistic: float
    dof: float
    p_one_sided: float
    p_two_sided: float
    interval: tuple[float, float]

    @property
    def possible(self) -> bool:
        """Whether the differences allowed a test at all."""
        return math.isfinite(self.statistic)


def corrected_paired_t(differences: Differences, *, test_fraction: float, confidence: float = 0.95) -> PairedTest:
    """Corrected resampled t-test of differences over folds; one-sided against "the mean is not above zero".

    Folds share training rows, so their differences are correlated and the plain variance of the mean, s²/k,
    is too small. Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003),
    take s² (1/k + n_test/n_train) instead, with k - 1 degrees of freedom. Folds of repeated cross-validation are more
    differences of the same test share (Bouckaert and Frank, "Evaluating the Replicability of Significance Tests for
    Comparing Learning Algorithms", PAKDD 2004).

    Args:
        differences: one per fold, shape (k,); repeats one after another.
        test_fraction: share of the rows that each fold tests on, n_test / (n_test + n_train); 1/k in k-fold
            cross-validation, repeated or not.
        confidence: of the two-sided interval for the mean.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction is {test_fraction}; a share between 0 and 1 is needed")
    values = np.asarray(differences, dtype=np.float64)
    factor = 1 / max(len(values), 1) + test_fraction / (1 - test_fraction)
    return _t_test(values, factor, confidence)


def paired_rows_test(differences: Differences, *, confidence: float = 0.95) -> PairedTest:
    """Student's paired t-test of loss differences over independent rows, shape (n,); one-sided as above.

    Right for rows that neither model was trained on; the models themselves are taken as given.
    """
    values = np.asarray(differences, dtype=np.float64)
    return _t_test(values, 1 / max(len(values), 1), confidence)


def _t_test(values: Differences, variance_factor: float, confidence: float) -> PairedTest:
    n = len(values)
    nan = float("nan")
    mean = float(values.mean()) if n else nan
    spread = float(values.std(ddof=1)) if n > 1 and np.isfinite(values).all() else nan
    rounding = 8 * float(np.finfo(np.float64).eps) * float(np.abs(values).max(initial=0.0))
    if not spread > rounding:
        return PairedTest(n, mean, nan, nan, nan, nan, nan, (nan, nan))
    error = spread * math.sqrt(variance_factor)
    statistic, dof = mean / error, n - 1
    half = float(stats.t.ppf((1 + confidence) / 2, dof)) * error
    return PairedTest(
        n=n,
        mean=mean,
        standard_error=error,
        statistic=statistic,
        dof=float(dof),
        p_one_sided=float(stats.t.sf(statistic, dof)),
        p_two_sided=float(2 * stats.t.sf(abs(statistic), dof)),
        interval=(mean - half, mean + half),
    )
