import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from toy_world import HOUSES, PLANTS, house_model, house_rows, plant_model

from ml_assets.datasets.spec import Task
from ml_assets.errors import SettingError
from ml_assets.learning.conformal import Intervals, Sets
from ml_assets.learning.intervals import with_intervals
from ml_assets.serving.predictor import PipelinePredictor, PredictionError, Predictions
from ml_assets.serving.rows import rows_to_frame


def test_a_regression_gives_the_pipelines_numbers():
    frame = rows_to_frame(HOUSES, house_rows(10))
    found = PipelinePredictor(house_model(), Task.REGRESSION).predict(frame)
    assert found.probabilities is None
    assert found.values == pytest.approx(2 * frame["area"])
    assert next(found.answers()) == {"prediction": found.values[0]}


def test_a_class_is_the_likeliest_and_probabilities_keep_the_models_order():
    model = plant_model()
    frame = rows_to_frame(PLANTS, [{"height": h} for h in (0.1, 1.0, 10.0)])
    found = PipelinePredictor(model, Task.CLASSIFICATION).predict(frame)
    assert found.values == ["moss", "fern", "tree"]
    assert list(found.probabilities) == list(model.classes_) == ["fern", "moss", "tree"]
    assert np.column_stack(list(found.probabilities.values())) == pytest.approx(model.predict_proba(frame))
    first = next(found.answers())
    assert first["prediction"] == "moss"
    assert sum(first["probabilities"].values()) == pytest.approx(1)


def test_intervals_and_sets_come_with_the_answers_that_ask_for_them():
    rows = house_rows(60)
    frame = rows_to_frame(HOUSES, rows)
    model = with_intervals(house_model(), Intervals(np.linspace(0.1, 2.0, 20), limits=(0.0, 1e9)))
    found = PipelinePredictor(model, Task.REGRESSION).predict(frame, 0.5)
    answer = next(found.answers())
    assert answer["interval"]["coverage"] == 0.5
    # The 11th of 20 errors: ceil(21 * 0.5).
    assert answer["interval"]["upper"] - answer["prediction"] == pytest.approx(0.1 * 11)
    plants = rows_to_frame(PLANTS, [{"height": h} for h in (0.1, 1.0, 10.0)])
    sure = with_intervals(plant_model(), Sets(np.zeros(30)))
    assert next(PipelinePredictor(sure, Task.CLASSIFICATION).predict(plants, 0.9).answers())["interval"] == {
        "coverage": 0.9,
        "set": ["moss"],
    }
    doubtful = with_intervals(plant_model(), Sets(np.ones(30)))
    assert {
        len(row["interval"]["set"])
        for row in PipelinePredictor(doubtful, Task.CLASSIFICATION).predict(plants, 0.9).answers()
    } == {3}


def test_a_model_without_intervals_and_a_coverage_that_cannot_be_promised_say_so():
    frame = rows_to_frame(HOUSES, house_rows(3))
    with pytest.raises(SettingError, match="train it again"):
        PipelinePredictor(house_model(), Task.REGRESSION).predict(frame, 0.9)
    model = with_intervals(house_model(), Intervals(np.ones(19)))
    with pytest.raises(SettingError, match=r"known on 19 rows, which is enough for 0\.95 at most"):
        PipelinePredictor(model, Task.REGRESSION).predict(frame, 0.96)
    with pytest.raises(SettingError, match="give a number between 0 and 1"):
        PipelinePredictor(model, Task.REGRESSION).predict(frame, 90)


def test_no_rows_give_no_answers():
    assert list(Predictions([], {"a": []}).answers()) == []


def test_a_prediction_that_is_no_finite_number_is_an_error_that_names_the_row():
    model = DummyRegressor().fit(np.zeros((2, 1)), [0.0, 0.0])
    model.constant_ = np.array([[np.inf]])
    with pytest.raises(PredictionError, match="rows 0, 1"):
        PipelinePredictor(model, Task.REGRESSION).predict(np.zeros((2, 1)))


def test_a_pipeline_that_refuses_the_rows_is_an_error_of_ours():
    forest = RandomForestRegressor(n_estimators=2).fit(np.zeros((4, 1)), np.zeros(4))
    with pytest.raises(PredictionError, match="could not predict"):
        PipelinePredictor(forest, Task.REGRESSION).predict(np.array([[1e300]]))
