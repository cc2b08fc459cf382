"""Bootstrap, Holm, power, equivalence and effects against references computed another way, and on simulated nulls."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.bootstrap import bootstrap_interval, bootstrap_t, resamples
from ml_assets.evaluation.clusters import by_cluster
from ml_assets.evaluation.effects import effect, loss_as_score, loss_factor
from ml_assets.evaluation.equivalence import equivalence
from ml_assets.evaluation.multiplicity import false_alarm_chance, holm
from ml_assets.evaluation.power import detectable_difference, noncentrality, power_of_test, rows_needed
from ml_assets.evaluation.significance import paired_rows_test


def test_holm_multiplies_by_what_is_left_and_never_goes_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


def test_a_test_that_was_not_possible_does_not_count_among_the_tests() -> None:
    corrected = holm([0.02, math.nan, 0.04])
    assert corrected[0] == pytest.approx(0.04)
    assert math.isnan(corrected[1])


def test_holm_rejects_a_true_null_in_at_most_five_per_cent_of_families_of_tests() -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(2000, 1))
    p = stats.norm.sf(0.6 * shared + 0.8 * generator.normal(size=(2000, 6)))
    assert np.mean([min(holm(row)) < 0.05 for row in p.tolist()]) <= 0.055
    assert np.mean(p.min(axis=1) < 0.05) > 0.15, "uncorrected, one of six is found far too often"


def test_the_chance_of_a_false_alarm_grows_with_the_looks() -> None:
    assert false_alarm_chance(0.05, 1) == pytest.approx(0.05)
    assert false_alarm_chance(0.05, 14) == pytest.approx(1 - 0.95**14)


@pytest.mark.parametrize(("effect_size", "alpha", "rows"), [(0.5, 0.025, 34), (0.8, 0.025, 15), (0.2, 0.025, 199)])
def test_rows_needed_are_those_of_published_tables(effect_size: float, alpha: float, rows: int) -> None:
    """Cohen's small, medium and large effect, matched pairs, power 0.8, as G*Power gives them."""
    assert rows_needed(1.0, effect_size, alpha=alpha, power=0.8) == rows


def test_power_is_what_the_noncentral_t_gives() -> None:
    for difference, dof in ((0.1, 9), (0.5, 29), (0.3, 400)):
        wanted = stats.nct.sf(stats.t.isf(0.05, dof), dof, difference / 0.2)
        assert power_of_test(difference, 0.2, dof, alpha=0.05) == pytest.approx(wanted, abs=1e-9)
    assert power_of_test(0.0, 1.0, 20, alpha=0.05) == pytest.approx(0.05)
    assert detectable_difference(0.2, 29, alpha=0.05, power=0.8) == pytest.approx(0.2 * noncentrality(29, 0.05, 0.8))
    assert noncentrality(1e6, 0.05, 0.8) == pytest.approx(stats.norm.isf(0.05) + stats.norm.ppf(0.8), abs=1e-4)


def test_a_difference_that_is_detectable_is_detected_that_often() -> None:
    generator = np.random.default_rng(1)
    true = detectable_difference(1 / math.sqrt(40), 39, alpha=0.05, power=0.8)
    found = [paired_rows_test(generator.normal(true, 1, 40)).p_one_sided < 0.05 for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_equivalence_is_the_interval_inside_the_margin() -> None:
    values = np.random.default_rng(2).normal(0.02, 0.1, 60)
    test = paired_rows_test(values, confidence=0.9)
    reach = max(abs(bound) for bound in test.interval)
    assert equivalence(test, reach * 1.0001).shown(0.05)
    assert not equivalence(test, reach * 0.9999).shown(0.05)
    wanted = max(
        stats.ttest_1samp(values, -0.05, alternative="greater").pvalue,
        stats.ttest_1samp(values, 0.05, alternative="less").pvalue,
    )
    assert equivalence(test, 0.05).p_value == pytest.approx(wanted)


def test_models_a_margin_apart_are_called_equivalent_in_five_per_cent_of_draws() -> None:
    generator = np.random.default_rng(3)
    called = [equivalence(paired_rows_test(generator.normal(0.1, 0.1, 50)), 0.1).shown(0.05) for _ in range(2000)]
    assert np.mean(called) == pytest.approx(0.05, abs=0.015)


def test_equivalence_without_spread_is_not_shown_and_a_margin_is_above_zero() -> None:
    assert not equivalence(paired_rows_test(np.zeros(9)), 0.1).shown(0.05)
    with pytest.raises(ValueError, match="margin is 0"):
        equivalence(paired_rows_test(np.arange(9.0)), 0)


def test_bootstrap_t_agrees_with_scipys_on_its_interval() -> None:
    values = np.random.default_rng(4).exponential(size=80) - 0.7
    ours = bootstrap_t(values, seed=0, draws=4000)
    plain = paired_rows_test(values)
    assert ours.p_one_sided == pytest.approx(plain.p_one_sided, abs=0.05)
    assert ours.interval[0] < values.mean() < ours.interval[1]
    assert ours.interval[1] - values.mean() > plain.interval[1] - values.mean(), "it reaches further into the long tail"


def test_bootstrap_t_rejects_a_true_null_in_about_five_per_cent_of_draws_though_differences_are_skewed() -> None:
    generator = np.random.default_rng(5)
    skewed = 1.0 - generator.exponential(size=(600, 80))
    found = np.mean([bootstrap_t(values, seed=at, draws=499).p_one_sided < 0.05 for at, values in enumerate(skewed)])
    by_t = np.mean([paired_rows_test(values).p_one_sided < 0.05 for values in skewed])
    assert found == pytest.approx(0.05, abs=0.025)
    assert found < by_t, "Student's t is too sure here"


@pytest.mark.parametrize("values", [[], [1.0], [0.2, 0.2, 0.2], [1.0, math.nan], [1.0, math.inf]])
def test_bootstrap_says_nothing_without_finite_spread(values: list[float]) -> None:
    assert math.isnan(bootstrap_t(np.array(values), seed=0).p_one_sided)


def test_draws_are_of_as_many_rows_and_the_same_for_the_same_seed() -> None:
    first = np.concatenate(list(resamples(50, 20, 1)))
    assert first.shape == (20, 50)
    assert set(first.sum(axis=1)) == {50.0}
    assert np.array_equal(first, np.concatenate(list(resamples(50, 20, 1))))
    assert not np.array_equal(first, np.concatenate(list(resamples(50, 20, 2))))


def test_the_interval_of_a_mean_is_that_of_scipys_bootstrap() -> None:
    values = np.random.default_rng(6).gamma(2.0, size=(300, 1))
    ours = bootstrap_interval(values, lambda means: means, seed=0, draws=4000)
    theirs = stats.bootstrap((values[:, 0],), np.mean, n_resamples=4000, method="percentile", rng=0)
    assert ours[0] == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)


def test_clusters_keep_the_mean_and_give_the_error_of_a_ratio_of_totals() -> None:
    generator = np.random.default_rng(7)
    sizes = generator.integers(1, 9, 40)
    names = np.repeat(np.arange(40), sizes).astype(object)
    values = generator.normal(size=40)[names.astype(int)] + generator.normal(0, 0.3, len(names))
    made = by_cluster(values, names)
    totals = pd.Series(values - values.mean()).groupby(names).sum().to_numpy()
    wanted = math.sqrt(40 / 39 * np.square(totals).sum()) / len(values)
    assert made.mean() == pytest.approx(values.mean())
    assert paired_rows_test(made).standard_error == pytest.approx(wanted)
    assert paired_rows_test(made).standard_error > 1.5 * paired_rows_test(values).standard_error


def test_rows_that_depend_on_each_other_are_no_more_evidence_than_their_clusters() -> None:
    generator = np.random.default_rng(8)
    names = np.repeat(np.arange(30), 10).astype(object)
    draws = [generator.normal(size=30)[names.astype(int)] + generator.normal(0, 0.5, 300) for _ in range(500)]
    together = np.mean([paired_rows_test(by_cluster(d, names)).p_one_sided < 0.05 for d in draws])
    alone = np.mean([paired_rows_test(d).p_one_sided < 0.05 for d in draws])
    assert together == pytest.approx(0.05, abs=0.025)
    assert alone > 0.2


def test_an_effect_is_in_units_of_the_score_and_as_a_share_of_it() -> None:
    generator = np.random.default_rng(9)
    errors = generator.normal(0, 10, 400)
    found = effect(Task.REGRESSION, np.column_stack([errors**2, (0.9 * errors) ** 2]), seed=0)
    assert found.reference == pytest.approx(math.sqrt(np.mean(errors**2)))
    assert found.difference == pytest.approx(0.1 * found.reference)
    assert found.share == pytest.approx(0.1)
    assert found.share_interval == pytest.approx((0.1, 0.1)), "each error is a tenth smaller, whatever rows are drawn"
    assert found.interval[0] < found.difference < found.interval[1]
    assert loss_factor(Task.REGRESSION, 0.1) == pytest.approx(1.21)
    assert loss_factor(Task.CLASSIFICATION, 0.1) == pytest.approx(1.1)
    assert loss_as_score(Task.REGRESSION, 100.0, 19.0) == pytest.approx(1.0)


def test_the_interval_of_an_effect_holds_the_truth_in_about_nineteen_of_twenty_draws() -> None:
    generator = np.random.default_rng(10)
    held = 0
    for draw in range(300):
        shared, own = generator.normal(0, 1, 120), generator.normal(0, 0.4, (2, 120))
        losses = np.square(shared + own).T
        low, high = effect(Task.REGRESSION, losses, seed=draw, draws=299).interval
        held += low <= 0 <= high
    assert 0.91 <= held / 300 <= 0.98
