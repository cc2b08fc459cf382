import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_worlds import clean_table

from ml_assets.datasets.contracts import load_contract, load_contracts, parse_contract
from ml_assets.datasets.identity import with_row_ids
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.errors import ContractViolation
from ml_assets.learning.splitting import split

CONTRACT = """
name: toy
title: Toy
description: Made up.
task: {task}
target: y
sources: [{{name: toy.csv, embedded: toy.csv.gz, sha256: '{pin}'}}]
columns:
  a: {{dtype: integer, missing_share: 1.0}}
  b: {{dtype: category, missing_share: 1.0}}
  y: {{dtype: {dtype}}}
folds: 3
"""


def _spec(task: Task) -> DatasetSpec:
    dtype = "float" if task is Task.REGRESSION else "category"
    return parse_contract(CONTRACT.format(task=task.value, dtype=dtype, pin="0" * 64), origin="toy.yaml")


def _features(spec: DatasetSpec, table: pd.DataFrame) -> pd.Series:
    return table[list(spec.feature_columns)].astype(str).agg("|".join, axis=1)


@pytest.mark.parametrize("name", list(load_contracts()))
def test_embedded_tables_split_into_the_contracts_shares(name: str) -> None:
    spec, table = load_contract(name), clean_table(name)
    splits = split(spec, table, seed=0)
    pd.testing.assert_index_equal(splits.index, table.index)
    assert (splits["part"] == "test").mean() == pytest.approx(spec.test_share, abs=0.01)
    assert set(splits["fold"]) == set(range(-1, spec.folds))
    pd.testing.assert_series_equal(splits["fold"] == -1, splits["part"] == "test", check_names=False)
    sizes = splits.loc[splits["part"] == "train", "fold"].value_counts(normalize=True)
    assert sizes.between(0.8 / spec.folds, 1.2 / spec.folds).all()
    if spec.task is Task.REGRESSION:
        targets = table[spec.target].groupby(splits["fold"]).mean()
        assert targets.sub(table[spec.target].mean()).abs().max() < 0.15 * table[spec.target].std()


@pytest.mark.parametrize("name", ["wine_quality", "iris"])
def test_duplicate_rows_stay_on_one_side_and_in_one_fold(name: str) -> None:
    spec, table = load_contract(name), clean_table(name)
    folds = split(spec, table, seed=0)["fold"].groupby(_features(spec, table)).nunique()
    assert (folds == 1).all()
    assert len(folds) < len(table)


def test_copies_that_are_independent_are_split_like_other_rows() -> None:
    spec, table = load_contract("wine_quality"), clean_table("wine_quality")
    independent = spec.model_copy(update={"duplicates": "independent"})
    splits = split(independent, table, seed=0)
    copied = table.duplicated(list(spec.feature_columns), keep=False)
    sides = splits["part"][copied].groupby(_features(spec, table[copied])).nunique()
    pairs = table[copied].groupby(_features(spec, table[copied])).size() == 2
    # Two rows of which a fifth is tested: 2 · 0.2 · 0.8 = 0.32 of the pairs have one on each side.
    assert (sides[pairs] == 2).mean() == pytest.approx(0.32, abs=0.06)
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(split(independent, shuffled, seed=0).loc[table.index], splits)


def test_shuffled_rows_split_the_same() -> None:
    spec, table = load_contract("wine_quality"), clean_table("wine_quality")
    shuffled = table.sample(frac=1, random_state=3)
    expected = split(spec, table, seed=0)
    pd.testing.assert_frame_equal(split(spec, shuffled, seed=0).loc[expected.index], expected)


def test_added_rows_leave_all_but_a_few_on_their_side() -> None:
    spec, table = load_contract("california_housing"), clean_table("california_housing")
    before = split(spec, table.iloc[:19_000], seed=0)["part"]
    after = split(spec, table, seed=0)["part"].loc[before.index]
    assert (before != after).mean() < 0.02


def test_a_gap_in_an_added_row_moves_no_other_row() -> None:
    spec = _spec(Task.CLASSIFICATION)
    table = with_row_ids(pd.DataFrame({"a": range(60), "b": "x", "y": ["u", "v"] * 30}))
    grown = with_row_ids(
        pd.concat([table, pd.DataFrame({"a": [None], "b": ["x"], "y": ["w"]})]).astype({"a": "float64"})
    )
    same = split(spec, grown, seed=0).loc[table.index]
    pd.testing.assert_frame_equal(same, split(spec, table, seed=0))


def test_another_seed_is_another_split() -> None:
    spec, table = load_contract("iris"), clean_table("iris")
    assert (split(spec, table, seed=0) != split(spec, table, seed=1)).any(axis=None)


def test_a_class_of_one_row_trains() -> None:
    spec = _spec(Task.CLASSIFICATION)
    table = with_row_ids(pd.DataFrame({"a": range(31), "b": "x", "y": ["u"] * 30 + ["rare"]}))
    assert split(spec, table, seed=0)["part"].iloc[-1] == "train"


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_too_few_rows_are_refused_with_a_remedy(rows: int) -> None:
    table = with_row_ids(pd.DataFrame({"a": range(rows), "b": "x", "y": [1.0] * rows}))
    with pytest.raises(ContractViolation, match=f"toy: {rows} rows.*too few for a test side and 3 folds: add rows"):
        split(_spec(Task.REGRESSION), table, seed=0)


def test_many_copies_of_few_rows_are_refused() -> None:
    table = with_row_ids(pd.DataFrame({"a": [1] * 50 + [2] * 50, "b": "x", "y": 1.0}))
    with pytest.raises(ContractViolation, match="100 rows, 2 of them different"):
        split(_spec(Task.REGRESSION), table, seed=0)


CELLS = st.tuples(st.one_of(st.none(), st.integers(-3, 8)), st.sampled_from(["x", "z", None]), st.integers(0, 4))


@settings(max_examples=80, deadline=None)
@given(cells=st.lists(CELLS, min_size=1, max_size=60), task=st.sampled_from(list(Task)), seed=st.integers(0, 5))
def test_any_small_table_is_split_as_promised_or_refused(cells: list[tuple], task: Task, seed: int) -> None:
    spec = _spec(task)
    frame = pd.DataFrame(cells, columns=["a", "b", "y"]).astype({"a": "float64", "b": object})
    frame["y"] = frame["y"].astype("float64") if task is Task.REGRESSION else frame["y"].astype(str).astype(object)
    table = with_row_ids(frame)
    try:
        splits = split(spec, table, seed=seed)
    except ContractViolation:
        assert len(_features(spec, table).unique()) < 4 * len(table["y"].unique()) + 8
        return
    assert list(splits.index) == list(table.index)
    assert (splits["fold"].groupby(_features(spec, table)).nunique() == 1).all()
    assert set(splits["fold"]) == {-1, 0, 1, 2}
    if task is Task.CLASSIFICATION:
        training = splits["part"] == "train"
        first = table["y"].groupby(_features(spec, table)).transform("min")
        assert set(first[training]) == set(first)
        groups = _features(spec, table)[training].groupby(first[training]).nunique()
        folds = splits["fold"][training].groupby(first[training]).nunique()
        assert (folds == np.minimum(groups, 3)).all()
