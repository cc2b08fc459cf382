"""The clean table: which rows are in it, which values were put right, and that everything is counted."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_iris

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.raw import row_ids, to_pandas
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import assemble
from ml_assets.errors import ContractError, ContractViolation
from ml_assets.learning.splitting import split
from ml_assets_tests.canonical import canonical


def changed(spec: DatasetSpec, **changes: object) -> DatasetSpec:
    return DatasetSpec.model_validate({**spec.model_dump(), **changes})


def correction(**changes: object) -> dict[str, object]:
    return {
        "source": "iris.data",
        "row": 35,
        "column": "petal_width",
        "was": 0.1,
        "becomes": 0.2,
        "reason": "a test",
        **changes,
    }


def test_the_clean_iris_table_is_fishers() -> None:
    spec, raw = canonical("iris")
    table = clean(spec, raw).table
    published = load_iris()
    np.testing.assert_array_equal(table[list(spec.feature_columns)].to_numpy(), published.data)
    assert list(table["species"]) == [f"Iris-{published.target_names[i]}" for i in published.target]


def test_corrections_are_counted_and_listed_with_their_reason_while_the_raw_table_stays_as_published() -> None:
    spec, raw = canonical("iris")
    before = raw.clone()
    result = clean(spec, raw)
    assert result.counts == {"rows_in": 150, "rows_out": 150, "values corrected": 3}
    assert raw.equals(before)
    assert raw.row(34)[:4] == (4.9, 3.1, 1.5, 0.1)
    listed = result.corrections
    assert list(zip(listed["row"], listed["column"], listed["was"], listed["becomes"], strict=True)) == [
        (35, "petal_width", 0.1, 0.2),
        (38, "sepal_width", 3.1, 3.6),
        (38, "petal_length", 1.5, 1.4),
    ]
    assert listed["reason"].str.contains("Fisher").all()
    assert list(result.table.loc[listed["row_id"].iloc[0]])[:4] == [4.9, 3.1, 1.5, 0.2]


def test_a_corrected_row_keeps_the_id_it_has_in_the_raw_table() -> None:
    spec, raw = canonical("iris")
    assert list(clean(spec, raw).table.index) == list(to_pandas(spec, raw).index)


def test_rows_of_corrections_count_within_their_source() -> None:
    spec, raw = canonical("iris")
    batch = raw.head(40).with_columns(pl.lit("new.csv").alias("batch"))
    moved = changed(spec, corrections=[correction(), correction(source="new.csv", row=35, becomes=0.9)])
    table = clean(moved, pl.concat([batch, raw])).table
    assert table["petal_width"].iloc[34] == 0.9
    assert table["petal_width"].iloc[74] == 0.2


def test_a_correction_of_a_value_that_is_not_there_names_source_row_column_found_and_expected() -> None:
    spec, raw = canonical("iris")
    wrong = changed(spec, corrections=[correction(was=0.3)])
    with pytest.raises(
        ContractViolation,
        match=r"correction of iris\.data, row 35, column 'petal_width': found 0\.1 where the contract expects 0\.3",
    ):
        clean(wrong, raw)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"row": 151}, r"row 151, column 'petal_width': the raw table has only 150 rows of that source"),
        ({"source": "irs.data"}, r"irs\.data, row 35, .* the raw table has no rows of that source"),
    ],
)
def test_a_correction_of_a_row_that_is_not_there_is_a_violation(change: dict[str, object], said: str) -> None:
    spec, raw = canonical("iris")
    with pytest.raises(ContractViolation, match=said):
        clean(changed(spec, corrections=[correction(**change)]), raw)


def test_a_correction_that_does_not_suit_its_column_is_a_mistake_in_the_contract() -> None:
    spec, raw = canonical("iris")
    with pytest.raises(ContractError, match="'wide' is no float"):
        clean(changed(spec, corrections=[correction(becomes="wide")]), raw)


def test_with_a_key_a_correction_of_a_row_that_a_later_batch_replaced_is_overtaken() -> None:
    spec = keyed(
        [{**correction(source="a.csv", column="x"), "row": row, "was": row, "becomes": -row} for row in (2, 3)]
    )
    late = pl.DataFrame({"id": [2, 9], "x": [22.0, 9.0], "y": [0.0, 0.0]})
    result = clean(spec, assemble(spec, {"a.csv": numbered()}, {"late.csv": late}))
    assert list(result.table["x"]) == [1.0, 22.0, -3.0, 4.0, 9.0]
    assert list(result.corrections["row"]) == [3]
    assert result.counts["values corrected"] == result.counts["corrections overtaken by a later batch"] == 1


def keyed(corrections: list[dict[str, object]]) -> DatasetSpec:
    return DatasetSpec.model_validate(
        {
            "name": "keyed",
            "title": "Keyed",
            "task": "regression",
            "target": "y",
            "key": ["id"],
            "sources": [{"name": "a.csv", "path": "a.csv"}],
            "columns": {"id": {"dtype": "integer"}, "x": {"dtype": "float"}, "y": {"dtype": "float"}},
            "corrections": corrections,
        }
    )


def numbered() -> pl.DataFrame:
    return pl.DataFrame({"id": [1, 2, 3, 4], "x": [1.0, 2.0, 3.0, 4.0], "y": [0.0] * 4})


ANY_TYPE = DatasetSpec.model_validate(
    {
        "name": "anything",
        "title": "Anything",
        "task": "regression",
        "target": "y",
        "sources": [{"name": "a.csv", "path": "a.csv"}],
        "columns": {
            "count": {"dtype": "integer", "missing_share": 1},
            "new": {"dtype": "boolean", "missing_share": 1},
            "kind": {"dtype": "category", "missing_share": 1},
            "day": {"dtype": "date", "missing_share": 1},
            "note": {"dtype": "text", "missing_share": 1},
            "y": {"dtype": "float"},
        },
    }
)


def anything() -> pl.DataFrame:
    day = dt.datetime(2026, 1, 31)
    return pl.DataFrame(
        {
            "count": [1, 2],
            "new": [True, False],
            "kind": ["7", None],
            "day": [day, day],
            "note": ["good", "bad"],
            "y": [1.0, 2.0],
            "batch": ["a.csv", "a.csv"],
        },
        schema_overrides={"day": pl.Datetime("us")},
    )


@pytest.mark.parametrize(
    ("column", "was", "becomes", "clean_value"),
    [
        ("count", 1, 5, 5.0),
        ("count", 1, "", None),
        ("new", "true", "false", 0.0),
        ("kind", 7, "8", "8"),
        ("day", "2026-01-31", "2026-02-01 12:00", pd.Timestamp("2026-02-01 12:00")),
        ("note", "good", "very good", "very good"),
    ],
)
def test_values_of_every_type_are_corrected(column: str, was: object, becomes: object, clean_value: object) -> None:
    made = {"source": "a.csv", "row": 1, "column": column, "was": was, "becomes": becomes, "reason": "a test"}
    table = clean(changed(ANY_TYPE, corrections=[made]), anything()).table
    found = table[column].iloc[0]
    assert pd.isna(found) if clean_value is None else found == clean_value


def test_a_missing_value_is_corrected_too() -> None:
    made = {"source": "a.csv", "row": 2, "column": "kind", "was": "", "becomes": "9", "reason": "a test"}
    assert list(clean(changed(ANY_TYPE, corrections=[made]), anything()).table["kind"]) == ["7", "9"]


def test_values_at_a_cap_are_counted() -> None:
    spec, raw = canonical("california_housing")
    counts = clean(spec, raw).counts
    assert counts["'median_house_value' at its cap of 500001"] == 965
    assert counts["'housing_median_age' at its cap of 52"] == 1273
    assert counts["'median_income' at its cap of 15.0001"] == 49


def test_wine_keeps_its_1177_copies_with_ids_of_their_own_and_on_one_side_of_the_split() -> None:
    spec, raw = canonical("wine_quality")
    result = clean(spec, raw)
    assert result.counts == {"rows_in": 6497, "rows_out": 6497}
    assert result.dropped.empty
    assert result.table.index.is_unique
    assert result.table.duplicated().sum() == 1177
    folds = split(spec, result.table, seed=0)["fold"]
    features = pd.util.hash_pandas_object(result.table[list(spec.feature_columns)], index=False).to_numpy()
    assert folds.groupby(features).nunique().max() == 1


def test_copies_are_dropped_where_the_contract_says_so_and_each_is_named() -> None:
    spec, raw = canonical("wine_quality")
    result = clean(changed(spec, duplicates="drop"), raw)
    assert result.counts == {"rows_in": 6497, "rows_out": 5320, "exact copy of an earlier row": 1177}
    assert not result.table.duplicated().any()
    assert len(result.dropped) == 1177
    assert set(result.dropped["row_id"]).isdisjoint(result.table.index)
    assert {*result.dropped["row_id"], *result.table.index} == set(to_pandas(spec, raw).index)


def test_copies_are_found_among_corrected_rows() -> None:
    """Rows 10, 35 and 38 of the file are equal; put right they are not."""
    spec, raw = canonical("iris")
    result = clean(changed(spec, duplicates="drop"), raw)
    assert result.counts["exact copy of an earlier row"] == 1
    assert clean(changed(spec, duplicates="drop", corrections=[]), raw).counts["exact copy of an earlier row"] == 3


def test_rows_without_a_finite_target_are_dropped_and_counted_with_their_reason() -> None:
    spec, raw = canonical("boston_housing")
    medv = raw["medv"].clone().scatter([2, 5], [None, np.inf])
    result = clean(spec, raw.with_columns(medv))
    assert result.counts == {
        "rows_in": 506,
        "rows_out": 504,
        "target 'medv' is missing": 1,
        "target 'medv' is infinite": 1,
        "'medv' at its cap of 50": 16,
    }
    ids = to_pandas(spec, raw.with_columns(medv)).index
    assert list(result.dropped["row_id"]) == [ids[2], ids[5]]
    assert list(result.table.index) == [i for at, i in enumerate(ids) if at not in {2, 5}]


def test_rows_that_await_their_label_are_dropped_with_that_reason_where_a_key_brings_it_later() -> None:
    spec, raw = canonical("wine_quality")
    unique = raw.unique(subset=list(spec.feature_columns), keep="first", maintain_order=True)
    waiting = unique.with_columns(unique["quality"].clone().scatter([0, 7, 9], [None, None, None]))
    result = clean(changed(spec, key=list(spec.feature_columns)), waiting)
    assert result.counts["target 'quality' is still awaited"] == 3
    assert result.table["quality"].dtype == np.int64


def test_the_clean_table_has_the_types_of_the_contract_whatever_was_dropped() -> None:
    spec, raw = canonical("wine_quality")
    gap = raw.with_columns(raw["quality"].clone().scatter([0], [None]))
    table = clean(spec, gap).table
    assert table["quality"].dtype == np.int64
    assert list(table.columns) == list(spec.columns)
    assert table.index.name == "row_id"


def test_sensitive_columns_stay_in_the_table_and_are_no_feature() -> None:
    spec, raw = canonical("boston_housing")
    assert "b" in clean(spec, raw).table
    assert "b" not in spec.feature_columns


def test_an_id_is_given_once_even_to_rows_that_hash_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, raw = canonical("iris")

    def colliding(frame: pl.DataFrame) -> np.ndarray:
        return np.minimum(row_ids(frame), np.uint64(1))

    monkeypatch.setattr("ml_assets.datasets.cleaning.row_ids", colliding)
    result = clean(changed(spec, corrections=[]), raw)
    assert result.counts["row id came before"] == 149
    assert len(result.table) == 1


def test_a_column_that_is_missing_is_a_violation() -> None:
    spec, raw = canonical("iris")
    with pytest.raises(ContractViolation, match="column 'petal_width' is missing"):
        clean(spec, raw.drop("petal_width"))
