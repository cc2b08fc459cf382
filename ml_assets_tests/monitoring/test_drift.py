import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from toy_drift import SPEC, live_window, predictions_for, reference_table

from ml_assets.errors import ContractViolation
from ml_assets.monitoring.drift import DriftReport, drift
from ml_assets.monitoring.profile import Profile, build_profile
from ml_assets.monitoring.window import WindowBounds

BOUNDS = WindowBounds(10.0, 20.0)


def profile_of(table) -> Profile:
    return build_profile(SPEC, table, predictions_for(table), data_hash="d", created_at=5.0, seed=0)


PROFILE = profile_of(reference_table(1500))


def judge(window, profile=PROFILE, **options) -> DriftReport:
    return drift(profile, window, bounds=BOUNDS, **options)


def drifted(report):
    return {f.name for f in report.drifted}


@pytest.mark.parametrize("n", [100, 400, 2000])
def test_fresh_draws_of_the_same_distribution_are_no_drift_in_nearly_all_cases(n):
    verdicts = [judge(live_window(n, seed)).state for seed in range(1, 61)]
    assert verdicts.count("no drift") >= 0.95 * len(verdicts)


def test_two_draws_of_a_small_table_are_no_drift_in_nearly_all_cases():
    verdicts = [judge(live_window(100, 500 + seed), profile_of(reference_table(120, seed))).state for seed in range(60)]
    assert verdicts.count("no drift") >= 0.95 * len(verdicts)


def test_a_shifted_number_is_found_with_its_figures_and_so_are_the_predictions():
    window = live_window(400, 1)
    window["area"] += 30
    window["prediction"] += 60
    report = judge(window)
    assert report.state == "drift"
    assert drifted(report) == {"area"}
    assert report.prediction_drifted
    area = report.drifted[0]
    expected = stats.ks_2samp(PROFILE.features["area"].sample, window["area"])
    assert area.statistic == area.effect == pytest.approx(expected.statistic)
    assert area.mean_shift == pytest.approx(1.5, abs=0.15)
    assert area.psi > 1
    assert area.p_adjusted < 1e-6


def test_a_change_too_small_to_matter_is_no_drift_however_significant():
    window = live_window(20_000, 1)
    window["area"] += 4
    report = judge(window)
    area = report.features[0]
    assert area.p_adjusted < 0.01
    assert area.psi < 0.2
    assert report.state == "no drift"


def test_a_spread_that_widens_around_the_same_mean_is_found():
    window = live_window(400, 1)
    window["area"] = 100 + 2.5 * (window["area"] - 100)
    assert "area" in drifted(judge(window))


def test_shares_of_labels_that_moved_are_found():
    window = live_window(400, 1)
    window["door"] = np.where(np.arange(400) % 10 < 9, "green", "red").astype(object)
    assert drifted(judge(window)) == {"door"}


def test_labels_never_seen_are_named_and_counted_against_the_contract():
    window = live_window(400, 1)
    window.loc[:149, "door"] = "purple"
    found = {f.name: f for f in judge(window).features}["door"]
    assert found.drifted
    assert found.unseen == ("purple",)
    assert found.outside_share == pytest.approx(150 / 400)


def test_a_few_unseen_labels_are_reported_without_a_verdict():
    window = live_window(400, 1)
    window.loc[0, "door"] = "purple"
    report = judge(window)
    assert {f.name: f for f in report.features}["door"].unseen == ("purple",)
    assert report.state == "no drift"


def test_a_constant_feature_that_stays_is_quiet_and_one_that_moves_either_way_is_found():
    assert judge(live_window(200, 1)).features[3].psi == 0
    for value in (2.9, 3.1):
        assert drifted(judge(live_window(200, 1).assign(level=value))) == {"level"}


def test_values_that_go_missing_are_found():
    window = live_window(400, 1)
    window["age"] = window["age"].where(np.arange(400) % 5 == 0)
    assert drifted(judge(window)) == {"age"}
    assert drifted(judge(live_window(400, 1).assign(age=None))) == {"age"}


def test_values_that_were_always_missing_and_appear_are_found():
    assert drifted(judge(live_window(200, 1).assign(gone=1.0))) == {"gone"}


def test_values_outside_the_contracts_range_are_counted():
    window = live_window(200, 1)
    window.loc[:9, "area"] = 250.0
    assert judge(window).features[0].outside_share == pytest.approx(0.05)


def test_too_few_rows_get_no_verdict():
    for n in (0, 99):
        report = judge(live_window(n, 1))
        assert (report.state, report.features, report.rows) == ("not enough rows", (), n)
    assert judge(live_window(0, 1), minimum_rows=0).state == "not enough rows"
    assert judge(live_window(99, 1), minimum_rows=50).state == "no drift"


def test_a_window_without_predictions_is_judged_by_its_features():
    assert judge(live_window(200, 1).drop(columns="prediction")).prediction is None


def test_a_window_that_lacks_a_feature_is_refused():
    with pytest.raises(ContractViolation, match="lacks columns area"):
        judge(live_window(200, 1).drop(columns="area"))


def test_a_report_comes_back_from_disk_as_it_was_and_is_strict_json(tmp_path):
    window = live_window(200, 1).assign(level=7.0, door="purple")
    for report in (judge(window), judge(window.head(3))):
        report.save(tmp_path)
        assert DriftReport.load(tmp_path) == report
        json.loads((tmp_path / "drift.json").read_text(), parse_constant=pytest.fail)


def test_the_table_of_a_report_has_a_row_for_each_feature_and_the_prediction():
    table = judge(live_window(200, 1)).to_frame()
    assert table["name"].tolist() == [*SPEC.feature_columns, "prediction"]
    assert {"psi", "p_adjusted", "effect", "drifted"} <= set(table.columns)
    assert "psi" in judge(live_window(0, 1)).to_frame().columns


weird_numbers = st.one_of(st.floats(), st.none(), st.integers(-(10**30), 10**30), st.text(max_size=3), st.booleans())
weird_labels = st.one_of(st.none(), st.text(max_size=3), st.integers(), st.floats(), st.just("red"))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(weird_numbers, weird_numbers, weird_labels, weird_numbers), min_size=1, max_size=25))
def test_any_window_gets_a_report_of_finite_figures(rows):
    window = live_window(len(rows), 1).astype(object)
    for i, name in enumerate(["area", "age", "door", "prediction"]):
        window[name] = pd.Series([row[i] for row in rows], dtype=object)
    report = judge(window, minimum_rows=1)
    for found in [*report.features, report.prediction]:
        figures = [found.statistic, found.p_value, found.p_adjusted, found.psi, found.effect]
        assert all(math.isfinite(x) and x >= 0 for x in figures)
        assert found.mean_shift is None or math.isfinite(found.mean_shift)
        assert 0 <= found.missing_share <= 1
        assert 0 <= found.outside_share <= 1
        assert found.p_value <= found.p_adjusted <= 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200))
def test_the_order_of_rows_changes_nothing(seed, n):
    window = live_window(n, seed)
    assert judge(window, minimum_rows=1) == judge(window.sample(frac=1, random_state=seed), minimum_rows=1)
