"""Classifiers as the contract's decision has them: from fit through evaluation to what a pipeline says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from class_worlds import class_rows, class_spec, class_table, found_by_defaults
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.datasets.tables import load_raw_table
from ml_assets.errors import ContractError
from ml_assets.evaluation.contract_scores import contract_scores
from ml_assets.evaluation.evaluate import evaluate
from ml_assets.evaluation.record import Evaluation
from ml_assets.evaluation.temperature import tempered
from ml_assets.families import load_family
from ml_assets.families.base import ProblemShape
from ml_assets.learning.decision import (
    Balanced,
    Calibrated,
    LeastCost,
    answers,
    check_labels,
    class_weight_of,
    costs_of,
    decided,
    weighed,
    weight_parameter,
)
from ml_assets.learning.final_fit import fit_models
from ml_assets.learning.fitted_model import FittedModel
from ml_assets.learning.worker import predict
from ml_assets.serving.predictor import PipelinePredictor


def fitted(spec: DatasetSpec, table: pd.DataFrame, family: str) -> tuple[FittedModel, Evaluation]:
    """The final model of a family's defaults, and its evaluation."""
    rows, splits = class_rows(spec, table)
    found = found_by_defaults(rows, family)
    model = fit_models(rows, {family: found}, data_hash="d", splits_hash="s", workers=1)[family]
    record = model.record
    evaluation = evaluate(
        spec,
        family=family,
        params=record.params,
        pipeline=model.pipeline,
        table=table,
        splits=splits,
        oof_prediction=found.oof,
        fit_seconds=1.0,
        search_seconds=1.0,
        trials=1,
        model_bytes=1,
        model_sha256="a",
        data_hash="d",
        splits_hash="s",
        calibration=record.calibration,
        class_weight=record.class_weight,
    )
    return model, evaluation


@pytest.mark.parametrize("family", ["linear", "random_forest"])
@pytest.mark.parametrize("classes", [2, 3, 20, 100])
def test_two_to_a_hundred_classes_are_fitted_and_evaluated(family: str, classes: int) -> None:
    spec = class_spec(decision={"class_weight": "balanced", "costs": {"k000": {"k001": 4}}})
    table = class_table([max(1200 // classes, 14)] * classes, spread=0.15)
    model, evaluation = fitted(spec, table, family)
    assert len(evaluation.classes) == classes
    assert np.isfinite(list(evaluation.test_metrics.values())).all()
    assert np.isfinite(evaluation.fold_scores).all()
    assert evaluation.test_metrics["log_loss"] < np.log(classes), "no better than guessing"
    said = model.pipeline.predict(table[["a", "b"]].iloc[:50])
    assert set(said) <= set(evaluation.classes)


@pytest.mark.parametrize("family", ["hist_gradient_boosting", "linear", "random_forest", "svm", "xgboost"])
def test_a_class_of_two_rows_is_no_reason_to_fail(family: str) -> None:
    spec = class_spec(decision={"class_weight": "balanced", "costs": {"k002": {"k000": 30}}})
    model, evaluation = fitted(spec, class_table([60, 60, 2]), family)
    assert evaluation.classes == ("k000", "k001", "k002")
    assert np.isfinite(evaluation.oof_metrics["log_loss"])
    assert model.pipeline.predict_proba(class_table([5, 5])[["a", "b"]]).shape == (10, 3)


def test_one_in_two_hundred_is_found_when_missing_it_is_dear() -> None:
    table = class_table([4000, 20], spread=1.6)
    _, plain = fitted(class_spec(), table, "linear")
    model, dear = fitted(class_spec(decision={"costs": {"k001": {"k000": 200}}}), table, "linear")
    assert dear.oof_metrics["mean_cost"] < 0.8 * dear.oof_metrics["mean_cost_of_likeliest"]
    assert dear.oof_metrics["balanced_accuracy"] > plain.oof_metrics["balanced_accuracy"] + 0.05
    assert dear.oof_metrics["log_loss"] == plain.oof_metrics["log_loss"]
    rows = table[["a", "b"]]
    p = model.pipeline.predict_proba(rows)[:, 1]
    assert (model.pipeline.predict(rows) == np.where(p > 1 / 201, "k001", "k000")).all()


def test_what_is_served_is_what_the_pipeline_predicts() -> None:
    table = class_table([300, 60, 60], spread=1.5)
    model, evaluation = fitted(class_spec(decision={"costs": {"k001": {"k000": 9}}}), table, "linear")
    rows = table[["a", "b"]]
    served = PipelinePredictor(model.pipeline, Task.CLASSIFICATION).predict(rows)
    assert served.values == model.pipeline.predict(rows).tolist()
    likeliest = model.pipeline.classes_[model.pipeline.predict_proba(rows).argmax(axis=1)]
    assert served.values != likeliest.tolist(), "the costs change no answer, so the test shows nothing"
    tested = table.loc[evaluation.test.index, ["a", "b"]]
    said = [evaluation.classes[at] for at in evaluation.test_said]
    assert model.pipeline.predict(tested).tolist() == said, "what is evaluated is what is said"


def test_a_contract_without_a_decision_has_the_familys_own_estimator_in_its_pipeline() -> None:
    rows, _ = class_rows(class_spec(), class_table([60, 60]))
    plain = load_family("linear").estimator({"shrinkage": 1.0, "knots": 0}, rows.shape, seed=0)
    assert weighed(plain, rows.spec.decision) is plain
    pipeline = make_pipeline(StandardScaler(), plain)
    assert decided(pipeline, rows.spec.decision) is pipeline


def test_a_pipeline_decides_without_being_fitted_again_and_the_plain_one_stays() -> None:
    table = class_table([80, 40], spread=2.0)
    X, y = table[["a", "b"]].to_numpy(), table["kind"].to_numpy()
    plain = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    before = plain.predict_proba(X)
    decision = class_spec(decision={"costs": {"k001": {"k000": 5}}}).decision
    made = decided(plain, decision, temperature=2.0)
    np.testing.assert_allclose(made.predict_proba(X), tempered(before, 2.0))
    assert (made.predict(X) == np.where(made.predict_proba(X)[:, 1] > 1 / 6, "k001", "k000")).all()
    assert (plain.predict_proba(X) == before).all()
    assert costs_of(made) == {"k001": {"k000": 5.0}}
    assert costs_of(plain) == {}


def test_a_model_of_several_says_where_only_some_took_weights() -> None:
    table = class_table([80, 40])
    X, y = table[["a", "b"]].to_numpy(), table["kind"].to_numpy()

    class Several:
        def __init__(self, *members: object) -> None:
            self.estimators = {str(at): Balanced(member).fit(X, y) for at, member in enumerate(members)}

    def told(*members: object) -> str:
        return class_weight_of(Pipeline([("several", Several(*members))]))

    assert told(LogisticRegression(), KNeighborsClassifier()) == "partly"
    assert told(LogisticRegression(), LogisticRegression()) == "balanced"
    assert told(KNeighborsClassifier()) == "refused"


def test_weights_are_taken_back_exactly_where_the_model_is_saturated() -> None:
    # One leaf for each value of x: balanced and corrected shares are the shares that were counted.
    x = np.array([[0.0]] * 40 + [[1.0]] * 60)
    y = np.array(["rare"] * 1 + ["common"] * 39 + ["rare"] * 6 + ["common"] * 54, dtype=object)
    raw = DecisionTreeClassifier(class_weight="balanced").fit(x, y).predict_proba([[0.0], [1.0]])
    assert raw[:, 1] == pytest.approx([1 / 7 / (1 / 7 + 39 / 93), 6 / 7 / (6 / 7 + 54 / 93)])
    model = Balanced(DecisionTreeClassifier()).fit(x, y)
    assert model.weighted_
    np.testing.assert_allclose(model.predict_proba([[0.0], [1.0]])[:, 1], [1 / 40, 6 / 60])
    np.testing.assert_allclose(model.weights_, [100 / (2 * 93), 100 / (2 * 7)])


def test_the_correction_is_bayes_rule_at_the_true_shares() -> None:
    # Two normal densities: learned at priors 1/2, brought back to 1/20; compared with the posterior in closed form.
    rng = np.random.default_rng(0)
    n = 200_000
    rare = rng.random(n) < 0.05
    x = np.where(rare, 1.0, -1.0) + rng.normal(size=n)
    model = Balanced(GaussianNB()).fit(x[:, None], np.where(rare, "rare", "common").astype(object))
    points = np.array([-1.0, 0.0, 1.0, 2.0])
    odds = np.exp(2 * points) * 0.05 / 0.95
    np.testing.assert_allclose(model.predict_proba(points[:, None])[:, 1], odds / (1 + odds), rtol=0.05)


def test_an_estimator_that_takes_no_weights_is_fitted_as_it_is_and_says_so() -> None:
    table = class_table([90, 10])
    X, y = table[["a", "b"]].to_numpy(), table["kind"].to_numpy()
    neighbours = make_pipeline(StandardScaler(), KNeighborsClassifier())
    pipeline = make_pipeline(StandardScaler(), Calibrated(Balanced(neighbours), 2.0)).fit(X, y)
    assert class_weight_of(pipeline) == "refused"
    plain = clone(neighbours).fit(StandardScaler().fit_transform(X), y)
    balanced = Balanced(neighbours).fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(balanced.predict_proba(X[:9]), plain.predict_proba(X[:9]))
    taken = make_pipeline(StandardScaler(), Balanced(LogisticRegression())).fit(X, y)
    assert class_weight_of(taken) == "balanced"
    assert class_weight_of(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)) == "none"


def test_the_way_of_a_weight_is_found_through_pipelines_and_calibration() -> None:
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    assert weight_parameter(make_pipeline(StandardScaler(), inner)) == "pipeline__logisticregression__sample_weight"
    assert weight_parameter(CalibratedClassifierCV(SVC())) == "sample_weight"
    assert weight_parameter(CalibratedClassifierCV(inner)) is None, "it would weigh the calibration alone"
    assert weight_parameter(KNeighborsClassifier()) is None
    shape = ProblemShape(Task.CLASSIFICATION, 100, 2, 3)
    for name in ("hist_gradient_boosting", "linear", "random_forest", "svm", "xgboost"):
        family = load_family(name)
        assert weight_parameter(family.estimator(family.defaults(shape), shape, seed=0)) is not None, name


def test_a_model_that_is_too_sure_is_cooled_and_its_record_says_by_how_much(tmp_path: Path) -> None:
    table = class_table([1000, 1000], spread=3.0)
    rows, _ = class_rows(class_spec(), table)
    found = found_by_defaults(rows, "random_forest")
    model = fit_models(rows, {"random_forest": found}, data_hash="d", splits_hash="s", workers=1)["random_forest"]
    calibration = model.record.calibration
    assert calibration is not None
    assert calibration.kept
    assert calibration.value > 1.1
    _, evaluation = fitted(class_spec(), table, "random_forest")
    raw = evaluate_raw(found.oof, rows)
    assert evaluation.cv_score == pytest.approx(raw - calibration.gain)
    last = model.pipeline.steps[-1][1]
    assert isinstance(last, Calibrated)
    assert last.temperature == calibration.value
    model.save(tmp_path)
    again = FittedModel.load(tmp_path)
    assert again.record == model.record
    evaluation.save(tmp_path)
    assert Evaluation.load(tmp_path).calibration == calibration


def evaluate_raw(oof: np.ndarray, rows: object) -> float:
    from ml_assets.evaluation.metrics import fold_scores

    return float(fold_scores(Task.CLASSIFICATION, rows.target, oof, rows.fold, rows.classes).mean())


def test_wrappers_are_cloned_whole_and_answer_alike_by_either_way() -> None:
    table = class_table([50, 50])
    X, y = table[["a", "b"]].to_numpy(), table["kind"].to_numpy()
    made = LeastCost(Calibrated(Balanced(LogisticRegression(C=2.0)), 1.5), {"k000": {"k001": 7.0}})
    copy = clone(made)
    assert copy.get_params()["estimator__estimator__estimator__C"] == 2.0
    assert copy.costs == made.costs
    copy.fit(X, y)
    assert (copy.predict(X) == answers(copy, copy.predict_proba(X))).all()
    assert not hasattr(made, "estimator_")


def test_costs_that_name_a_label_no_row_has_are_told_before_anything_is_fitted() -> None:
    told = r"kinds\.yaml: decision\.costs\.k00l: unknown label 'k00l': did you mean 'k00[01]'"
    with pytest.raises(ContractError, match=told):
        class_rows(class_spec(decision={"costs": {"k00l": {"k000": 2}}}), class_table([30, 30]))
    with pytest.raises(ContractError, match=r"decision\.costs\.k000\.nothing: unknown label 'nothing'"):
        check_labels(class_spec(decision={"costs": {"k000": {"nothing": 2}}}), ["k000", "k001"])


@pytest.mark.slow
def test_wine_as_ordinal_classes_is_better_calibrated_on_rows_that_had_no_part_in_it() -> None:
    document = load_contract("wine_quality").model_dump(mode="json")
    document |= {"task": "classification", "ordinal": True}
    document["columns"]["quality"] = {"dtype": "category", "allowed": [str(points) for points in range(3, 10)]}
    spec = DatasetSpec.model_validate(document)
    table = clean(spec, load_raw_table(spec, mode="embedded", cache=Path("/nonexistent"))).table
    model, evaluation = fitted(spec, table, "xgboost")
    calibration = model.record.calibration
    assert calibration is not None
    assert calibration.kept
    tested = table.loc[evaluation.test.index]
    raw = predict(calibration_taken_out(model.pipeline), tested[list(spec.feature_columns)], evaluation.classes)
    before = contract_scores(spec, tested["quality"].to_numpy(dtype=object), raw, evaluation.classes)
    after = evaluation.test_metrics
    assert after["log_loss"] < before["log_loss"] - 0.05
    assert after["ece"] < before["ece"] / 2
    assert after["ranked_probability_score"] < before["ranked_probability_score"]
    assert after["quadratic_kappa"] == before["quadratic_kappa"] > 0.4


def calibration_taken_out(pipeline: Pipeline) -> Pipeline:
    """The same fitted pipeline without its temperature."""
    last = pipeline.steps[-1][1]
    assert isinstance(last, Calibrated)
    return Pipeline([*pipeline.steps[:-1], ("estimator", last.estimator_)])
