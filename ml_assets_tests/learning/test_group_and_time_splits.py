from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.errors import ContractViolation
from ml_assets.learning.splitting import split

FOLDS = 3


def _spec(task: Task = Task.REGRESSION, group_dtype: str = "text", **more: Any) -> DatasetSpec:
    return DatasetSpec.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "task": task,
            "target": "y",
            "sources": [{"name": "toy.csv", "path": "toy.csv"}],
            "columns": {
                "who": {"dtype": group_dtype, "missing_share": 1.0, "ignored": "a name"},
                "when": {"dtype": "date", "missing_share": 1.0},
                "x": {"dtype": "float", "missing_share": 1.0},
                "note": {"dtype": "text", "missing_share": 1.0},
                "sold": {"dtype": "boolean", "missing_share": 1.0},
                "y": {"dtype": "float" if task is Task.REGRESSION else "category"},
            },
            "folds": FOLDS,
            **more,
        }
    )


def _table(who: list[Any], when: list[Any], y: list[Any], x: list[float] | None = None) -> pd.DataFrame:
    rows = len(y)
    return pd.DataFrame(
        {
            "who": np.array(who, dtype=object),
            "when": np.array(when, dtype="datetime64[D]").astype("datetime64[us]"),
            "x": np.arange(rows, dtype=np.float64) if x is None else x,
            "note": np.array([None if i % 3 else f"note {i}" for i in range(rows)], dtype=object),
            "sold": [float(i % 2) if i % 5 else np.nan for i in range(rows)],
            "y": y,
        },
        index=pd.Index([f"{i:016x}" for i in range(rows)], name="row_id"),
    )


ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from("abcdefghij")),
        st.one_of(st.none(), st.integers(-300, 300)),
        st.integers(0, 3),
        st.integers(0, 12),
    ),
    min_size=1,
    max_size=60,
)


def _drawn(task: Task, cells: list[tuple], *, group: bool, time: bool) -> tuple[DatasetSpec, pd.DataFrame]:
    spec = _spec(task, group="who" if group else None, time="when" if time else None)
    who, when, y, x = zip(*cells, strict=True)
    days = [np.datetime64("NaT") if day is None else np.datetime64(day, "D") for day in when]
    target = [float(v) for v in y] if task is Task.REGRESSION else [f"class {v}" for v in y]
    return spec, _table(list(who), days, target, [float(v) for v in x])


@settings(max_examples=120, deadline=None)
@given(cells=ROWS, task=st.sampled_from(list(Task)), group=st.booleans(), time=st.booleans(), seed=st.integers(0, 3))
def test_any_table_is_split_as_promised_or_refused(
    cells: list[tuple], task: Task, group: bool, time: bool, seed: int
) -> None:
    if not (group or time):
        return
    spec, table = _drawn(task, cells, group=group, time=time)
    try:
        splits = split(spec, table, seed=seed)
    except ContractViolation:
        units = table["when"].where(table["who"].isna() | (not group), table["who"]) if time else table["who"]
        apart = units.nunique() + (0 if time else units.isna().sum())  # rows without a time can only train
        assert task is Task.CLASSIFICATION or apart < 3 * FOLDS
        return
    assert list(splits.index) == list(table.index)
    assert set(splits["fold"]) == {-1, 0, 1, 2}
    pd.testing.assert_series_equal(splits["fold"] == -1, splits["part"] == "test", check_names=False)
    shuffled = table.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(split(spec, shuffled, seed=seed).loc[table.index], splits)
    train = splits["part"] == "train"
    if group:
        assert (splits["fold"].groupby(table["who"]).nunique() == 1).all()
        features = table[["when", "x", "note", "sold"]].astype(str).agg("|".join, axis=1)
        lone = table["who"].isna()
        assert (splits["fold"][lone].groupby(features[lone]).nunique() == 1).all()
    if task is Task.CLASSIFICATION:
        assert set(table["y"][train]) == set(table["y"])
    if time and task is Task.REGRESSION:
        assert splits["part"][table["when"].isna() & (table["who"].isna() | (not group))].eq("train").all()
        latest = table["when"].groupby(table["who"]).transform("max").where(table["who"].notna()) if group else None
        of_unit = table["when"] if latest is None else latest.fillna(table["when"])
        assert not table["when"][train].max() > of_unit[~train].min()
    if time and not group and task is Task.REGRESSION:
        assert (splits["fold"].groupby(table["when"]).nunique() == 1).all()
        blocks = table["when"][train].groupby(splits["fold"][train]).agg(["min", "max"])
        known = blocks.dropna()
        assert (known["max"].to_numpy()[:-1] < known["min"].to_numpy()[1:]).all()


@pytest.mark.parametrize("task", list(Task))
def test_groups_share_out_rows_and_strata_evenly(task: Task) -> None:
    rng = np.random.default_rng(0)
    who = [f"patient {i}" for i in rng.choice(200, 4000, p=rng.dirichlet(np.ones(200)))]
    level = {name: value for value, name in enumerate(sorted(set(who)))}
    y = [
        float(level[name]) if task is Task.REGRESSION else "rare" if level[name] % 10 == 0 else "often" for name in who
    ]
    table = _table(who, ["2024-01-01"] * 4000, y)
    splits = split(_spec(task, group="who"), table, seed=0)
    sizes = splits["fold"].value_counts(normalize=True)
    assert sizes[-1] == pytest.approx(0.2, abs=0.03)
    assert sizes.drop(-1).between(0.24, 0.30).all()
    if task is Task.CLASSIFICATION:
        assert (pd.Series(y, index=table.index).eq("rare").groupby(splits["fold"]).mean() > 0.03).all()
    else:
        assert table["y"].groupby(splits["fold"]).mean().between(80, 120).all()


def test_one_group_larger_than_the_test_side_trains_and_leaves_room_for_others() -> None:
    who = ["hospital"] * 700 + [f"practice {i}" for i in range(300)]
    splits = split(_spec(group="who"), _table(who, ["2024-01-01"] * 1000, [float(i % 7) for i in range(1000)]), seed=0)
    assert splits["part"].iloc[0] == "train"
    assert 60 < (splits["part"] == "test").sum() < 200
    assert splits["fold"].value_counts().drop([-1, splits["fold"].iloc[0]]).gt(60).all()


def test_groups_of_numbers_and_dates_are_kept_together_too() -> None:
    y = [float(i) for i in range(90)]
    for dtype, who in (
        ("integer", [i // 3 for i in range(90)]),
        ("date", [np.datetime64(i // 3, "D") for i in range(90)]),
    ):
        table = _table(who, ["2024-01-01"] * 90, y)
        table["who"] = np.array(who, dtype="datetime64[us]") if dtype == "date" else np.array(who)
        folds = split(_spec(group_dtype=dtype, group="who"), table, seed=0)["fold"].groupby(table["who"]).nunique()
        assert (folds == 1).all()


def test_the_latest_rows_are_the_test_rows_and_folds_are_blocks_of_time() -> None:
    days = np.datetime64("1969-06-01") + np.arange(1000) % 400
    splits = split(_spec(time="when"), _table(["a"] * 1000, list(days), [1.0] * 1000), seed=0)
    assert (splits["part"] == "test").mean() == pytest.approx(0.2, abs=0.005)
    by_day = splits["fold"].groupby(days).first()
    assert by_day.tolist() == sorted(by_day.drop(by_day.index[by_day == -1])) + [-1] * int((by_day == -1).sum())
    assert splits.loc[splits["fold"] >= 0, "fold"].value_counts(normalize=True).between(0.32, 0.35).all()


def test_rows_added_later_move_no_earlier_row_from_the_training_side() -> None:
    days = list(np.datetime64("2020-01-01") + np.arange(300))
    spec, y = _spec(time="when"), [1.0] * 300
    before = split(spec, _table(["a"] * 200, days[:200], y[:200]), seed=0)["part"]
    after = split(spec, _table(["a"] * 300, days, y), seed=0)["part"].loc[before.index]
    assert (after[before == "train"] == "train").all()


def test_groups_that_all_reach_the_last_day_can_be_split_by_time_and_group() -> None:
    who = [f"shop {i % 30}" for i in range(900)]
    days = [np.datetime64("2020-01-01") + i // 30 for i in range(900)]
    splits = split(_spec(group="who", time="when"), _table(who, days, [1.0] * 900), seed=0)
    assert (splits["part"] == "test").mean() == pytest.approx(0.2, abs=0.04)
    assert (splits["fold"].groupby(who).nunique() == 1).all()


def test_a_class_that_only_the_latest_rows_have_trains_and_the_rest_of_them_is_tested() -> None:
    days = list(np.datetime64("2020-01-01") + np.arange(100))
    y = ["a", "b"] * 45 + ["a", "new"] * 5
    splits = split(_spec(Task.CLASSIFICATION, time="when"), _table(["a"] * 100, days, y), seed=0)
    assert splits["part"][np.array(y) == "new"].eq("train").all()
    assert splits["part"].iloc[[90, 92, 94, 96, 98]].eq("test").all()


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"group": "who"}, r"toy: 40 rows, in 3 groups of 'who', are too few for a test side and 3 folds: add rows"),
        ({"time": "when"}, r"toy: 40 rows, at 2 different times of 'when', are too few .* or lower `folds`"),
        ({"group": "who", "time": "when"}, r"toy: 40 rows, at 3 groups of 'who' with a time, are too few"),
    ],
)
def test_too_few_groups_or_times_are_refused_with_a_remedy(more: dict[str, str], complaint: str) -> None:
    table = _table(list("abca") * 10, ["2024-01-01", "2024-01-02"] * 20, [float(i) for i in range(40)])
    with pytest.raises(ContractViolation, match=complaint):
        split(_spec(**more), table, seed=0)


def test_classes_that_lie_apart_in_time_are_refused_with_the_reason() -> None:
    days = list(np.datetime64("2020-01-01") + np.arange(100))
    y = ["a"] * 54 + ["b"] * 46
    with pytest.raises(ContractViolation, match=r"outside fold 2 are of class 'a'.*leave `time: when` out"):
        split(_spec(Task.CLASSIFICATION, time="when"), _table(["a"] * 100, days, y), seed=0)
