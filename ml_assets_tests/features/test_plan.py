from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from ml_assets.artifacts import folder_sha256
from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.datasets.spec import Task
from ml_assets.features.feature_set import FeatureSet
from ml_assets.features.plan import LARGEST, MOST_LABELS, FeaturePlan, plan_for
from ml_assets.learning.splitting import split
from ml_assets_tests.mixed_world import (
    BUILT,
    NEVER,
    NOTES,
    QUARTER,
    SAME,
    SIZE,
    STREET,
    TARGET,
    mixed_spec,
    mixed_table,
)

ROWS = pd.DataFrame(
    {
        "rooms": [6.0, 4.0, np.nan, 0.0],
        "homes": [2.0, 0.0, 1.0, 0.0],
        "colour": ["red", "white", None, "red"],
        "target": [1.0, 2.0, 3.0, 4.0],
    },
    index=pd.Index(["r1", "r2", "r3", "r4"], name="row_id"),
)


def _plan() -> FeaturePlan:
    return FeaturePlan(("rooms", "homes"), ("colour",), (("rooms", "homes"),))


def test_numbers_stay_gaps_stay_and_labels_become_columns() -> None:
    made = _plan().fit(ROWS).transform(ROWS)
    expected = pd.DataFrame(
        {
            "rooms": ROWS["rooms"],
            "homes": ROWS["homes"],
            "rooms_per_homes": [3.0, np.nan, np.nan, np.nan],
            "colour=red": [1.0, 0.0, 0.0, 1.0],
            "colour=white": [0.0, 1.0, 0.0, 0.0],
        },
        index=ROWS.index,
    )
    pd.testing.assert_frame_equal(made, expected)


def test_a_label_not_seen_in_training_and_a_missing_one_give_zeros() -> None:
    made = _plan().fit(ROWS).transform(ROWS.assign(colour=["rosé", None, np.nan, "Red"]))
    assert (made[["colour=red", "colour=white"]] == 0).all(axis=None)


def test_labels_that_are_no_text_are_the_same_in_training_and_later() -> None:
    rows = ROWS.assign(colour=[1, 2, 1, 2])
    made = _plan().fit(rows).transform(rows)
    assert made[["colour=1", "colour=2"]].to_numpy().tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_one_row_alone_and_columns_in_another_order_give_the_same() -> None:
    plan = _plan().fit(ROWS)
    alone = plan.transform(ROWS.iloc[[0]][["target", "colour", "homes", "rooms"]])
    pd.testing.assert_frame_equal(alone, plan.transform(ROWS).iloc[[0]])


def test_whole_numbers_and_gaps_of_any_kind_are_taken() -> None:
    rows = ROWS.assign(rooms=pd.array([6, 4, None, 0], dtype="Int64"), homes=[2, 0, 1, 0])
    pd.testing.assert_frame_equal(_plan().fit(rows).transform(rows), _plan().fit(ROWS).transform(ROWS))


def test_lineage_names_the_raw_columns_of_each_output() -> None:
    plan = _plan().fit(ROWS)
    assert plan.lineage_["rooms_per_homes"] == ("rooms", "homes")
    assert plan.lineage_["colour=red"] == ("colour",)
    assert list(plan.get_feature_names_out()) == list(plan.transform(ROWS).columns) == list(plan.lineage_)


def test_a_plan_that_was_not_fitted_says_so_and_a_clone_is_not_fitted() -> None:
    for plan in (_plan(), clone(_plan().fit(ROWS))):
        with pytest.raises(NotFittedError):
            plan.transform(ROWS)


def test_nothing_of_the_test_rows_enters_the_plan(tmp_path: Path) -> None:
    spec = load_contract("wine_quality")
    table = pd.DataFrame(dict.fromkeys(spec.columns, 1.0), index=["a", "b", "c"]).assign(
        colour=["red", "white", "only in test"]
    )
    splits = pd.DataFrame({"part": ["train", "train", "test"], "fold": [0, 1, -1]}, index=table.index)
    made = FeatureSet.of(spec, table, splits)
    assert made.plan.categories_["colour"] == ("red", "white")
    assert list(made.table.index) == ["a", "b", "c"]
    assert made.table.loc["c", ["colour=red", "colour=white"]].tolist() == [0, 0]


def test_a_feature_set_comes_back_as_it_was_and_is_stored_alike_each_time(tmp_path: Path) -> None:
    spec = mixed_spec()
    table = mixed_table(spec)
    splits = split(spec, table, seed=0)
    hashes = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        made = FeatureSet.of(spec, table, splits)
        made.save(folder)
        hashes.append(folder_sha256(folder))
        loaded = FeatureSet.load(folder)
        pd.testing.assert_frame_equal(loaded.table, made.table)
        pd.testing.assert_frame_equal(loaded.plan.transform(table), made.plan.transform(table))
        assert loaded.plan.get_params() == made.plan.get_params()
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("task", list(Task))
def test_training_rows_are_cross_fitted_and_other_rows_are_not(task: Task) -> None:
    spec = mixed_spec(task)
    table = mixed_table(spec)
    splits = split(spec, table, seed=0)
    made, train = FeatureSet.of(spec, table, splits), splits["part"] == "train"
    by_itself = made.plan.transform(table)
    means = [name for name in made.table if made.plan.lineage_[name] == (STREET,) and "frequency" not in name]
    assert len(means) == (1 if task is Task.REGRESSION else 5)
    pd.testing.assert_frame_equal(made.table[~train], by_itself[~train])
    pd.testing.assert_frame_equal(made.table.drop(columns=means), by_itself.drop(columns=means))
    assert (made.table.loc[train, means] != by_itself.loc[train, means]).mean(axis=None) > 0.9


def test_a_plan_without_folds_keeps_copies_of_a_row_together() -> None:
    spec = mixed_spec()
    table = mixed_table(spec, 200)
    table[STREET] = [f"street {i % 100}" for i in range(200)]
    twice = pd.concat([table.iloc[:100], table.iloc[:100]], ignore_index=True)
    plan = plan_for(spec)
    made = plan.fit_transform(twice, twice[TARGET].to_numpy())["street name (target mean)"]
    np.testing.assert_allclose(made, twice[TARGET].mean())
    assert plan.transform(twice)["street name (target mean)"].std() > 0


def test_labels_up_to_the_bound_get_a_column_each_and_beyond_it_the_mean_target() -> None:
    few = pd.DataFrame({"c": [f"{i % MOST_LABELS:02}" for i in range(120)]})
    many = pd.DataFrame({"c": [f"{i % (MOST_LABELS + 1):02}" for i in range(124)]})
    plan = FeaturePlan(categorical=("c",))
    assert plan.fit(few, np.arange(120.0)).transform(few).columns.tolist() == [f"c={i:02}" for i in range(MOST_LABELS)]
    assert plan.fit(many, np.arange(124.0)).transform(many).columns.tolist() == ["c (target mean)", "c (frequency)"]
    assert plan.fit(many).transform(many).columns.tolist() == ["c (frequency)"]


def test_every_dtype_has_its_columns_with_their_origin() -> None:
    spec = mixed_spec()
    table = mixed_table(spec)
    plan = plan_for(spec)
    made = plan.fit_transform(table, table[TARGET].to_numpy())
    assert list(made.columns) == list(plan.lineage_)
    assert {name for sources in plan.lineage_.values() for name in sources} == set(spec.feature_columns)
    assert (made.dtypes == np.float64).all()
    assert np.isfinite(made.drop(columns=made.columns[made.isna().any()]).to_numpy()).all()
    gaps = {column: {name for name, of in plan.lineage_.items() if of == (column,)} for column in (SIZE, BUILT, NEVER)}
    for column, names in gaps.items():
        for name in names:
            pd.testing.assert_series_equal(made[name].isna(), table[column].isna(), check_names=False)
    assert made["never"].isna().all()
    assert plan.width(table, table[TARGET].to_numpy()) >= made.shape[1]


@pytest.mark.parametrize("rows", [0, 1])
def test_rows_with_nothing_but_gaps_and_labels_never_seen_are_taken(rows: int) -> None:
    spec = mixed_spec()
    table = mixed_table(spec)
    plan = plan_for(spec).fit(table, table[TARGET].to_numpy())
    empty = table.iloc[:rows].assign(**dict.fromkeys((SIZE, STREET, NOTES, NEVER)))
    empty = empty.assign(**{QUARTER: "no such", SAME: "other", BUILT: pd.NaT})
    made = plan.transform(empty)
    assert made.shape == (rows, len(plan.lineage_))
    assert made.isna().any(axis=None) == (rows > 0)


def test_infinite_and_huge_numbers_become_gaps_and_the_largest_that_trees_take() -> None:
    rows = pd.DataFrame({"a": [np.inf, -np.inf, 1e300, -1e300, 2.0], "b": [1.0, 1.0, 1e-300, 1e-300, 0.0]})
    made = FeaturePlan(numeric=("a",), ratios=(("a", "b"),)).fit_transform(rows)
    np.testing.assert_array_equal(made["a"], [np.nan, np.nan, LARGEST, -LARGEST, 2.0])
    np.testing.assert_array_equal(made["a_per_b"], [np.nan] * 5)


def test_columns_whose_outputs_would_have_one_name_are_told_apart() -> None:
    rows = pd.DataFrame(
        {"a": [1.0], "b": [2.0], "a_per_b": [3.0], "c": ["x"], "c=x": [4.0], "[c]": [5.0], "(c)": [6.0]}
    )
    plan = FeaturePlan(("a", "b", "a_per_b", "c=x", "[c]", "(c)"), ("c",), (("a", "b"),)).fit(rows)
    made = plan.transform(rows)
    assert made.columns.is_unique
    assert made.iloc[0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.5, 1.0]
    assert list(plan.lineage_.values())[-2:] == [("a", "b"), ("c",)]


@pytest.mark.parametrize("name", list(load_contracts()))
def test_no_plan_of_a_contract_reads_the_target_or_a_sensitive_column(name: str) -> None:
    spec = load_contract(name)
    plan = plan_for(spec)
    assert set(plan.raw_columns) <= set(spec.feature_columns)
    assert spec.target not in plan.raw_columns
