import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ml_assets.monitoring.statistics import (
    chi_square,
    holm,
    kolmogorov_smirnov,
    population_stability_index,
)

counts = st.lists(st.integers(0, 1000), min_size=1, max_size=8)


def test_psi_of_many_rows_is_the_textbook_sum():
    reference, live = [200_000, 300_000, 500_000], [300_000, 300_000, 400_000]
    p, q = [0.2, 0.3, 0.5], [0.3, 0.3, 0.4]
    by_hand = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert population_stability_index(reference, live) == pytest.approx(by_hand, rel=1e-4)


def test_psi_is_the_two_relative_entropies_of_the_smoothed_shares():
    reference, live = np.array([4, 0, 9]), np.array([1, 7, 0])
    p, q = (reference + 0.5) / (reference + 0.5).sum(), (live + 0.5) / (live + 0.5).sum()
    assert population_stability_index(reference, live) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))


def test_psi_of_a_normal_feature_moved_by_d_standard_deviations_is_about_d_squared():
    edges = stats.norm.ppf(np.arange(1, 100) / 100)
    shares = np.diff(np.concatenate([[0.0], stats.norm.cdf(edges, loc=0.45), [1.0]]))
    psi = population_stability_index(np.full(100, 1e7), 1e9 * shares)
    assert psi == pytest.approx(0.45**2, rel=0.05)


@settings(deadline=None)
@given(counts, st.data())
def test_psi_is_symmetric_not_negative_and_nought_for_equal_counts(reference, data):
    live = data.draw(st.lists(st.integers(0, 1000), min_size=len(reference), max_size=len(reference)))
    psi = population_stability_index(reference, live)
    assert math.isfinite(psi)
    assert psi >= 0
    assert psi == pytest.approx(population_stability_index(live, reference))
    assert population_stability_index(reference, reference) == 0


def test_ks_is_the_largest_distance_of_the_step_functions():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=300), rng.normal(0.4, 1, size=170)
    points = np.concatenate([a, b])
    distance = max(abs((a <= x).mean() - (b <= x).mean()) for x in points)
    found, p_value = kolmogorov_smirnov(a, b)
    assert found == pytest.approx(distance)
    assert p_value == pytest.approx(stats.ks_2samp(a, b, method="exact").pvalue, rel=0.15)


def test_ks_of_an_empty_side_says_nothing():
    assert kolmogorov_smirnov(np.array([]), np.array([1.0])) == (0.0, 1.0)


def test_chi_square_is_the_sum_over_expected_counts():
    table = np.array([[30.0, 50.0, 20.0], [45.0, 30.0, 25.0]])
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    by_hand = ((table - expected) ** 2 / expected).sum()
    statistic, p_value, cramers_v = chi_square(*table)
    assert statistic == pytest.approx(by_hand)
    assert p_value == pytest.approx(math.exp(-by_hand / 2))
    assert cramers_v == pytest.approx(math.sqrt(by_hand / 200))


def test_wholly_different_labels_have_the_largest_effect():
    assert chi_square([100, 0], [0, 50])[2] == pytest.approx(1)


def test_rare_cells_are_pooled_before_the_test():
    assert chi_square([500, 500, 2, 1], [50, 40, 0, 1]) == chi_square([500, 503, 0], [50, 41, 0])
    assert chi_square([500, 400, *[10] * 20], [50, 40, *[1] * 20]) == chi_square([500, 400, 200], [50, 40, 20])


@pytest.mark.parametrize(("reference", "live"), [([5, 5], [0, 0]), ([7], [9]), ([0, 0], [0, 0]), ([90, 1], [80, 0])])
def test_where_there_is_nothing_to_compare_chi_square_says_nothing(reference, live):
    assert chi_square(reference, live) == (0.0, 1.0, 0.0)


@settings(deadline=None)
@given(counts, st.data())
def test_chi_square_stays_in_its_bounds_for_any_counts(reference, data):
    live = data.draw(st.lists(st.integers(0, 1000), min_size=len(reference), max_size=len(reference)))
    statistic, p_value, cramers_v = chi_square(reference, live)
    assert statistic >= 0
    assert 0 <= p_value <= 1
    assert 0 <= cramers_v <= 1 + 1e-12


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]
