from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.features.plan import FeaturePlan, FeatureSet, plan_for

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


def test_a_feature_set_comes_back_as_it_was(tmp_path: Path) -> None:
    plan = _plan().fit(ROWS)
    FeatureSet(plan, plan.transform(ROWS)).save(tmp_path)
    loaded = FeatureSet.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.table, plan.transform(ROWS))
    pd.testing.assert_frame_equal(loaded.plan.transform(ROWS), plan.transform(ROWS))
    assert loaded.plan.get_params() == plan.get_params()


@pytest.mark.parametrize("name", list(load_contracts()))
def test_no_plan_of_a_contract_reads_the_target_or_a_sensitive_column(name: str) -> None:
    spec = load_contract(name)
    plan = plan_for(spec)
    read = {*plan.numeric, *plan.categorical, *(c for pair in plan.ratios for c in pair)}
    assert read <= set(spec.feature_columns)
    assert spec.target not in read
