import math

import numpy as np
import pandas as pd
import pytest
from toy_drift import SPEC

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.monitoring.live_window import LiveWindow
from ml_assets.monitoring.performance import LivePerformance, live_performance
from ml_assets.monitoring.window import WindowBounds
from ml_assets.serving.prediction_log import Label, LoggedRequest, LogSummary, PredictionLog

SUMMARY = LogSummary(12, 2, 1, 90, 3.0, 8.0)
PLANTS = DatasetSpec.model_validate(
    SPEC.model_dump(mode="json")
    | {
        "name": "plants",
        "task": "classification",
        "target": "kind",
        "columns": {"height": {"dtype": "float"}, "kind": {"dtype": "category"}},
    }
)


def numbers(n, error=1.0):
    signs = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    return pd.DataFrame({"prediction": np.zeros(n), "label": error * signs, "probabilities": None})


def test_load_and_refusals_are_those_of_the_log():
    found = live_performance(SUMMARY, numbers(0), SPEC, holdout={"rmse": 0.5})
    assert (found.requests, found.refused, found.failed, found.rows) == (12, 2, 1, 90)
    assert (found.latency_p50_ms, found.latency_p95_ms) == (3.0, 8.0)


def test_without_labels_there_is_no_figure_and_it_says_so():
    found = live_performance(SUMMARY, numbers(0), SPEC, holdout={"rmse": 0.5})
    assert (found.state, found.live, found.is_worse) == ("no labels", None, False)
    assert "no row has a label yet" in found.message


def test_too_few_labels_give_no_figure():
    found = live_performance(SUMMARY, numbers(49), SPEC, holdout={"rmse": 0.5})
    assert (found.state, found.live) == ("too few labels", None)
    assert "49 rows have a label, at least 50 are needed" in found.message


def test_the_live_rmse_stands_against_that_of_the_holdout():
    rng = np.random.default_rng(0)
    labelled = pd.DataFrame({"prediction": np.zeros(400), "label": rng.normal(size=400), "probabilities": None})
    found = live_performance(SUMMARY, labelled, SPEC, holdout={"rmse": 0.5, "r2": 0.1})
    assert (found.state, found.metric, found.holdout) == ("measured", "rmse", 0.5)
    assert found.live == pytest.approx(math.sqrt((labelled["label"] ** 2).mean()))
    assert found.live_standard_error == pytest.approx(1 / math.sqrt(2 * 400), rel=0.2)
    assert found.is_worse


@pytest.mark.parametrize(("holdout", "worse"), [(0.5, True), (0.95, False), (1.5, False), (None, False)])
def test_only_a_clear_and_sizeable_loss_is_worse(holdout, worse):
    known = {} if holdout is None else {"rmse": holdout}
    assert live_performance(SUMMARY, numbers(100), SPEC, holdout=known).is_worse is worse


@pytest.mark.parametrize(("half_width", "broken"), [(1.7, False), (0.8, True)])
def test_intervals_that_hold_too_few_labels_break_their_promise(half_width, broken):
    rng = np.random.default_rng(0)
    told = {"coverage": 0.9, "lower": -half_width, "upper": half_width}
    labelled = pd.DataFrame({"prediction": 0.0, "label": rng.normal(size=300), "interval": [told] * 300})
    labelled.loc[200:, "interval"] = None
    found = live_performance(SUMMARY, labelled, SPEC, holdout={"rmse": 1.0})
    assert (found.interval_rows, found.interval_promised) == (200, pytest.approx(0.9))
    assert found.interval_kept == pytest.approx((labelled["label"][:200].abs() <= half_width).mean())
    assert found.breaks_promise is broken
    assert "of 200 intervals held the truth, 90.0% were promised" in found.message


def test_sets_count_by_label_and_few_of_them_say_nothing():
    answers = [{"coverage": 0.8, "set": ["fern"]}, {"coverage": 0.8, "set": ["moss", "fern"]}] * 30
    labelled = pd.DataFrame({"label": ["moss", "moss"] * 30, "interval": answers})
    labelled["probabilities"] = [{"fern": 0.5, "moss": 0.5}] * 60
    found = live_performance(SUMMARY, labelled, PLANTS, holdout={})
    assert found.interval_kept == 0.5
    assert found.breaks_promise
    few = live_performance(SUMMARY, labelled[:40], PLANTS, holdout={})
    assert (few.interval_rows, few.interval_kept, few.breaks_promise) == (40, None, False)


def test_perfect_predictions_have_no_error():
    found = live_performance(SUMMARY, numbers(60, error=0.0), SPEC, holdout={"rmse": 0.5})
    assert (found.live, found.live_standard_error, found.is_worse) == (0.0, 0.0, False)


def test_the_live_log_loss_counts_a_label_unknown_to_the_model_as_nearly_impossible():
    answers = [{"fern": 0.75, "moss": 0.25}] * 60
    labelled = pd.DataFrame({"prediction": "fern", "probabilities": answers, "label": "fern"})
    found = live_performance(SUMMARY, labelled, PLANTS, holdout={"log_loss": 0.3})
    assert (found.metric, found.live) == ("log_loss", pytest.approx(-math.log(0.75)))
    labelled.loc[0, "label"] = "rose"
    found = live_performance(SUMMARY, labelled, PLANTS, holdout={"log_loss": 0.3})
    assert found.live == pytest.approx((59 * -math.log(0.75) - math.log(np.finfo(float).eps)) / 60)


def test_figures_come_from_the_log_as_it_is_and_back_from_disk(tmp_path):
    log = PredictionLog(tmp_path / "predictions.db")
    request = LoggedRequest("a", "plants", "1", 10.0, 2.0, 60, "answered")
    answer = {"prediction": "fern", "probabilities": {"fern": 0.5, "moss": 0.5}}
    log.record(request, [{"height": 1.0}] * 60, [answer] * 60)
    log.add_labels("plants", [Label("a", i, "moss") for i in range(60)], received_at=20.0)
    found = live_performance(log.summary("plants", since=0.0), log.labelled("plants", since=0.0), PLANTS, holdout={})
    assert found.live == pytest.approx(math.log(2))
    assert found.live_standard_error == pytest.approx(0.0)
    found.save(tmp_path)
    assert LivePerformance.load(tmp_path) == found


def test_answers_of_models_with_other_classes_survive_being_stored_as_a_window(tmp_path):
    log = PredictionLog(tmp_path / "predictions.db")
    for i, probabilities in enumerate([{"fern": 0.5, "moss": 0.5}, {"fern": 0.5, "rose": 0.5}]):
        request = LoggedRequest(str(i), "plants", str(i), 10.0, 2.0, 30, "answered")
        answer = {"prediction": "fern", "probabilities": probabilities}
        log.record(request, [{"height": 1.0}] * 30, [answer] * 30)
        log.add_labels("plants", [Label(str(i), j, "fern") for j in range(30)], received_at=20.0)
    window = LiveWindow.take(log, PLANTS, WindowBounds(0.0, 20.0))
    window.save(tmp_path)
    stored = LiveWindow.load(tmp_path)
    assert live_performance(stored.summary, stored.labelled, PLANTS, holdout={}) == live_performance(
        window.summary, window.labelled, PLANTS, holdout={}
    )
