import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import World
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.evaluation.attributions import OTHERS, agnostic_attributions, tree_attributions
from ml_assets.evaluation.counterfactuals import counterfactual
from ml_assets.evaluation.dependence import Dependence, dependence, interactions
from ml_assets.evaluation.explain import FEWEST_FOR_DIRECTION, Explanations, explain
from ml_assets.evaluation.explanation_plots import partial_dependence, shap_bars
from ml_assets.evaluation.explanation_words import dependence_words, explanations_section, shap_words
from ml_assets.evaluation.importances import permutation_importance
from ml_assets.features.plan import plan_for

RNG = np.random.default_rng(0)
SPEC = DatasetSpec.model_validate(
    {
        "name": "made",
        "title": "Made",
        "task": "regression",
        "target": "y",
        "sources": [{"name": "made.csv", "path": "made.csv"}],
        "columns": {
            "a": {"dtype": "float"},
            "b": {"dtype": "float", "missing_share": 0.5},
            "c": {"dtype": "float"},
            "kind": {"dtype": "category"},
            "who": {"dtype": "category", "sensitive": "no business of the model"},
            "y": {"dtype": "float", "unit": "EUR"},
        },
    }
)
FEATURES = list(SPEC.feature_columns)


def made_rows(n: int = 300) -> pd.DataFrame:
    rows = pd.DataFrame(RNG.normal(size=(n, 3)), columns=["a", "b", "c"])
    rows["kind"] = RNG.choice(["red", "blue"], n)
    rows.loc[::7, "b"] = np.nan
    return rows


def additive(rows: pd.DataFrame) -> np.ndarray:
    return (3 * rows["a"] + rows["c"] ** 2 + 5 * (rows["kind"] == "red")).to_numpy(dtype=float)


def joint(rows: pd.DataFrame) -> np.ndarray:
    return (rows["a"] * rows["c"]).to_numpy(dtype=float)


def test_of_a_sum_each_column_gets_its_own_part_and_the_parts_add_up() -> None:
    rows, background = made_rows(6), made_rows(15)
    found = agnostic_attributions(additive, rows, background, order=FEATURES)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.outputs, atol=1e-12)
    expected = 3 * (rows["a"] - background["a"].mean())
    np.testing.assert_allclose(found.values[:, FEATURES.index("a"), 0], expected)
    assert np.abs(found.values[:, FEATURES.index("b"), 0]).max() < 1e-12


def test_values_are_those_of_the_shap_library() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap
    rows, background = made_rows(5)[["a", "c"]], made_rows(12)[["a", "c"]]
    found = agnostic_attributions(joint, rows, background, order=["a", "c"])
    columns = ["a", "c"]
    explainer = shap.ExactExplainer(
        lambda x: joint(pd.DataFrame(x, columns=columns)), shap.maskers.Independent(background.to_numpy(), 100)
    )
    theirs = explainer(rows.to_numpy())
    # Of two columns an order and its reverse are all there are, so that both are exact.
    np.testing.assert_allclose(found.values[:, :, 0], theirs.values, atol=1e-10)


def test_columns_that_do_not_matter_much_are_taken_together() -> None:
    rows, background = made_rows(4), made_rows(10)
    found = agnostic_attributions(additive, rows, background, order=["a", "kind", "b", "c"], most=2)
    assert found.columns == ("a", "kind", OTHERS)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.outputs, atol=1e-12)
    one = agnostic_attributions(additive, rows[:1], background[:1], order=FEATURES)
    assert np.isfinite(one.values).all()


@pytest.mark.parametrize(
    "trees", [RandomForestRegressor(20, random_state=0), HistGradientBoostingRegressor(max_iter=20, random_state=0)]
)
def test_trees_are_walked_through_and_features_come_back_to_their_columns(trees: RandomForestRegressor) -> None:
    table = made_rows(400).assign(who="x")
    table["y"] = additive(table)
    plan = plan_for(SPEC)
    pipeline = Pipeline([("features", plan), ("estimator", trees)]).fit(table[FEATURES], table["y"])
    rows = table[FEATURES][:30]
    found = tree_attributions(pipeline, rows)
    assert found is not None
    assert found.by_trees
    assert found.columns == tuple(FEATURES)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.outputs, atol=1e-6)
    assert set(np.argsort(-found.importance())[:2]) == {FEATURES.index("a"), FEATURES.index("kind")}
    other = Pipeline([("features", plan), ("estimator", LinearRegression())])
    assert tree_attributions(other, rows) is None


def test_dependence_follows_the_function_and_labels_have_places_of_their_own() -> None:
    rows = made_rows(40)
    along = dependence(SPEC, additive, rows, "a")
    assert along is not None
    assert along.points is not None
    slope = np.diff(along.mean[:, 0]) / np.diff(along.points)
    np.testing.assert_allclose(slope, 3.0)
    labels = dependence(SPEC, additive, rows, "kind")
    assert labels is not None
    means = dict(zip(labels.labels, labels.mean[:, 0], strict=True))
    assert means["red"] - means["blue"] == pytest.approx(5.0)
    assert dependence(SPEC, additive, rows.assign(a=1.0), "a") is None
    assert dependence(SPEC, additive, rows[:1], "a") is None


def test_a_column_may_have_the_name_of_a_parameter() -> None:
    renamed = {"a": "self", "c": "kwargs"}
    rows = made_rows(60).rename(columns=renamed)
    columns = {renamed.get(name, name): column for name, column in SPEC.columns.items()}
    spec = SPEC.model_copy(update={"columns": columns})

    def ask(asked: pd.DataFrame) -> np.ndarray:
        return np.asarray(asked["self"] + 0.1 * asked["kwargs"], dtype=float)

    along = dependence(spec, ask, rows, "self")
    assert along is not None
    np.testing.assert_allclose(np.diff(along.mean[:, 0]), np.diff(along.points))
    shuffled = permutation_importance(ask, rows, ask(rows), task=spec.task, classes=(), rows=60, repeats=2, seed=0)
    assert list(shuffled["feature"][:2]) == ["self", "kwargs"]


def test_only_what_is_joint_counts_as_an_interaction() -> None:
    rows = made_rows(30)
    rows[["a", "c"]] -= rows[["a", "c"]].mean()
    assert all(pair.strength < 1e-9 for pair in interactions(SPEC, additive, rows, ["a", "c", "kind"]))
    strongest = interactions(SPEC, lambda r: joint(r) + r["b"].fillna(0).to_numpy(), rows, ["a", "b", "c"])[0]
    assert {strongest.first, strongest.second} == {"a", "c"}
    assert strongest.strength > 0.9


def test_the_smallest_change_that_moves_the_answer_is_found_and_never_of_a_sensitive_column() -> None:
    rows = made_rows(300)
    row = rows.iloc[[0]].assign(a=0.0, c=0.0, kind="red")
    found = counterfactual(SPEC, additive, row, rows, order=FEATURES, amount=3.0)
    (change,) = found.changes
    assert change.column == "a"
    assert found.answer >= 8.0
    smaller = [v for v in np.quantile(rows["a"], np.linspace(0.05, 0.95, 10)) if 3 * v >= 3.0]
    assert change.after == pytest.approx(min(smaller), abs=0.15)
    down = counterfactual(SPEC, additive, row, rows, order=FEATURES, amount=-4.9)
    assert {c.column for c in down.changes} <= set(FEATURES)
    assert down.answer <= 0.1
    two = counterfactual(SPEC, additive, row, rows, order=FEATURES, amount=float(3 * rows["a"].quantile(0.94) + 1.5))
    assert len(two.changes) == 2
    never = counterfactual(SPEC, additive, row, rows, order=FEATURES, amount=1e6)
    assert never.changes == ()


def test_another_class_is_reached_by_the_nearest_value() -> None:
    rows = made_rows(200)

    def say(asked: pd.DataFrame) -> np.ndarray:
        return np.where(asked["a"] > 0.5, "yes", "no").astype(object)

    found = counterfactual(SPEC, say, rows.iloc[[0]].assign(a=-1.0), rows, order=["c", "a", "kind"])
    assert found.answer == "yes"
    assert [c.column for c in found.changes] == ["a"]


@pytest.mark.parametrize("name", ["iris", "california"])
def test_a_models_explanations_come_back_and_the_page_says_them(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    world: World = request.getfixturevalue(name)
    winner = world.evaluations[world.board.winner]
    pipeline = world.pipelines[world.board.winner]
    made = explain(world.spec, pipeline, world.table, winner)
    made.save(tmp_path)
    again = Explanations.load(tmp_path)
    pd.testing.assert_frame_equal(again.importance, made.importance)
    assert again.interactions == made.interactions
    assert [e.values for e in again.examples] == [e.values for e in made.examples]
    for example in made.examples:
        assert example.base + sum(added for *_, added in example.values) == pytest.approx(example.output, abs=1e-6)
    assert (
        (made.importance["low"] <= made.importance["mean"]) & (made.importance["mean"] <= made.importance["high"])
    ).all()
    section = explanations_section(world.spec, again)
    assert made.order[0] in section.paragraphs[0]
    assert section.pictures == ("shap", "partial_dependence")
    for png in (shap_bars(world.spec, again), partial_dependence(world.spec, again)):
        assert png.startswith(b"\x89PNG")
    assert made.order[0] in dependence_words(again)
    assert str(made.explained_rows) in shap_words(world.spec, again)


def test_a_model_that_always_says_the_same_has_nothing_to_explain(california: World) -> None:
    from sklearn.dummy import DummyRegressor

    features = list(california.spec.feature_columns)
    winner = california.evaluations[california.board.winner]
    constant = DummyRegressor().fit(california.table[features], california.table[california.spec.target])
    constant_winner = replace(winner, test=winner.test.assign(prediction=2.0))
    made = explain(california.spec, Pipeline([("estimator", constant)]), california.table, constant_winner)
    assert (made.importance["mean"] == 0).all()
    assert "no clear difference" in explanations_section(california.spec, made).paragraphs[0]
    assert made.interactions == ()


def test_a_direction_is_told_where_the_answers_go_one_way_and_not_of_few_rows(california: World) -> None:
    def along(points: list[float] | None, mean: list[float]) -> float:
        rows = np.tile(np.array(mean)[None, :, None], (3, 1, 1))
        given = None if points is None else np.array(points)
        return Dependence("a", tuple("abcd"), given, rows).slope

    assert along([1, 2, 3, 4], [1, 2, 5, 9]) == 1
    assert along([1, 2, 3, 4], [9, 5, 2, 1]) == -1
    assert along([1, 2, 3, 4], [1, 3, 3, 1]) == 0
    assert along([1, 2, 3, 4], [2, 2, 2, 2]) == 0
    assert along(None, [1, 2, 5, 9]) == 0, "labels have no order"
    winner = california.evaluations[california.board.winner]
    pipeline = california.pipelines[california.board.winner]
    slow = replace(winner, predict_ms_per_1000_rows=5000.0)
    made = explain(california.spec, pipeline, california.table, slow)
    assert made.explained_rows < FEWEST_FOR_DIRECTION
    assert made.shap["direction"].isna().all()
