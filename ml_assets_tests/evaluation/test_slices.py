"""Errors by slice of sensitive columns: the right rows, the right figures, intervals that hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import World, fit_and_evaluate, spec_of
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.evaluation.evaluate import true_values
from ml_assets.evaluation.record import Evaluation
from ml_assets.evaluation.slices import ALL_ROWS, error_slices
from ml_assets.learning.splitting import split


def world(sensitive: pd.Series, dtype: str, task: str = "regression") -> tuple[DatasetSpec, pd.DataFrame, Evaluation]:
    """A table with a sensitive column, and a model's evaluation on it."""
    generator = np.random.default_rng(0)
    n = len(sensitive)
    x = generator.normal(size=n)
    y = 2 * x + generator.normal(size=n)
    table = pd.DataFrame({"x": x, "s": sensitive.to_numpy(), "y": np.where(y > 0, "yes", "no")})
    if task == "regression":
        table["y"] = y
    table.index = pd.Index([f"{i:016x}" for i in range(n)], name="row_id")
    columns = {
        "x": {"dtype": "float"},
        "s": {"dtype": dtype, "sensitive": "a test", "missing_share": 1},
        "y": {"dtype": "float"} if task == "regression" else {"dtype": "category", "allowed": ["no", "yes"]},
    }
    spec = spec_of("toy", "y", columns, title="Toy", task=task)
    splits = split(spec, table, seed=0)
    pipeline = LinearRegression() if task == "regression" else LogisticRegression()
    return spec, table, fit_and_evaluate(spec, table, splits, "linear", pipeline)


def test_boston_is_cut_into_quarters_by_b_and_b_is_no_feature(boston: World) -> None:
    spec, table, evaluation = boston.spec, boston.table, boston.evaluations["linear"]
    found = error_slices(spec, table, evaluation)
    assert list(found) == ["b"]
    everything, *parts = found["b"]
    assert everything.name == ALL_ROWS
    assert everything.rows == evaluation.train_rows
    assert everything.score == pytest.approx(evaluation.oof_metrics["rmse"])
    assert len(parts) == 4
    assert sum(part.rows for part in parts) == evaluation.train_rows
    assert not any(part.small for part in parts)
    assert "b" not in spec.feature_columns


def test_a_slice_has_the_error_and_the_bias_of_its_own_rows(boston: World) -> None:
    spec, table, evaluation = boston.spec, boston.table, boston.evaluations["linear"]
    lowest = error_slices(spec, table, evaluation)["b"][1]
    values = table.loc[evaluation.oof.index, "b"]
    edge = np.quantile(values, 0.25, method="inverted_cdf")
    rows = evaluation.oof[values <= edge]
    errors = rows["prediction"] - rows["y"]
    assert lowest.rows == len(rows)
    assert lowest.name.startswith("up to ")
    assert lowest.score == pytest.approx(np.sqrt((errors**2).mean()))
    assert lowest.second == pytest.approx(errors.mean())
    assert lowest.low < lowest.score < lowest.high


def test_labels_are_slices_with_the_rarest_together_and_small_ones_marked() -> None:
    sizes = [90, 60, 40, 5, *[3] * 10]
    labels = pd.Series(np.repeat([f"group {i:02}" for i in range(len(sizes))], sizes))
    spec, table, evaluation = world(labels.sample(frac=1, random_state=0), "category")
    parts = error_slices(spec, table, evaluation)["s"][1:]
    assert [part.name for part in parts[:3]] == ["group 00", "group 01", "group 02"]
    assert parts[-1].name.endswith(" others")
    assert len(parts) == 12
    assert [part.small for part in parts[:2]] == [False, False]
    assert all(part.small for part in parts[3:])
    assert sum(part.rows for part in parts) == evaluation.train_rows


def test_a_classification_is_scored_by_log_loss_and_by_the_class_named() -> None:
    spec, table, evaluation = world(pd.Series(["a", "b"] * 100), "category", task="classification")
    everything, a, _ = error_slices(spec, table, evaluation)["s"]
    assert everything.score == pytest.approx(evaluation.oof_metrics["log_loss"])
    assert everything.second == pytest.approx(evaluation.oof_metrics["accuracy"])
    rows = evaluation.oof[table.loc[evaluation.oof.index, "s"] == "a"]
    likelihood = np.where(rows["y"] == "no", rows["probability_no"], rows["probability_yes"])
    assert a.score == pytest.approx(-np.log(likelihood).mean())
    named = np.where(rows["probability_yes"] > 0.5, "yes", "no")
    assert a.second == pytest.approx((named == rows["y"]).mean())


@pytest.mark.parametrize(
    ("values", "dtype", "names"),
    [
        ([1.0, 0.0, 1.0, None] * 30, "boolean", ["yes", "no", "missing"]),
        ([1.0, 2.0, 5.0] * 40, "integer", ["1", "2", "5"]),
        ([*range(100), None], "float", ["up to ", "over ", "over ", "over ", "missing"]),
        ([7.0] * 90 + [1, 2, 3, 4, 5, 6] * 5, "float", ["up to 6", "over 6"]),
        (pd.date_range("2026-01-01", periods=100), "date", ["up to 2026-01", "over 2026-", "over 2026-", "over 2026-"]),
    ],
    ids=["boolean", "few numbers", "gaps", "one value in most rows", "dates"],
)
def test_every_type_of_column_is_cut_in_a_way_that_fits(values: object, dtype: str, names: list[str]) -> None:
    spec, table, evaluation = world(pd.Series(values), dtype)
    found = [part.name for part in error_slices(spec, table, evaluation)["s"][1:]]
    assert len(found) == len(names)
    assert all(name.startswith(start) for name, start in zip(found, names, strict=True)), found


def test_a_text_has_no_slices_and_neither_has_a_table_without_sensitive_columns() -> None:
    spec, table, evaluation = world(pd.Series(["some words"] * 100), "text")
    assert error_slices(spec, table, evaluation) == {}
    spec, table, evaluation = world(pd.Series([1.0] * 100), "float")
    columns = {name: column.model_dump() | {"sensitive": None} for name, column in spec.columns.items()}
    assert error_slices(DatasetSpec.model_validate({**spec.model_dump(), "columns": columns}), table, evaluation) == {}


def test_rows_without_a_prediction_count_in_no_slice() -> None:
    spec, table, evaluation = world(pd.Series(["a", "b"] * 100), "category")
    gaps = evaluation.oof.copy()
    gaps.iloc[:50, gaps.columns.get_loc("prediction")] = np.nan
    everything, *parts = error_slices(spec, table, replace(evaluation, oof=gaps))["s"]
    assert everything.rows == evaluation.train_rows - 50 == sum(part.rows for part in parts)
    assert np.isfinite(everything.score)


def test_the_interval_holds_the_true_error_about_as_often_as_it_says() -> None:
    """Squared normal errors, 100 rows: the true RMSE is 1."""
    spec, table, evaluation = world(pd.Series([1.0] * 150), "float")
    truth = true_values(spec, table.loc[evaluation.oof.index])
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        oof = evaluation.oof.assign(prediction=truth + generator.normal(size=len(truth)))
        everything = error_slices(spec, table, replace(evaluation, oof=oof))["s"][0]
        held += everything.low <= 1.0 <= everything.high
    assert 0.90 <= held / 300 <= 0.98


def test_a_perfect_model_has_an_error_of_zero_and_no_interval() -> None:
    spec, table, evaluation = world(pd.Series([1.0] * 50), "float")
    perfect = evaluation.oof.assign(prediction=evaluation.oof["y"])
    everything = error_slices(spec, table, replace(evaluation, oof=perfect))["s"][0]
    assert everything.score == 0.0
    assert np.isnan(everything.low)
