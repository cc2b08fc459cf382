from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import fit_and_evaluate
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from ml_assets.datasets.spec import Task
from ml_assets.errors import IntegrityError, TrainingError
from ml_assets.evaluation.baseline import Baseline
from ml_assets.evaluation.evaluate import predict
from ml_assets.evaluation.importances import affordable_rows, permutation_importance
from ml_assets.evaluation.metrics import METRICS, FloatArray
from ml_assets.evaluation.record import Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evaluation_worlds import World


@pytest.fixture(params=["iris", "california"])
def world(request: pytest.FixtureRequest) -> World:
    return request.getfixturevalue(request.param)


def test_scores_are_means_over_folds_with_their_standard_error(world: World) -> None:
    for evaluation in world.evaluations.values():
        assert evaluation.cv_score == pytest.approx(np.mean(evaluation.fold_scores))
        expected = np.std(evaluation.fold_scores, ddof=1) / np.sqrt(5)
        assert evaluation.cv_standard_error == pytest.approx(expected)
        assert evaluation.oof_metrics.keys() == METRICS[evaluation.task].keys()
        assert evaluation.test_score == evaluation.test_metrics[evaluation.metric]


def test_predictions_are_kept_by_row(world: World) -> None:
    evaluation = next(iter(world.evaluations.values()))
    train, test = (world.splits[world.splits["part"] == part] for part in ("train", "test"))
    assert (evaluation.train_rows, evaluation.test_rows) == (len(train), len(test))
    assert evaluation.oof.index.equals(train.index)
    assert evaluation.oof["fold"].tolist() == train["fold"].tolist()
    assert evaluation.test["y"].tolist() == world.table.loc[test.index, world.spec.target].tolist()
    assert evaluation.test_row_losses().index.name == "row_id"
    if evaluation.task is Task.CLASSIFICATION:
        assert list(evaluation.test)[2:] == [f"probability_{label}" for label in evaluation.classes]
        assert evaluation.test_prediction.sum(axis=1) == pytest.approx(np.ones(len(test)))
    else:
        assert list(evaluation.test) == ["y", "fold", "prediction"]


def test_standard_error_of_the_test_score_is_near_that_of_a_bootstrap(california: World) -> None:
    evaluation = california.evaluations["linear"]
    losses = evaluation.test_row_losses().to_numpy()
    draws = np.random.default_rng(0).choice(losses, (2000, len(losses)))
    expected = np.sqrt(draws.mean(axis=1)).std()
    assert evaluation.test_standard_error == pytest.approx(expected, rel=0.1)


def test_an_evaluation_comes_back_as_it_was_saved(
    world: World, tmp_path: Path, changed: Callable[..., Evaluation]
) -> None:
    first = next(iter(world.evaluations.values()))
    evaluation = changed(first, params={"n": np.int64(3), "rate": np.float64(0.1), "kind": None})
    evaluation.save(tmp_path)
    again = Evaluation.load(tmp_path)
    for name in ("oof", "test"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(evaluation, name))
    for name in ("task", "classes", "fold_scores", "cv_score", "test_metrics", "data_hash", "trials"):
        assert getattr(again, name) == getattr(evaluation, name)
    assert again.params == {"n": 3, "rate": 0.1, "kind": None}
    assert again.test_row_losses().equals(evaluation.test_row_losses())


def test_numbers_that_are_none_survive_saving(iris: World, tmp_path: Path, changed: Callable[..., Evaluation]) -> None:
    evaluation = changed(iris.evaluations["linear"], cv_score=float("nan"), fold_scores=(1.0, float("inf")))
    evaluation.save(tmp_path)
    again = Evaluation.load(tmp_path)
    assert np.isnan(again.cv_score)
    assert np.isnan(again.fold_scores[1])
    assert "NaN" not in (tmp_path / "evaluation.json").read_text()


def test_a_missing_document_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"evaluation\.json cannot be read"):
        Evaluation.load(tmp_path)


def test_out_of_fold_predictions_must_fit_the_splits(california: World) -> None:
    with pytest.raises(TrainingError, match="linear has 3 out-of-fold predictions for 1600 training rows"):
        fit_and_evaluate(
            california.spec,
            california.table,
            california.splits,
            "linear",
            LinearRegression(),
            oof_prediction=np.zeros(3),
        )


def test_speed_is_measured_by_the_clock_given(california: World) -> None:
    clock = count(0.0, 0.25)
    evaluation = fit_and_evaluate(
        california.spec,
        california.table,
        california.splits,
        "constant",
        DummyRegressor(),
        clock=lambda: next(clock),
    )
    assert evaluation.predict_ms_per_1000_rows == 250.0


def test_no_rows_get_no_predictions(california: World) -> None:
    fitted = LinearRegression().fit(california.table[["latitude"]], california.table["median_house_value"])
    assert predict(Task.REGRESSION, fitted, california.table[["latitude"]].head(0)).shape == (0,)


def test_slow_models_get_fewer_rows_for_importances() -> None:
    assert affordable_rows(10, 30, 3.0, 1000) == 1000
    assert affordable_rows(400, 30, 3.0, 1000) == 250
    assert affordable_rows(1e6, 30, 3.0, 1000) == 125


def test_importance_is_high_for_the_column_that_matters_and_zero_for_noise() -> None:
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"noise": generator.normal(size=500), "signal": generator.normal(size=500)})
    y = 3 * X["signal"].to_numpy()
    arguments = {"task": Task.REGRESSION, "rows": 300, "repeats": 4}
    found = permutation_importance(lambda rows: 3 * rows["signal"].to_numpy(), X, y, seed=1, **arguments)
    assert found["feature"].tolist() == ["signal", "noise"]
    assert found.loc[0, "mean"] == pytest.approx(3 * np.sqrt(2), rel=0.15)
    assert found.loc[1, ["mean", "std"]].tolist() == [0.0, 0.0]
    again = permutation_importance(lambda rows: 3 * rows["signal"].to_numpy(), X, y, seed=1, **arguments)
    pd.testing.assert_frame_equal(found, again)


def test_of_very_many_columns_those_that_tell_most_are_shuffled() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 300)), columns=[f"x{i}" for i in range(300)])
    y = 3 * X["x250"].to_numpy()
    calls = []

    def answer(rows: pd.DataFrame) -> FloatArray:
        calls.append(1)
        return 3 * rows["x250"].to_numpy()

    found = permutation_importance(answer, X, y, task=Task.REGRESSION, rows=80, repeats=1, seed=0, columns=20)
    assert len(found) == 20
    assert len(calls) == 21
    assert found["feature"][0] == "x250"


def test_the_baseline_of_a_regression_is_the_spread_of_the_target(california: World, tmp_path: Path) -> None:
    found = california.baseline
    assert found.cv_score == pytest.approx(california.table["median_house_value"].std(), rel=0.05)
    assert found.test_metrics["r2"] == pytest.approx(0, abs=0.02)
    found.save(tmp_path)
    assert Baseline.load(tmp_path) == found


def test_the_baseline_of_a_classification_is_the_entropy_of_the_shares(iris: World) -> None:
    assert iris.baseline.cv_score == pytest.approx(np.log(3), rel=0.02)
    constant = iris.evaluations["constant"]
    assert iris.baseline.cv_score == pytest.approx(constant.cv_score)
    assert iris.baseline.test_metrics == pytest.approx(constant.test_metrics)
