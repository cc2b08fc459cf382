from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ml_assets.evaluation.significance import corrected_paired_t, paired_rows_test


def test_corrected_t_is_what_the_formula_gives_by_hand() -> None:
    differences = [0.021, 0.013, 0.034, -0.004, 0.019, 0.008, 0.027, 0.011, 0.016, 0.005]
    k, n_test, n_train = 10, 100, 900
    mean = sum(differences) / k
    variance = sum((d - mean) ** 2 for d in differences) / (k - 1)
    expected = mean / math.sqrt(variance * (1 / k + n_test / n_train))
    test = corrected_paired_t(np.array(differences), test_fraction=0.1)
    assert (test.n, test.dof) == (10, 9)
    assert test.mean == pytest.approx(0.015)
    assert test.statistic == pytest.approx(expected)
    tail = 0.5 * stats.beta.cdf(9 / (9 + expected**2), 4.5, 0.5)
    assert test.p_one_sided == pytest.approx(tail)
    assert test.p_two_sided == pytest.approx(2 * tail)
    half = 2.262157 * mean / expected
    assert test.interval == pytest.approx((mean - half, mean + half), rel=1e-6)


def test_corrected_t_is_more_careful_than_the_plain_one() -> None:
    differences = np.array([1.0, 2.0, 0.5, 1.5, 1.2])
    plain = stats.ttest_1samp(differences, 0, alternative="greater")
    assert corrected_paired_t(differences, test_fraction=0.2).p_one_sided > plain.pvalue


def test_rows_test_is_the_t_test_of_scipy() -> None:
    differences = np.random.default_rng(0).normal(0.2, 1, 50)
    test = paired_rows_test(differences)
    expected = stats.ttest_1samp(differences, 0)
    assert test.p_two_sided == pytest.approx(expected.pvalue)
    assert test.standard_error == pytest.approx(stats.sem(differences))
    assert test.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))


@pytest.mark.parametrize("values", [[], [1.0], [0.1, 0.1, 0.1], [0.0, 0.0], [1.0, np.nan], [1.0, np.inf]])
def test_no_test_is_possible_without_finite_spread(values: list[float]) -> None:
    for test in (paired_rows_test(np.array(values)), corrected_paired_t(np.array(values), test_fraction=0.2)):
        assert not test.possible
        assert math.isnan(test.p_one_sided)
        assert not test.p_two_sided < 0.05


def test_a_test_fraction_must_be_a_share() -> None:
    with pytest.raises(ValueError, match="test_fraction is 1"):
        corrected_paired_t(np.ones(3), test_fraction=1)
