"""What the contract's limits are measured by, against fairlearn and what an evaluation has."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from ml_assets.datasets.judging import Promotion, PromotionLimits
from ml_assets.datasets.spec import Limits, Task
from ml_assets.evaluation.candidates import answers_of, features_of, why_not_askable
from ml_assets.evaluation.gate_limits import Answers, measured
from ml_assets.evaluation.metrics import row_losses

if TYPE_CHECKING:
    from evaluation_worlds import World

    from ml_assets.datasets.spec import DatasetSpec

EVERY = PromotionLimits(largest_ece=0.1, smallest_coverage=0.8, largest_fairness_gap=0.2, largest_selection_gap=0.2)


def fair_iris(world: World) -> tuple[DatasetSpec, pd.DataFrame, Answers]:
    """Iris with a sensitive column, whose groups have unequal test rows; one has too few."""
    test = world.evaluations["random_forest"].test
    table = world.table.assign(region=np.where(np.arange(len(world.table)) % 3 == 0, "north", "south"))
    table.loc[test.index[:3], "region"] = "island"
    column = next(iter(world.spec.columns.values()))
    region = column.model_copy(update={"dtype": "category", "sensitive": "where it grew", "unit": ""})
    update = {"columns": {**world.spec.columns, "region": region}, "promotion": Promotion(limits=EVERY)}
    return world.spec.model_copy(update=update), table, Answers.of(world.evaluations["random_forest"])


def test_gaps_are_fairlearns(iris: World) -> None:
    from fairlearn.metrics import MetricFrame, demographic_parity_difference
    from sklearn.metrics import accuracy_score

    spec, table, answers = fair_iris(iris)
    found = measured(spec, table, answers)
    groups = table.loc[answers.table.index, "region"]
    counts = groups.value_counts()
    inside = groups.isin(counts.index[counts >= 10]).to_numpy()
    assert 0 < inside.sum() < len(groups), "the island has too few rows"
    truth = answers.table["y"].to_numpy()[inside]
    said = np.array(answers.classes)[answers.prediction.argmax(axis=1)][inside]
    frame = MetricFrame(metrics=accuracy_score, y_true=truth, y_pred=said, sensitive_features=groups[inside])
    assert found["fairness_gap"] == pytest.approx(frame.difference())
    parities = [
        demographic_parity_difference(truth == c, said == c, sensitive_features=groups[inside]) for c in answers.classes
    ]
    assert found["selection_gap"] == pytest.approx(max(parities))


def test_calibration_is_that_of_the_evaluation_and_coverage_is_measured_only_where_it_has_one(iris: World) -> None:
    spec, table, answers = fair_iris(iris)
    evaluation = iris.evaluations["random_forest"]
    found = measured(spec, table, answers)
    assert found["ece"] == pytest.approx(evaluation.test_metrics["ece"])
    assert math.isnan(found["coverage"])
    covered = replace(evaluation, test_metrics={**evaluation.test_metrics, "coverage_90": 0.91})
    assert measured(spec, table, Answers.of(covered))["coverage"] == 0.91


def test_only_what_the_contract_limits_is_measured_and_nothing_of_broken_predictions(iris: World) -> None:
    spec, table, answers = fair_iris(iris)
    assert measured(iris.spec, table, answers) == {}
    broken = replace(answers, table=answers.table.assign(probability_setosa=math.nan))
    found = measured(spec, table, broken)
    assert all(math.isnan(found[name]) for name in ("ece", "fairness_gap", "selection_gap"))


def test_a_gap_of_a_regression_is_between_groups_rmse_as_a_share(california: World) -> None:
    rules = Promotion(limits=PromotionLimits(largest_fairness_gap=0.5))
    spec = california.spec.model_copy(update={"promotion": rules, "limits": Limits(megabytes=1)})
    answers = Answers.of(california.evaluations["linear"])
    errors = np.square(answers.prediction - answers.table["y"])
    by_coast = np.sqrt(errors.groupby(california.table.loc[errors.index, "coast"]).mean())
    found = measured(spec, california.table, answers)
    assert found["fairness_gap"] == pytest.approx(float(np.ptp(by_coast)) / math.sqrt(errors.mean()))
    assert found["megabytes"] == pytest.approx(0.123456)


def test_a_stored_pipeline_answers_by_the_columns_of_its_own_contract(california: World) -> None:
    spec, table = california.spec, california.table
    then = spec.model_dump(mode="json")
    del then["columns"]["population"]
    features = features_of(then, ())
    assert features == tuple(name for name in spec.feature_columns if name != "population")

    class Mean:
        def predict(self, rows: pd.DataFrame) -> np.ndarray:
            assert tuple(rows.columns) == features
            return np.full(len(rows), 2.0)

    answers = answers_of(spec, table[:30], Mean(), contract=then, costs={}, model_bytes=5)
    truth = table[spec.target][:30].to_numpy()
    assert answers.losses.to_numpy() == pytest.approx(row_losses(Task.REGRESSION, truth, np.full(30, 2.0)))
    assert answers.is_constant


def test_a_pipeline_of_another_contract_that_cannot_be_asked_says_why(california: World) -> None:
    spec, table = california.spec, california.table
    then = spec.model_dump(mode="json")
    assert why_not_askable(spec, table, object(), then) == ""
    assert why_not_askable(spec, table, object(), {}) == "", "older records keep no contract"
    gone = why_not_askable(spec, table.drop(columns=["population", "households"]), object(), then)
    assert gone == "it takes column 'population' and 1 more, which today's table does not have"
    assert "it predicts 'households'" in why_not_askable(spec, table, object(), {**then, "target": "households"})
