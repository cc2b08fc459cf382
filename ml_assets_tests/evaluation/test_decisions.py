"""The class that is said by its costs, the scores of ratings, and what an evaluation tells of both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import fit_and_evaluate, spec_of, split
from sklearn import metrics as reference
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_assets.evaluation.baseline import baseline
from ml_assets.evaluation.contract_scores import contract_metrics, contract_scores
from ml_assets.evaluation.decisions import cost_matrix, mean_cost, said_classes
from ml_assets.evaluation.ordinal import quadratic_kappa, ranked_probability_score

NUMBER = {"dtype": "float"}
COSTS = {"sick": {"well": 10}, "well": {"sick": 1}}


def test_a_mistake_that_is_not_named_costs_one_and_the_right_answer_nothing() -> None:
    assert cost_matrix(["a", "b", "c"], {"a": {"c": 5}}) == ((0, 1, 5), (1, 0, 1), (1, 1, 0))
    assert cost_matrix(["a", "b"], {}) == ()
    assert cost_matrix(["a", "b"], {"z": {"a": 3}}) == ((0, 1), (1, 0)), "a class without rows is passed over"


def test_costs_flip_the_answer_where_the_arithmetic_says() -> None:
    # Saying "well" costs 10 p(sick), saying "sick" costs 1 - p(sick): the border is p(sick) = 1/11.
    costs = cost_matrix(["sick", "well"], COSTS)
    p = np.array([[0.08, 0.92], [0.0909, 0.9091], [0.0910, 0.9090], [0.4, 0.6]])
    assert said_classes(p, costs).tolist() == [1, 1, 0, 0]
    assert said_classes(p).tolist() == [1, 1, 1, 1]


def test_three_classes_may_say_one_that_is_never_the_likeliest() -> None:
    # Expected costs of a, b, c at (.45, .10, .45): 9*.45 + .1 = 4.15; .45 + .45 = .9; 9*.45 + .1 = 4.15.
    costs = cost_matrix(["a", "b", "c"], {"a": {"c": 9}, "c": {"a": 9}})
    assert said_classes(np.array([[0.45, 0.10, 0.45]]), costs).tolist() == [1]


def test_equal_costs_say_the_likeliest_to_the_last_bit() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(7), 2000)
    ones = tuple(tuple(float(i != j) for j in range(7)) for i in range(7))
    assert (said_classes(p, ones) == p.argmax(axis=1)).all()
    assert said_classes(np.array([[0.1, 0.2, 0.7]]), ((0.0,) * 3,) * 3).tolist() == [2]


def test_no_other_answer_costs_less_than_the_one_said() -> None:
    rng = np.random.default_rng(1)
    p, c = rng.dirichlet(np.ones(5), 300), rng.gamma(1.0, 3.0, (5, 5)) * (1 - np.eye(5))
    said = said_classes(p, tuple(map(tuple, c)))
    by_hand = [[sum(row[i] * c[i, j] for i in range(5)) for j in range(5)] for row in p]
    assert said.tolist() == np.argmin(by_hand, axis=1).tolist()


def test_mean_cost_is_that_of_each_row() -> None:
    costs = cost_matrix(["sick", "well"], COSTS)
    assert mean_cost(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), costs) == pytest.approx((0 + 10 + 1 + 0) / 4)


def test_kappa_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    a = rng.integers(0, 7, 400)
    b = np.clip(a + rng.integers(-2, 3, 400), 0, 6)
    assert quadratic_kappa(a, b) == pytest.approx(reference.cohen_kappa_score(a, b, weights="quadratic"))
    assert np.isnan(quadratic_kappa(np.ones(3, dtype=int), np.ones(3, dtype=int)))


def test_ranked_probability_score_by_hand_and_a_near_miss_beats_a_far_one() -> None:
    # Truth is the middle of three: cumulative truth 0, 1. Said .2, .7: (.2² + .3²) / 2.
    assert ranked_probability_score(np.array([1]), np.array([[0.2, 0.5, 0.3]])) == pytest.approx(0.13 / 2)
    near, far = np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
    assert ranked_probability_score(np.array([0]), near) == pytest.approx(0.5)
    assert ranked_probability_score(np.array([0]), far) == pytest.approx(1.0)


def ratings(**more: object) -> tuple[object, pd.DataFrame, pd.DataFrame]:
    """A rating in words that is not in alphabetical order, from one number."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=600)
    names = np.array(["poor", "fair", "good"], dtype=object)
    code = np.digitize(x + 0.7 * rng.normal(size=600), [-0.8, 0.8])
    table = pd.DataFrame({"x": x, "rating": names[code]}, index=pd.Index([f"{i:x}" for i in range(600)], name="row_id"))
    spec = spec_of(
        "ratings",
        "rating",
        {"x": NUMBER, "rating": {"dtype": "category", "allowed": list(names)}},
        title="Ratings",
        task="classification",
        **more,
    )
    return spec, table, split(table, spec, folds=5)


def test_the_order_of_ordinal_classes_is_the_contracts() -> None:
    spec, table, splits = ratings(ordinal=True)
    evaluation = fit_and_evaluate(spec, table, splits, "linear", LogisticRegression())
    assert list(evaluation.test_metrics) == list(contract_metrics(spec))
    assert evaluation.classes == ("fair", "good", "poor")
    rank = {"poor": 0, "fair": 1, "good": 2}
    truth = [rank[y] for y in evaluation.test["y"]]
    said = [rank[evaluation.classes[at]] for at in evaluation.test_said]
    assert evaluation.test_metrics["quadratic_kappa"] == pytest.approx(
        reference.cohen_kappa_score(truth, said, weights="quadratic")
    )
    ordered = evaluation.test_prediction[:, [2, 0, 1]]
    assert evaluation.test_metrics["ranked_probability_score"] == pytest.approx(
        ranked_probability_score(np.array(truth), ordered)
    )
    guess = baseline(spec, table, splits)
    assert evaluation.test_metrics["ranked_probability_score"] < guess.test_metrics["ranked_probability_score"]


def test_a_rating_in_numbers_is_a_regression_with_the_kappa_of_its_rounded_answers() -> None:
    _, table, _ = ratings()
    columns = {"x": NUMBER, "rating": {"dtype": "integer"}}
    spec = spec_of("r", "rating", columns, title="R", task="regression", ordinal=True)
    table["rating"] = table["rating"].map({"poor": 3, "fair": 4, "good": 5})
    evaluation = fit_and_evaluate(spec, table, split(table, spec, folds=5), "linear", LinearRegression())
    rounded = np.rint(evaluation.test_prediction)
    assert (evaluation.test_prediction != rounded).any(), "answers stay numbers between the ratings"
    expected = reference.cohen_kappa_score(evaluation.test["y"].astype(int), rounded.astype(int), weights="quadratic")
    assert evaluation.test_metrics["quadratic_kappa"] == pytest.approx(expected)


def test_an_evaluation_tells_what_the_answers_cost_and_what_the_likeliest_would_have(tmp_path) -> None:
    spec, table, splits = ratings(decision={"costs": {"poor": {"fair": 20, "good": 50}}})
    evaluation = fit_and_evaluate(spec, table, splits, "linear", LogisticRegression())
    plain = fit_and_evaluate(ratings()[0], table, splits, "linear", LogisticRegression())
    costs = {("poor", "fair"): 20, ("poor", "good"): 50}
    truth, names = evaluation.oof["y"].tolist(), evaluation.classes

    def mean(said: np.ndarray) -> float:
        pairs = [(y, names[at]) for y, at in zip(truth, said, strict=True)]
        return float(np.mean([0 if y == s else costs.get((y, s), 1) for y, s in pairs]))

    assert evaluation.oof_metrics["mean_cost"] == pytest.approx(mean(evaluation.oof_said))
    likeliest = evaluation.oof_prediction.argmax(axis=1)
    assert evaluation.oof_metrics["mean_cost_of_likeliest"] == pytest.approx(mean(likeliest))
    for figures in (evaluation.oof_metrics, evaluation.test_metrics):
        assert figures["mean_cost"] < figures["mean_cost_of_likeliest"]
    assert evaluation.oof_metrics["accuracy"] < plain.oof_metrics["accuracy"], "accuracy is of what is said"
    for name in ("log_loss", "brier", "ece", "roc_auc"):
        assert evaluation.oof_metrics[name] == plain.oof_metrics[name]
    evaluation.save(tmp_path)
    again = type(evaluation).load(tmp_path)
    assert again.costs == evaluation.costs
    assert (again.oof_said == evaluation.oof_said).all()


def test_scores_of_no_rows_are_nan_under_every_name() -> None:
    spec, _, _ = ratings(ordinal=True, decision={"costs": {"poor": {"good": 2}}})
    scores = contract_scores(spec, np.array([], dtype=object), np.empty((0, 3)), ("fair", "good", "poor"))
    assert list(scores) == list(contract_metrics(spec))
    assert np.isnan(list(scores.values())).all()
