"""Repeated cross-validation, from the contract to the test over folds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from search_worlds import clean_table
from sklearn.linear_model import Ridge

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.comparison import compare
from ml_assets.evaluation.evaluate import evaluate
from ml_assets.evaluation.metrics import fold_scores
from ml_assets.evaluation.record import Evaluation
from ml_assets.evaluation.selection import selection_gap
from ml_assets.evaluation.significance import corrected_paired_t
from ml_assets.families import ENSEMBLE
from ml_assets.features.plan import plan_for
from ml_assets.learning.ensembling import ensemble_result
from ml_assets.learning.final_fit import fit_models
from ml_assets.learning.fitted_model import FittedModel
from ml_assets.learning.journal import SearchJournal
from ml_assets.learning.race import Budget
from ml_assets.learning.search import search
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.splitting import repeated_folds, split
from ml_assets.learning.worker import TrainingRows

REPEATS = 3


def repeated(name: str, **changes: object) -> DatasetSpec:
    return load_contract(name).model_copy(update={"repeats": REPEATS} | changes)


@pytest.mark.parametrize("name", ["wine_quality", "iris"])
def test_each_repeat_shares_the_same_training_rows_out_anew(name: str) -> None:
    spec, table = repeated(name), clean_table(name)
    splits, once = split(spec, table, seed=0), split(repeated(name, repeats=1), table, seed=0)
    pd.testing.assert_frame_equal(splits[["part", "fold"]], once)
    every = repeated_folds(splits)
    assert len(every) == REPEATS
    train = (splits["part"] == "train").to_numpy()
    copies = pd.util.hash_pandas_object(table[list(spec.feature_columns)], index=False).to_numpy()
    for folds in every:
        assert set(folds[train]) == set(range(spec.folds))
        assert (folds[~train] == -1).all()
        assert (pd.Series(folds).groupby(copies).nunique() == 1).all(), "copies stay together in every repeat"
        assert np.bincount(folds[train]).min() > 0.8 * train.sum() / spec.folds
    # Two repeats agree on a fifth of the rows, as two draws of five folds do.
    assert (every[0] == every[1])[train].mean() == pytest.approx(1 / spec.folds, abs=0.1)
    shuffled = split(spec, table.sample(frac=1, random_state=1), seed=0).loc[table.index]
    pd.testing.assert_frame_equal(shuffled, splits)


def test_groups_of_every_size_move_between_repeats_and_stay_whole() -> None:
    sizes = np.repeat(np.arange(30), np.arange(1, 31))
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"who": [f"g{at}" for at in sizes], "x": rng.normal(size=len(sizes)), "y": rng.normal(size=len(sizes))},
        index=pd.Index([f"{at:016x}" for at in range(len(sizes))], name="row_id"),
    )
    columns = {"who": {"dtype": "text", "ignored": "a name"}, "x": {"dtype": "float"}, "y": {"dtype": "float"}}
    spec = DatasetSpec.model_validate(
        {
            **{"name": "toy", "title": "Toy", "task": "regression", "target": "y", "columns": columns},
            **{"sources": [{"name": "toy.csv", "path": "toy.csv"}], "group": "who", "repeats": REPEATS},
        }
    )
    splits = split(spec, table, seed=0)
    train = (splits["part"] == "train").to_numpy()
    every = repeated_folds(splits)
    for folds in every:
        assert (pd.Series(folds).groupby(table["who"].to_numpy()).nunique() == 1).all()
        counts = np.bincount(folds[train])
        assert counts.min() > 0.5 * counts.mean()
    by_group = [pd.Series(folds[train]).groupby(table["who"].to_numpy()[train]).first() for folds in every]
    assert (by_group[0] != by_group[1]).mean() > 0.4


def test_blocks_of_time_cannot_be_repeated() -> None:
    document = load_contract("iris").model_dump(mode="json")
    columns = {**document["columns"], "when": {"dtype": "date"}}
    with pytest.raises(ValueError, match="cannot be repeated"):
        DatasetSpec.model_validate({**document, "columns": columns, "time": "when", "repeats": 2})


def test_a_search_over_repeats_reaches_models_and_leaderboard(tmp_path: Path) -> None:
    spec, table = repeated("iris"), clean_table("iris")
    splits = split(spec, table, seed=0)
    rows = TrainingRows.of(spec, table, splits, plan_for(spec), seed=0)
    budget = Budget(120, trials=2)
    found = search(rows, ["linear", "knn"], budget=budget, workers=2, folder=tmp_path / "s")
    kept = SearchJournal(tmp_path / "s").best("knn")
    assert kept is not None
    assert len(kept.repeated) == REPEATS - 1
    together = ensemble_result(rows, found, seconds=1.0)
    results = {**found, **({ENSEMBLE: together} if isinstance(together, SearchResult) else {})}
    models = fit_models(rows, results, data_hash="d", splits_hash="s", workers=2)
    evaluations = {}
    for family, result in results.items():
        assert isinstance(result, SearchResult)
        scores = [
            score
            for said, folds in zip((result.oof, *result.repeated), repeated_folds(splits), strict=True)
            for score in fold_scores(spec.task, rows.target, said, folds[splits["part"] == "train"], rows.classes)
        ]
        assert len(scores) == REPEATS * spec.folds
        assert list(result.fold_scores) == pytest.approx(scores)
        (tmp_path / family).mkdir()
        result.save(tmp_path / family)
        again = SearchResult.load(tmp_path / family)
        np.testing.assert_array_equal(again.repeated, result.repeated)
        evaluations[family] = _evaluated(spec, table, splits, models[family], again)
        assert evaluations[family].folds_each == spec.folds
    board = compare(evaluations)
    other = next(row for row in board.rows if row.family != board.leader)
    pairs = [evaluations[name].fold_scores for name in (other.family, board.leader)]
    by_hand = corrected_paired_t(np.subtract(*pairs), test_fraction=1 / spec.folds)
    assert by_hand.n == REPEATS * spec.folds
    if other.p_value < 1:
        assert other.single_p_value == pytest.approx(by_hand.p_two_sided)
    assert (other.low, other.high) == pytest.approx(by_hand.interval, nan_ok=True)


def test_weights_are_over_all_repeats_and_each_folds_without_its_rows_in_any() -> None:
    spec, table = repeated("boston_housing"), clean_table("boston_housing")
    rows = TrainingRows.of(spec, table, split(spec, table, seed=0), plan_for(spec), seed=0)
    rng, n = np.random.default_rng(0), len(rows.table)
    said = {name: rows.target + 3 * rng.normal(size=(REPEATS, n)) for name in ("a", "b")}

    def together(predictions: dict[str, np.ndarray]) -> SearchResult:
        members = {
            name: SearchResult(name, {}, (1.0,), (), 1.0, (), tuple(rows.table.index), first, tuple(more))
            for name, (first, *more) in predictions.items()
        }
        made = ensemble_result(rows, members, seconds=1.0)
        assert isinstance(made, SearchResult)
        return made

    made = together(said)
    assert made.params["weights"]["a"] == pytest.approx(0.5, abs=0.1)
    assert len(made.repeated) == REPEATS - 1
    assert len(made.fold_scores) == REPEATS * spec.folds
    fold = rows.fold == 0  # of these rows `b` is eight off in every repeat
    spoilt = {**said, "b": said["b"] + 8 * fold}
    again = together(spoilt)
    assert again.params["weights"]["b"] < 0.35, "all rows together have seen it"
    first, second = (spoilt[name][0][fold] for name in ("a", "b"))
    weight = np.sum((again.oof[fold] - first) * (second - first)) / np.sum((second - first) ** 2)
    assert weight == pytest.approx(0.5, abs=0.1), "the weights of the fold have not, in no repeat"


def _evaluated(
    spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, model: object, found: SearchResult
) -> Evaluation:
    assert isinstance(model, FittedModel)
    return evaluate(
        spec,
        family=found.family,
        params=found.params,
        pipeline=model.pipeline,
        table=table,
        splits=splits,
        oof_prediction=found.oof,
        repeated=found.repeated,
        calibration=model.record.calibration,
        **{"fit_seconds": 1.0, "search_seconds": 1.0, "trials": 1, "model_bytes": 1},
        **{"model_sha256": "a", "data_hash": "d", "splits_hash": "s"},
    )


def test_choosing_is_nested_within_each_repeat() -> None:
    # In both repeats the first setting is best but for the second fold, where the second is.
    found = selection_gap([(1.0, 9.0, 1.0, 1.0, 9.0, 1.0), (2.0, 2.0, 2.0, 2.0, 2.0, 2.0)], folds_each=3)
    assert found is not None
    # Without fold 1 and without fold 3 the second is better (2 against 5), without fold 2 the first (1).
    assert found.nested == pytest.approx((2 + 9 + 2) / 3)


def test_repeats_do_not_make_the_test_over_folds_see_what_is_not_there() -> None:
    """Two learners that are equally good: ridge regression on two halves of the useful columns."""
    rng, refused, plain, draws = np.random.default_rng(0), 0, 0, 200
    for _ in range(draws):
        X = rng.normal(size=(80, 8))
        y = X.sum(axis=1) + rng.normal(size=80)
        differences = []
        for _ in range(REPEATS):
            folds = rng.permutation(np.arange(80) % 5)
            for fold in range(5):
                inside = folds != fold
                losses = [
                    np.mean((Ridge().fit(X[inside][:, half], y[inside]).predict(X[~inside][:, half]) - y[~inside]) ** 2)
                    for half in (slice(0, 4), slice(4, 8))
                ]
                differences.append(losses[0] - losses[1])
        refused += corrected_paired_t(np.array(differences), test_fraction=1 / 5).p_two_sided < 0.05
        # As if fifteen folds were those of one cross-validation with fifteen folds: too sure.
        plain += corrected_paired_t(np.array(differences), test_fraction=1 / 15).p_two_sided < 0.05
    assert refused / draws < 0.1
    assert plain > refused


def test_a_regression_too_has_the_standard_error_of_one_repeat() -> None:
    spec, table = repeated("boston_housing"), clean_table("boston_housing")
    assert spec.task is Task.REGRESSION
    splits = split(spec, table, seed=0)
    train = splits["part"] == "train"
    y = table.loc[train, spec.target].to_numpy(dtype=np.float64)
    rng = np.random.default_rng(0)
    said = [y + rng.normal(size=len(y)) for _ in range(REPEATS)]
    model = Ridge().fit(table.loc[train, list(spec.feature_columns)], y)
    made = evaluate(
        spec,
        family="linear",
        params={},
        pipeline=model,
        table=table,
        splits=splits,
        oof_prediction=said[0],
        repeated=said[1:],
        **{"fit_seconds": 1.0, "search_seconds": 1.0, "trials": 1, "model_bytes": 1},
        **{"model_sha256": "a", "data_hash": "d", "splits_hash": "s"},
    )
    assert len(made.fold_scores) == REPEATS * spec.folds
    assert made.cv_score == pytest.approx(np.mean(made.fold_scores))
    assert made.cv_standard_error == pytest.approx(np.std(made.fold_scores, ddof=1) / np.sqrt(spec.folds))
    np.testing.assert_array_equal(made.oof_prediction, said[0])
