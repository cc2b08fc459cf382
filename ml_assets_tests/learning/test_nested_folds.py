"""Nested cross-validation: what each fold sees, what it costs to choose among noise, and how it goes on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from class_worlds import class_spec, class_table
from search_worlds import problem

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.nested import NestedFold, NestedValidation, nested_section
from ml_assets.learning import nested
from ml_assets.learning.nested import Procedure, nested_folds
from ml_assets.learning.splitting import split, without_fold

PROCEDURE = Procedure(["linear", "knn"], seconds=60.0, trials=2, workers=2)


def test_a_fold_is_the_test_side_and_the_others_are_shared_out_anew() -> None:
    spec, table, splits = problem("iris")
    training = splits.index[splits["part"] == "train"]
    for fold in range(spec.folds):
        inner = without_fold(spec, table, splits, fold, seed=0)
        assert set(inner.index) == set(training), "no test row is in it"
        held_out = inner.index[inner["part"] == "test"]
        assert set(held_out) == set(splits.index[splits["fold"] == fold])
        rest = inner[inner["part"] == "train"]
        assert set(rest["fold"]) == set(range(spec.folds))
        copies = pd.util.hash_pandas_object(table.loc[rest.index, list(spec.feature_columns)], index=False).to_numpy()
        assert (rest["fold"].groupby(copies).nunique() == 1).all()


@pytest.mark.parametrize("kept", ["time", "group"])
def test_blocks_of_time_and_groups_stay_what_they_are_without_a_fold(kept: str) -> None:
    columns = {
        "who": {"dtype": "text", "ignored": "a name"},
        "when": {"dtype": "date", "ignored": "orders the rows"},
        **{name: {"dtype": "float"} for name in ("x", "y")},
    }
    document = {"name": "toy", "title": "Toy", "task": "regression", "target": "y", "columns": columns}
    by = {"time": "when"} if kept == "time" else {"group": "who"}
    spec = DatasetSpec.model_validate({**document, "sources": [{"name": "toy.csv", "path": "toy.csv"}], **by})
    at, rng = np.arange(300), np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "who": [f"g{number // 6}" for number in at],
            "when": np.datetime64("2026-01-01", "us") + at.astype("timedelta64[D]"),
            **{name: rng.normal(size=300) for name in ("x", "y")},
        },
        index=pd.Index([f"{number:016x}" for number in at], name="row_id"),
    )
    splits = split(spec, table, seed=0)
    for fold in range(spec.folds):
        inner = without_fold(spec, table, splits, fold, seed=0)
        rest = inner[inner["part"] == "train"]
        assert set(rest["fold"]) == set(range(spec.folds)), "every row outside trains in some fold"
        if kept == "group":
            assert (rest["fold"].groupby(table.loc[rest.index, "who"].to_numpy()).nunique() == 1).all()
        else:
            assert rest["fold"].loc[table.loc[rest.index, "when"].sort_values().index].is_monotonic_increasing


def test_every_fold_is_scored_by_models_that_never_saw_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, table, splits = problem("iris")
    seen: list[set[str]] = []
    search = nested.search

    def spied(rows: nested.TrainingRows, *args: object, **options: object) -> object:
        seen.append(set(rows.table.index))
        return search(rows, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(nested, "search", spied)
    found = list(nested_folds(spec, table, splits, PROCEDURE, folder=tmp_path))
    assert [one.fold for one in found] == list(range(spec.folds))
    for one, rows in zip(found, seen, strict=True):
        outside = set(splits.index[(splits["part"] == "train") & (splits["fold"] != one.fold)])
        assert rows == outside
        assert one.rows == (splits["fold"] == one.fold).sum()
        assert one.family in ("linear", "knn", "ensemble")
        assert 0 < one.score < 1
    again = list(nested_folds(spec, table, splits, PROCEDURE, folder=tmp_path / "again", known=found[:3]))
    assert again[:3] == found[:3], "what is known is not done again"
    assert [one.score for one in again[3:]] == [one.score for one in found[3:]], "trials alone repeat bit for bit"
    assert len(seen) == spec.folds + 2


def test_choosing_among_noise_flatters_and_the_outer_folds_do_not(tmp_path: Path) -> None:
    """Labels that nothing predicts, thirty settings: the best of them looks better than it is, over four tables."""
    spec, found = class_spec(), []
    for seed in range(4):
        table = class_table([40, 40], seed=seed)
        table[["a", "b"]] = np.random.default_rng(seed).normal(size=(len(table), 2))
        many = Procedure(["knn"], seconds=300.0, trials=30, workers=2)
        splits = split(spec, table, seed=seed)
        found += nested_folds(spec, table, splits, many, folder=tmp_path / str(seed))
    inner, outer = (np.mean([getattr(one, name) for one in found]) for name in ("inner_score", "score"))
    assert outer > inner
    assert outer > np.log(2) - 0.01, "nobody is better than a coin"


def _validation(spec: DatasetSpec) -> NestedValidation:
    folds = tuple(NestedFold(at, "linear", 0.1, 0.1 + at / 100, 24, 2.0) for at in range(5))
    return NestedValidation(spec.name, Task.CLASSIFICATION, "log_loss", folds, {"trials": 2}, "d", "s", "2026-11-25")


def test_what_was_found_comes_back_and_a_page_says_it(tmp_path: Path) -> None:
    from types import SimpleNamespace

    spec = problem("iris")[0]
    found = _validation(spec)
    assert NestedValidation.load(tmp_path) is None
    found.save(tmp_path)
    assert NestedValidation.load(tmp_path) == found
    assert found.score == pytest.approx(0.12)
    assert found.standard_error == pytest.approx(np.std([0, 1, 2, 3, 4], ddof=1) / 100 / np.sqrt(5))
    section = nested_section(found, SimpleNamespace(cv_score=0.1))  # type: ignore[arg-type]
    assert "0.12" in section.paragraphs[0]
    assert "nested minus plain is 0.02" in section.paragraphs[1]
    assert "20.0 %" in section.paragraphs[1]
    assert "linear (5)" in section.paragraphs[1]
    assert len(section.tables[0].rows) == 5
