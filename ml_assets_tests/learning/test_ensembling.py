import dataclasses
from functools import cache

import numpy as np
import pandas as pd
import pytest
from search_worlds import training_rows
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_assets.families import ENSEMBLE
from ml_assets.learning.blending import averaged, everything, pooled, stacked, worthwhile
from ml_assets.learning.ensembling import WeightedAverage, ensemble_result
from ml_assets.learning.left_out import LeftOut
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.worker import TrainingRows


@cache
def numbers() -> TrainingRows:
    return training_rows("california_housing", 800)


def made(rows: TrainingRows, name: str, oof: np.ndarray) -> SearchResult:
    return SearchResult(name, {"of": name}, (1.0,) * 5, (), 1.0, rows.classes, tuple(rows.table.index), oof)


def noisy(rows: TrainingRows, name: str, seed: int, scale: float = 0.5) -> SearchResult:
    noise = np.random.default_rng(seed).normal(size=len(rows.table))
    return made(rows, name, rows.target + scale * rows.target.std() * noise)


def rmse(rows: TrainingRows, oof: np.ndarray) -> float:
    return float(np.sqrt(np.mean((oof - rows.target) ** 2)))


def test_independent_errors_average_out_and_the_useless_gets_no_weight() -> None:
    rows = numbers()
    members = {"a": noisy(rows, "a", 1), "b": noisy(rows, "b", 2), "bad": noisy(rows, "bad", 3, scale=20)}
    weights = averaged(rows, members, np.ones(len(rows.fold), dtype=bool)).weights
    assert set(weights) == {"a", "b"}
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["a"] == pytest.approx(0.5, abs=0.08), "equal errors, equal weights"
    found = ensemble_result(rows, members, seconds=1.0)
    assert isinstance(found, SearchResult)
    assert rmse(rows, found.oof) < 0.75 * rmse(rows, members["a"].oof)
    assert found.params["members"] == {"a": {"of": "a"}, "b": {"of": "b"}}
    assert found.family == ENSEMBLE


def test_the_weights_of_a_fold_are_chosen_without_it() -> None:
    rows = numbers()
    members = {"a": noisy(rows, "a", 1), "b": noisy(rows, "b", 2)}
    before = ensemble_result(rows, members, seconds=1.0)
    fold = rows.fold == 0
    spoilt = made(rows, "b", np.where(fold, 0.0, members["b"].oof))  # in fold 0 it answers nonsense
    after = ensemble_result(rows, {"a": members["a"], "b": spoilt}, seconds=1.0)
    assert isinstance(before, SearchResult)
    assert isinstance(after, SearchResult)
    weight, _ = np.polyfit(members["a"].oof[fold], after.oof[fold], 1)
    assert weight == pytest.approx(0.5, abs=0.1), "nonsense in the fold itself does not move its weights"


def test_choosing_weights_of_noise_does_not_flatter_the_score() -> None:
    rows = numbers()
    rng = np.random.default_rng(0)
    members = {str(i): made(rows, str(i), rng.normal(size=len(rows.table))) for i in range(30)}
    target = dataclasses.replace(rows, table=rows.table.assign(**{rows.spec.target: rng.normal(size=len(rows.table))}))
    honest = ensemble_result(target, members, seconds=1.0)
    assert isinstance(honest, SearchResult)
    assert rmse(target, honest.oof) > target.target.std(), "noise tells nothing, so the mean is the best there is"


def test_classes_are_averaged_as_probabilities() -> None:
    rows = dataclasses.replace(training_rows("iris"), more_folds=())
    truth = (rows.target[:, None] == np.array(rows.classes)).astype(float)
    sure, blind = 0.9 * truth + 0.1 / 3, np.full_like(truth, 1 / 3)
    alone = ensemble_result(rows, {"sure": made(rows, "sure", sure), "blind": made(rows, "blind", blind)}, seconds=1.0)
    assert isinstance(alone, LeftOut)
    assert alone.reason == "no average, sum or product of families does better than sure alone"
    # Each is sure, and wrong where the other is right: together they are right more often than not.
    wrong, turn = np.roll(truth, 1, axis=1), np.arange(len(truth)) % 4
    members = {
        name: made(rows, name, 0.9 * np.where((turn == miss)[:, None], wrong, truth) + 0.1 / 3)
        for name, miss in (("first", 0), ("second", 1))
    }
    found = ensemble_result(rows, members, seconds=1.0)
    assert isinstance(found, SearchResult)
    assert set(found.params["weights"]) == {"first", "second"}
    np.testing.assert_allclose(found.oof.sum(axis=1), 1)
    assert found.score < min(-np.mean(np.log((one.oof * truth).sum(axis=1))) for one in members.values())


def test_without_two_members_on_the_same_rows_it_is_left_out_with_the_reason() -> None:
    rows = numbers()
    one = ensemble_result(rows, {"a": noisy(rows, "a", 1), "b": LeftOut("b", "no time")}, seconds=1.0)
    assert isinstance(one, LeftOut)
    assert "fewer than two families" in one.reason
    other = dataclasses.replace(noisy(rows, "b", 2), row_ids=tuple(reversed(rows.table.index)))
    apart = ensemble_result(rows, {"a": noisy(rows, "a", 1), "b": other}, seconds=1.0)
    assert isinstance(apart, LeftOut)
    assert "not searched on the same rows" in apart.reason


def test_the_average_answers_as_its_members_do_together_and_can_be_cloned_and_fitted_again() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = X @ [1.0, 2.0]
    parts = {"a": LinearRegression().fit(X, y), "b": LinearRegression().fit(X, y + 1)}
    average = WeightedAverage(parts, {"a": 0.25, "b": 0.75})
    np.testing.assert_allclose(average.predict(X), y + 0.75)
    assert not hasattr(average, "classes_")
    np.testing.assert_allclose(clone(average).fit(X, y).predict(X), y)
    labels = np.where(y > 0, "up", "down").astype(object)
    few = LogisticRegression().fit(X[y > -1], labels[y > -1])
    three = LogisticRegression().fit(X, np.where(y > 2, "high", labels).astype(object))
    mixed = WeightedAverage({"few": few, "three": three}, {"few": 0.5, "three": 0.5})
    assert list(mixed.classes_) == ["down", "high", "up"]
    np.testing.assert_allclose(mixed.predict_proba(X).sum(axis=1), 1)
    assert set(mixed.predict(X)) <= {"down", "high", "up"}


def test_a_member_that_hardly_helps_leaves_and_one_that_helps_stays() -> None:
    rows = numbers()
    everyone = np.ones(len(rows.fold), dtype=bool)
    good = noisy(rows, "good", 1, scale=0.1)
    copy = made(rows, "copy", good.oof + 1e-6 * noisy(rows, "copy", 2).oof)
    other = noisy(rows, "other", 3, scale=0.1)
    assert len(averaged(rows, {"good": good, "copy": copy, "other": other}, everyone).weights) == 3
    for way in (averaged, stacked):
        kept = worthwhile(way, rows, {"good": good, "copy": copy, "other": other}, everyone).weights
        assert len(kept) == 2
        assert "other" in kept
    alone = worthwhile(averaged, rows, {"good": good, "bad": noisy(rows, "bad", 4, scale=20)}, everyone)
    assert alone.weights == {"good": 1.0}


def drawn_to_the_mean(rows: TrainingRows, name: str, seed: int, share: float) -> SearchResult:
    """A member that is as sure as it should not be: its answers vary too little by `share`."""
    mean = rows.target.mean()
    return made(rows, name, mean + (1 - share) * (noisy(rows, name, seed, scale=0.2).oof - mean))


def test_answers_drawn_towards_the_mean_are_stretched_by_a_stack() -> None:
    rows = numbers()
    members = {name: drawn_to_the_mean(rows, name, seed, 0.3) for name, seed in (("a", 1), ("b", 2))}
    everyone = np.ones(len(rows.fold), dtype=bool)
    stack = stacked(rows, members, everyone)
    said = stack.intercept + sum(weight * members[name].oof for name, weight in stack.weights.items())
    design = np.column_stack([members["a"].oof, members["b"].oof, np.ones(len(rows.table))])
    np.testing.assert_allclose(said, design @ np.linalg.lstsq(design, rows.target, rcond=None)[0], rtol=1e-6)
    assert stack.loss == pytest.approx(np.mean((said - rows.target) ** 2))
    assert 1.2 < sum(stack.weights.values()) < 1.5
    found = ensemble_result(rows, members, seconds=1.0)
    assert isinstance(found, SearchResult)
    assert found.params["intercept"] == pytest.approx(stack.intercept)
    assert found.params["weights"] == pytest.approx(stack.weights)
    average = averaged(rows, members, everyone)
    assert rmse(rows, found.oof) ** 2 < 0.7 * average.loss


def test_where_nothing_is_to_be_stretched_the_average_stays() -> None:
    rows = numbers()
    kept = 0
    for seed in range(20):
        signals = np.random.default_rng(seed).normal(size=(3, 40))
        table = rows.table[:40].assign(**{rows.spec.target: signals.sum(axis=0)})
        few = dataclasses.replace(rows, table=table, fold=np.arange(40) % 5)
        halves = {name: made(few, name, 2 * signal) for name, signal in zip("ab", signals, strict=False)}
        found = ensemble_result(few, halves, seconds=1.0)
        kept += isinstance(found, SearchResult) and "intercept" not in found.params
    assert kept >= 14, "a stack of few rows is mostly led astray, where the average is right"


def test_a_stack_that_hardly_helps_in_sample_is_left_out_if_one_alone_does_better() -> None:
    rows = numbers()
    best = noisy(rows, "best", 1, scale=0.3)
    noise = {str(seed): made(rows, str(seed), noisy(rows, str(seed), seed, scale=20).oof) for seed in range(2, 8)}
    found = ensemble_result(rows, {"best": best, **noise}, seconds=1.0)
    assert isinstance(found, LeftOut) or rmse(rows, found.oof) < rmse(rows, best.oof)


def test_a_stack_of_noise_answers_the_mean() -> None:
    rows = numbers()
    rng = np.random.default_rng(0)
    members = {str(i): made(rows, str(i), rng.normal(size=len(rows.table))) for i in range(10)}
    stack = stacked(rows, members, np.ones(len(rows.fold), dtype=bool))
    said = stack.intercept + sum(weight * members[name].oof for name, weight in stack.weights.items())
    assert abs(said - rows.target.mean()).mean() < 0.15 * rows.target.std()


def test_a_sum_adds_its_intercept_and_one_stored_without_adds_none() -> None:
    X = np.arange(12.0).reshape(-1, 1)
    parts = {"a": LinearRegression().fit(X, X[:, 0]), "b": LinearRegression().fit(X, 2 * X[:, 0])}
    stack = WeightedAverage(parts, {"a": 0.5, "b": 0.3}, -2.0)
    np.testing.assert_allclose(stack.predict(X), 1.1 * X[:, 0] - 2)
    np.testing.assert_allclose(clone(stack).fit(X, X[:, 0]).predict(X), 0.8 * X[:, 0] - 2)
    average = WeightedAverage(parts, {"a": 0.5, "b": 0.5})
    del average.__dict__["intercept"]  # as models have it that were stored before
    np.testing.assert_allclose(average.predict(X), 1.5 * X[:, 0], atol=1e-9)
    assert average.get_params()["intercept"] == 0.0


def seen_apart(rows: TrainingRows, seed: int, strength: float = 1.5) -> dict[str, SearchResult]:
    """Three members that each know the classes' true shares given a signal of their own, independent of the others."""
    columns = np.array([rows.classes.index(label) for label in rows.target])
    found = {}
    for name, rng in zip("abc", np.random.default_rng(seed).spawn(3), strict=True):
        signal = strength * np.eye(3)[columns] + rng.normal(size=(len(columns), 3))
        logits = strength * signal  # of the normal densities, for equally frequent classes
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        found[name] = made(rows, name, shares)
    return found


def log_loss(rows: TrainingRows, oof: np.ndarray) -> float:
    columns = [rows.classes.index(label) for label in rows.target]
    return float(-np.log(oof[np.arange(len(columns)), columns]).mean())


def test_independent_evidence_is_multiplied_as_bayes_rule_has_it() -> None:
    rows = dataclasses.replace(training_rows("iris"), more_folds=())
    members = seen_apart(rows, 0)
    pool = pooled(rows, members, everything(rows))
    assert pool.pooling == "logarithmic"
    assert 1.5 < sum(pool.weights.values()) < 3, (
        "the truth is 1 each, less the penalty; those of an average add up to 1"
    )
    together = pool.answer({name: found.oof for name, found in members.items()})
    product = np.prod([found.oof ** pool.weights[name] for name, found in members.items()], axis=0)
    np.testing.assert_allclose(together, product / product.sum(axis=1, keepdims=True))
    assert log_loss(rows, together) == pytest.approx(pool.loss)
    assert pool.loss < 0.8 * averaged(rows, members, everything(rows)).loss
    found = ensemble_result(rows, members, seconds=1.0)
    assert isinstance(found, SearchResult)
    assert found.params["pooling"] == "logarithmic"
    assert log_loss(rows, found.oof) == pytest.approx(found.score, rel=0.02)
    assert found.score < 0.8 * averaged(rows, members, everything(rows)).loss, "on folds without a part in its weights"


def test_a_pool_of_few_rows_is_not_sure_of_itself() -> None:
    rows = dataclasses.replace(training_rows("iris"), more_folds=())
    members = seen_apart(rows, 1, strength=4.0)  # right on every row: without a penalty weights would grow for ever
    sums = []
    for every in (20, 5, 1):
        some = np.flatnonzero(np.arange(len(rows.table)) % every == 0)
        part = dataclasses.replace(rows, table=rows.table.iloc[some], fold=np.arange(len(some)) % 5)
        known = {name: made(part, name, found.oof[some]) for name, found in members.items()}
        sums.append(sum(pooled(part, known, everything(part)).weights.values()))
    assert sums == sorted(sums)
    assert sums[0] < 0.75 * sums[-1]


def test_an_estimator_that_multiplies_answers_alike_for_one_row_and_many() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    labels = np.array(["a", "b", "c"], dtype=object)[(X + rng.normal(size=X.shape)).argmax(axis=1)]
    parts = {"one": LogisticRegression().fit(X, labels), "two": LogisticRegression(C=0.01).fit(X, labels)}
    product = WeightedAverage(parts, {"one": 0.9, "two": 0.6}, pooling="logarithmic")
    raised = parts["one"].predict_proba(X) ** 0.9 * parts["two"].predict_proba(X) ** 0.6
    np.testing.assert_allclose(product.predict_proba(X), raised / raised.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(product.predict_proba(X[3:4]), product.predict_proba(X)[3:4])
    np.testing.assert_array_equal(clone(product).fit(X, labels).predict_proba(X), product.predict_proba(X))
    del product.__dict__["pooling"]  # as models have it that were stored before
    assert product.get_params()["pooling"] == "linear"


def test_a_pool_does_without_most_copies_of_a_member() -> None:
    iris = training_rows("iris")
    table = pd.concat([iris.table] * 20)
    rows = dataclasses.replace(iris, table=table, fold=np.arange(len(table)) % 5, more_folds=())
    members = seen_apart(rows, 0)
    twins = {f"a{number}": members["a"] for number in range(3)}
    assert len(worthwhile(pooled, rows, {**members, **twins}, everything(rows)).weights) <= 4


def test_members_that_tell_nothing_make_no_ensemble() -> None:
    """Each answers the mean, or the shares, of the other folds, which are the higher the lower those of its own are."""
    for rows in (numbers(), dataclasses.replace(training_rows("iris"), more_folds=())):
        said = np.zeros((len(rows.table), len(rows.classes))) if rows.classes else np.zeros(len(rows.table))
        truth = (rows.target[:, None] == np.array(rows.classes)).astype(float) if rows.classes else rows.target
        fold = np.arange(len(rows.table)) % 5 if not rows.classes else np.arange(len(rows.table)) % 7 % 5
        apart = dataclasses.replace(rows, fold=fold)
        for number in range(5):
            said[fold == number] = truth[fold != number].mean(axis=0)
        members = {name: made(apart, name, said) for name in "abc"}
        found = ensemble_result(apart, members, seconds=1.0)
        assert isinstance(found, LeftOut) or np.isfinite(found.score)
        for way in (averaged, pooled) if rows.classes else (averaged, stacked):
            blend = worthwhile(way, apart, members, everything(apart))
            answer = blend.answer({name: one.oof for name, one in members.items()})
            assert answer.shape == said.shape
            assert np.isfinite(answer).all()
