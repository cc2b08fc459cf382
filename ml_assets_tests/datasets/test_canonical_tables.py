"""The four canonical tables: published statistics, types, row ids, hashes, and what makes them out of date."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.datasets.raw import raw_schema, row_ids
from ml_assets.datasets.reading.rows import read_rows
from ml_assets.datasets.sources import fetch_sources
from ml_assets.datasets.spec import SourceFile
from ml_assets.datasets.tables import (
    assemble,
    load_raw_table,
    source_fingerprint,
    table_hash,
    with_row_ids,
)
from ml_assets.errors import ContractViolation, SourceError

DATASETS = ("boston_housing", "california_housing", "iris", "wine_quality")
NOWHERE = Path("/nonexistent")


def raw_table(name: str, **batches: pl.DataFrame) -> pl.DataFrame:
    return load_raw_table(load_contract(name), mode="embedded", cache=NOWHERE, batches=batches)


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
    assert table.height == rows
    assert table[column].mean() == pytest.approx(mean, rel=5e-7)


def test_california_ratios_give_the_published_rooms_per_household() -> None:
    table = raw_table("california_housing")
    assert (table["total_rooms"] / table["households"]).mean() == pytest.approx(5.429000, abs=1e-6)
    assert (table["median_house_value"] == 500001).sum() == 965


def test_wine_means_duplicates_and_colours_are_the_published_ones() -> None:
    table = raw_table("wine_quality")
    means = dict(table.group_by("colour").agg(pl.col("quality").mean()).iter_rows())
    assert means["red"] == pytest.approx(5.636023, abs=1e-6)
    assert means["white"] == pytest.approx(5.877909, abs=1e-6)
    assert table.height - table.drop("batch").n_unique() == 1177
    assert sorted(table.select("colour", "batch").unique().iter_rows()) == [
        ("red", "winequality-red.csv"),
        ("white", "winequality-white.csv"),
    ]


def test_iris_has_fifty_flowers_of_each_species_and_no_blank_row() -> None:
    assert dict(raw_table("iris")["species"].value_counts().iter_rows()) == {
        "Iris-setosa": 50,
        "Iris-versicolor": 50,
        "Iris-virginica": 50,
    }


@pytest.mark.parametrize("name", DATASETS)
def test_columns_have_the_types_of_the_contract_and_unique_row_ids(name: str) -> None:
    table = raw_table(name)
    assert dict(table.schema) == raw_schema(load_contract(name))
    assert not any(table.select(pl.all().null_count()).row(0))
    assert len(np.unique(row_ids(table))) == table.height


def test_a_sensitive_column_stays_in_the_table_and_is_no_feature() -> None:
    spec = load_contract("boston_housing")
    assert spec.columns["b"].sensitive
    assert "b" not in spec.feature_columns
    assert "b" in clean(spec, raw_table("boston_housing")).table


def test_row_ids_stay_when_rows_are_shuffled_or_appended() -> None:
    table = raw_table("wine_quality")
    before = row_ids(table)
    assert set(row_ids(table.sample(fraction=1.0, shuffle=True, seed=3))) == set(before)
    appended = row_ids(raw_table("wine_quality", more=table.head(40)))
    assert list(appended[: len(before)]) == list(before)
    assert len(np.unique(appended)) == len(before) + 40


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
    expected = [full, splitmix64(full ^ splitmix64(1)), empty]
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    assert list(with_row_ids(frame).index) == [f"{id:016x}" for id in expected]
    assert list(row_ids(pl.DataFrame({"b": ["x", "x", None], "a": [1.5, 1.5, None]}))) == expected


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
    spec = load_contract("wine_quality")
    table = clean(spec, raw_table("wine_quality")).table
    table.to_parquet(tmp_path / "table.parquet")
    assert table_hash(pd.read_parquet(tmp_path / "table.parquet")) == table_hash(table)


def test_batches_are_appended_in_their_order() -> None:
    table = raw_table("wine_quality")
    after = raw_table("wine_quality", second=table.head(3), first=table.head(2))
    assert after["batch"].tail(5).to_list() == ["second"] * 3 + ["first"] * 2
    assert after.head(table.height).equals(table)
    assert after.drop("batch").tail(2).equals(table.drop("batch").head(2))


def test_a_batch_with_the_name_of_a_source_is_refused() -> None:
    with pytest.raises(SourceError, match=r"winequality-red\.csv: give it another name"):
        raw_table("wine_quality", **{"winequality-red.csv": raw_table("wine_quality").head(1)})


def test_assembling_a_part_without_a_column_names_it() -> None:
    rows = raw_table("iris").drop("petal_width", "batch")
    with pytest.raises(ContractViolation, match=r"iris: x: column 'petal_width' is missing"):
        assemble(load_contract("iris"), {"x": rows})


def test_the_fingerprint_follows_mode_contract_and_batches() -> None:
    spec = load_contract("iris")
    seen = [
        source_fingerprint(spec, [], "embedded"),
        source_fingerprint(spec, [], "download"),
        source_fingerprint(spec, ["a"], "embedded"),
        source_fingerprint(spec, ["a", "b"], "embedded"),
        source_fingerprint(spec, ["b", "a"], "embedded"),
        source_fingerprint(spec.model_copy(update={"folds": 7}), [], "embedded"),
    ]
    assert len(set(seen)) == 6
    assert source_fingerprint(spec, iter([]), "embedded") == seen[0]


def test_the_fingerprint_follows_the_bytes_of_a_file_below_the_home(tmp_path: Path) -> None:
    own = SourceFile(name="own.csv", path="tables/own.csv", header=True)
    spec = load_contract("iris").model_copy(update={"sources": (own,)})
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "own.csv").write_text("a\n1\n")
    before = source_fingerprint(spec, [], "embedded", home=tmp_path)
    assert source_fingerprint(spec, [], "embedded", home=tmp_path) == before
    (tmp_path / "tables" / "own.csv").write_text("a\n2\n")
    assert source_fingerprint(spec, [], "embedded", home=tmp_path) != before
    with pytest.raises(SourceError, match="give an absolute path"):
        source_fingerprint(spec, [], "embedded")


def test_a_canonical_file_with_a_short_line_names_the_row() -> None:
    spec = load_contract("iris")
    content = fetch_sources(spec, mode="embedded", cache=NOWHERE)["iris.data"]
    read = read_rows(spec, spec.sources[0], content.rstrip() + b"\n5.1,3.5\n", require=tuple(spec.columns))
    assert [(fault.row, fault.rule) for fault in read.faults] == [(151, "cells")]
    assert read.lines == ((151, "5.1,3.5"),)
    assert "2 cells where 5 are needed" in read.faults[0].message
