"""The four canonical tables: published statistics, types, row ids, hashes. Bad files are tested next door."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.sources import fetch_sources
from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import (
    assemble,
    load_raw_table,
    read_source,
    source_fingerprint,
    table_hash,
    with_row_ids,
)
from ml_assets.errors import ContractViolation, SourceError

DATASETS = ("boston_housing", "california_housing", "iris", "wine_quality")


def raw_table(name: str, incoming: Path = Path("/nonexistent")) -> pd.DataFrame:
    return load_raw_table(load_contract(name), mode="embedded", cache=Path("/nonexistent"), incoming=incoming)


def drop_batch(incoming: Path, spec: DatasetSpec, rows: pd.DataFrame, name: str = "2026-11-23.csv") -> Path:
    path = incoming / spec.name / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows[list(spec.columns)].to_csv(path, index=False)
    return path


def test_every_dataset_has_a_contract() -> None:
    assert tuple(load_contracts()) == DATASETS


@pytest.mark.parametrize(
    ("name", "rows", "column", "mean"),
    [
        ("california_housing", 20640, "median_income", 3.870671),
        ("california_housing", 20640, "housing_median_age", 28.639486),
        ("california_housing", 20640, "median_house_value", 206855.8),
        ("boston_housing", 506, "medv", 22.532806),
        ("iris", 150, "sepal_length", 5.843333),
    ],
)
def test_means_are_the_published_ones(name: str, rows: int, column: str, mean: float) -> None:
    table = raw_table(name)
    assert len(table) == rows
    assert table[column].mean() == pytest.approx(mean, rel=5e-7)


def test_california_ratios_give_the_published_rooms_per_household() -> None:
    table = raw_table("california_housing")
    assert (table["total_rooms"] / table["households"]).mean() == pytest.approx(5.429000, abs=1e-6)
    assert (table["median_house_value"] == 500001).sum() == 965


def test_wine_means_duplicates_and_colours_are_the_published_ones() -> None:
    table = raw_table("wine_quality")
    means = table.groupby("colour")["quality"].mean()
    assert means["red"] == pytest.approx(5.636023, abs=1e-6)
    assert means["white"] == pytest.approx(5.877909, abs=1e-6)
    assert table.drop(columns="batch").duplicated().sum() == 1177
    assert table.groupby("colour")["batch"].unique().map(list).to_dict() == {
        "red": ["winequality-red.csv"],
        "white": ["winequality-white.csv"],
    }


def test_iris_has_fifty_flowers_of_each_species_and_no_blank_row() -> None:
    assert raw_table("iris")["species"].value_counts().to_dict() == {
        "Iris-setosa": 50,
        "Iris-versicolor": 50,
        "Iris-virginica": 50,
    }


@pytest.mark.parametrize("name", DATASETS)
def test_columns_have_the_dtypes_of_the_contract_and_unique_row_ids(name: str) -> None:
    table, spec = raw_table(name), load_contract(name)
    kinds = {"float": np.dtype("float64"), "integer": np.dtype("int64"), "category": np.dtype(object)}
    assert list(table.columns) == [*spec.columns, "batch"]
    assert {n: table[n].dtype for n in spec.columns} == {n: kinds[c.dtype] for n, c in spec.columns.items()}
    assert table.index.name == "row_id"
    assert table.index.is_unique
    assert table.index.str.fullmatch("[0-9a-f]{16}").all()


def test_a_sensitive_column_stays_in_the_table_and_is_no_feature() -> None:
    spec = load_contract("boston_housing")
    assert spec.columns["b"].sensitive
    assert "b" not in spec.feature_columns
    assert "b" in clean(spec, raw_table("boston_housing")).table


def test_row_ids_stay_when_rows_are_shuffled_or_appended() -> None:
    rows = raw_table("wine_quality").reset_index(drop=True)
    before = with_row_ids(rows)
    shuffled = with_row_ids(rows.sample(frac=1.0, random_state=3))
    appended = with_row_ids(pd.concat([rows, rows.head(40)], ignore_index=True))
    assert set(shuffled.index) == set(before.index)
    pd.testing.assert_frame_equal(
        shuffled.drop(columns="batch").sort_index(), before.drop(columns="batch").sort_index()
    )
    assert list(appended.index[: len(rows)]) == list(before.index)
    assert appended.index.is_unique


def splitmix64(word: int) -> int:
    """The published generator's output function, in plain integers."""
    z = (word + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


def test_row_ids_follow_the_written_definition_whatever_the_versions_of_the_libraries() -> None:
    frame = pd.DataFrame({"b": ["x", "x", None], "a": [1.5, 1.5, np.nan]})
    number = struct.unpack("<Q", struct.pack("<d", 1.5))[0]
    label = int.from_bytes(hashlib.blake2b(b"x", digest_size=8).digest(), "little")
    missing = 0x9E3779B97F4A7C15
    full = splitmix64(splitmix64(number) ^ label)
    empty = splitmix64(splitmix64(missing) ^ missing)
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    assert list(with_row_ids(frame).index) == [
        f"{full:016x}",
        f"{splitmix64(full ^ splitmix64(1)):016x}",
        f"{empty:016x}",
    ]


def test_row_ids_depend_on_values_and_not_on_how_they_are_stored() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    other = pd.DataFrame({"b": pd.array(["x", None], dtype="string"), "a": [1.0, 2.0], "batch": "z.csv"})
    assert list(with_row_ids(frame).index) == list(with_row_ids(other).index)


def test_table_hash_is_the_same_in_another_process() -> None:
    code = (
        "import pandas as pd; from ml_assets.datasets.tables import table_hash;"
        "print(table_hash(pd.DataFrame({'a': [1.5, None], 'b': ['x', None], 'c': [1, 2]})), end='')"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert there == table_hash(pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None], "c": [1, 2]}))


@pytest.mark.parametrize(
    "other",
    [
        pd.DataFrame({"a": [1.0, 3.0], "b": ["x", "y"]}),
        pd.DataFrame({"a": [2.0, 1.0], "b": ["x", "y"]}),
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        pd.DataFrame({"a": [1.0, 2.0], "c": ["x", "y"]}),
        pd.DataFrame({"b": ["x", "y"], "a": [1.0, 2.0]}),
        pd.DataFrame({"a": [1.0, 2.0], "b": ["xy", ""]}),
        pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]}),
        pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}, index=[1, 2]),
    ],
)
def test_table_hash_changes_with_values_order_dtype_names_and_index(other: pd.DataFrame) -> None:
    assert table_hash(other) != table_hash(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}))


def test_table_hash_survives_parquet(tmp_path: Path) -> None:
    table = raw_table("wine_quality")
    table.to_parquet(tmp_path / "table.parquet")
    assert table_hash(pd.read_parquet(tmp_path / "table.parquet")) == table_hash(table)


def test_incoming_batches_are_appended_by_name_and_hidden_ones_left_out(tmp_path: Path) -> None:
    spec, before = load_contract("wine_quality"), raw_table("wine_quality")
    drop_batch(tmp_path, spec, before.head(3).assign(alcohol=19.0), "b.csv")
    drop_batch(tmp_path, spec, before.head(2), "a.csv")
    for name in (".a.csv", "~c.csv", "d.csv.tmp", "notes.txt"):
        drop_batch(tmp_path, spec, before.head(1), name)
    after = raw_table("wine_quality", tmp_path)
    assert list(after["batch"].iloc[-5:]) == ["a.csv"] * 2 + ["b.csv"] * 3
    assert list(after.index[: len(before)]) == list(before.index)
    assert after.index.is_unique
    assert after["quality"].dtype == np.int64


def test_a_batch_may_use_the_names_of_the_source_file_in_any_order(tmp_path: Path) -> None:
    spec, table = load_contract("wine_quality"), raw_table("wine_quality")
    path = tmp_path / spec.name / "x.csv"
    path.parent.mkdir()
    names = {n: c.source_name or n for n, c in spec.columns.items()}
    table.head(2)[list(spec.columns)[::-1]].rename(columns=names).to_csv(path, index=False)
    after = raw_table("wine_quality", tmp_path)
    pd.testing.assert_frame_equal(
        after.tail(2)[list(spec.columns)].reset_index(drop=True),
        table.head(2)[list(spec.columns)].reset_index(drop=True),
    )


def test_a_batch_with_the_name_of_a_canonical_file_is_refused(tmp_path: Path) -> None:
    spec = load_contract("wine_quality")
    drop_batch(tmp_path, spec, raw_table("wine_quality").head(1), "winequality-red.csv")
    with pytest.raises(SourceError, match="give it another name"):
        raw_table("wine_quality", tmp_path)


def test_the_fingerprint_follows_incoming_bytes_names_and_mode(tmp_path: Path) -> None:
    spec, table = load_contract("iris"), raw_table("iris")
    seen = [source_fingerprint(spec, tmp_path, "embedded"), source_fingerprint(spec, tmp_path, "download")]
    path = drop_batch(tmp_path, spec, table.head(3))
    seen.append(source_fingerprint(spec, tmp_path, "embedded"))
    drop_batch(tmp_path, spec, table.head(4))
    seen.append(source_fingerprint(spec, tmp_path, "embedded"))
    path.rename(path.with_name("other.csv"))
    seen.append(source_fingerprint(spec, tmp_path, "embedded"))
    assert len(set(seen)) == 5
    (path.parent / "other.csv").unlink()
    assert source_fingerprint(spec, tmp_path, "embedded") == seen[0]


def test_cleaning_counts_every_dropped_row_with_its_reason() -> None:
    spec, raw = load_contract("boston_housing"), raw_table("boston_housing")
    raw.iloc[2, raw.columns.get_loc("medv")] = np.nan
    raw.iloc[5, raw.columns.get_loc("medv")] = np.inf
    result = clean(spec, pd.concat([raw, raw.iloc[[9]]]))
    assert list(result.table.columns) == list(spec.columns)
    assert result.counts == {
        "rows_in": 507,
        "rows_out": 504,
        "target 'medv' is missing": 1,
        "target 'medv' is infinite": 1,
        "row id came before": 1,
    }
    assert list(result.dropped["row_id"]) == [raw.index[2], raw.index[5], raw.index[9]]
    assert len(result.table) + len(result.dropped) == 507


def test_cleaning_keeps_duplicates_and_the_types() -> None:
    spec, raw = load_contract("wine_quality"), raw_table("wine_quality")
    result = clean(spec, raw)
    assert len(result.table) == 6497
    assert result.dropped.empty
    assert result.table["quality"].dtype == np.int64


def test_assembling_a_part_without_a_column_names_it() -> None:
    spec = load_contract("iris")
    rows = raw_table("iris").drop(columns="petal_width")
    with pytest.raises(ContractViolation, match=r"iris: x\.csv: column 'petal_width' is missing"):
        assemble(spec, {"x.csv": rows})


def test_a_canonical_file_with_a_short_line_names_the_line() -> None:
    spec = load_contract("iris")
    content = fetch_sources(spec, mode="embedded", cache=Path("/nonexistent"))["iris.data"]
    with pytest.raises(SourceError, match=r"iris\.data, line 151: 2 cells where 5 are needed"):
        read_source(spec, spec.sources[0], content.rstrip() + b"\n5.1,3.5\n")
