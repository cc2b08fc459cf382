from dataclasses import replace

import pytest
from toy_drift import SPEC, live_window, predictions_for, reference_table

from ml_assets.monitoring.decision import RetrainDecision, decide_retrain
from ml_assets.monitoring.drift import drift
from ml_assets.monitoring.performance import LivePerformance
from ml_assets.monitoring.profile import build_profile
from ml_assets.monitoring.window import WindowBounds, window_bounds

TABLE = reference_table(800)
PROFILE = build_profile(SPEC, TABLE, predictions_for(TABLE), data_hash="d", created_at=5.0, seed=0)
FINE = LivePerformance(
    "houses", 9, 0, 0, 300, 1.0, 2.0, 0, 50, "no labels", "rmse", None, None, 0.5, "live rmse unknown"
)
WORSE = replace(FINE, state="measured", live=0.9, live_standard_error=0.02, message="live rmse 0.9 against 0.5")


BOUNDS = WindowBounds(10.0, 20.0)


def report(n=300, *, shift=0.0, bounds=BOUNDS):
    window = live_window(n, 1)
    window["area"] += shift
    return drift(PROFILE, window, bounds=bounds)


def decide(found, performance=FINE, last=None, minimum_rows=100):
    return decide_retrain(found, performance, minimum_rows=minimum_rows, last_decision=last, decided_at=30.0)


def test_drift_is_a_reason_with_its_figures():
    decision = decide(report(shift=40.0))
    assert decision.retrain
    assert decision.drifted == ("area",)
    assert "1 of 7 features drifted over 300 rows: area (KS 0." in decision.reason
    assert "PSI" in decision.reason
    assert (decision.window_start, decision.window_end, decision.settled_until) == (10.0, 20.0, 20.0)
    assert decision.decided_at == 30.0


def test_without_drift_nothing_is_retrained_and_the_reason_names_the_strongest_move():
    decision = decide(report())
    assert not decision.retrain
    assert "none of 7 features drifted over 300 rows, the most " in decision.reason
    assert "live rmse unknown" in decision.reason
    assert decision.settled_until is None


def test_a_live_metric_that_is_worse_is_a_reason_of_its_own():
    decision = decide(report(), WORSE)
    assert decision.retrain
    assert decision.drifted == ("live_performance",)
    assert "live rmse 0.9 against 0.5" in decision.reason


def test_intervals_that_break_their_promise_are_a_reason_of_their_own():
    decision = decide(report(), replace(FINE, interval_rows=200, interval_kept=0.7, interval_promised=0.9))
    assert decision.retrain
    assert decision.drifted == ("intervals",)


@pytest.mark.parametrize(("rows", "minimum"), [(50, 10), (300, 301), (0, 0)])
def test_too_few_rows_are_no_reason_whatever_they_look_like(rows, minimum):
    decision = decide(report(rows, shift=40.0), WORSE, minimum_rows=minimum)
    assert not decision.retrain
    assert f"{rows} rows in the window, at least {max(minimum, 100)} are needed" in decision.reason


def test_the_same_findings_have_the_same_id_and_others_another():
    first, again = decide(report(shift=40.0)), decide(report(shift=40.0))
    assert first.decision_id == again.decision_id
    assert len(first.decision_id) == 16
    others = [
        decide(report()),
        decide(report(shift=40.0), WORSE),
        decide(report(shift=40.0, bounds=WindowBounds(10.0, 21.0))),
        decide(replace(report(shift=40.0), dataset="other")),
    ]
    assert len({first.decision_id, *(d.decision_id for d in others)}) == 5


def test_a_decision_comes_back_from_disk_as_it_was(tmp_path):
    decision = decide(report(shift=40.0))
    decision.save(tmp_path)
    assert RetrainDecision.load(tmp_path) == decision


def test_the_same_rows_never_lead_to_a_second_retraining():
    created = 5.0
    first_bounds = window_bounds(baseline_created_at=created, settled_until=None, now=20.0)
    assert first_bounds == WindowBounds(5.0, 20.0)
    first = decide(report(shift=40.0, bounds=first_bounds))
    assert first.retrain

    again = decide(report(shift=40.0, bounds=first_bounds), last=first)
    assert not again.retrain
    assert "led to a retraining already" in again.reason

    next_bounds = window_bounds(baseline_created_at=created, settled_until=again.settled_until, now=40.0)
    assert next_bounds == WindowBounds(20.0, 40.0)
    quiet = decide(report(bounds=next_bounds), last=again)
    assert not quiet.retrain
    assert quiet.settled_until == 20.0

    later = window_bounds(baseline_created_at=created, settled_until=quiet.settled_until, now=60.0)
    assert later.start == 20.0
    assert decide(report(shift=40.0, bounds=later), last=quiet).retrain


def test_a_new_baseline_starts_a_new_window_and_a_clock_set_back_gives_an_empty_one():
    assert window_bounds(baseline_created_at=50.0, settled_until=20.0, now=60.0).start == 50.0
    assert window_bounds(baseline_created_at=50.0, settled_until=None, now=10.0) == WindowBounds(50.0, 50.0)
