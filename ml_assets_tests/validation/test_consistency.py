"""Rows against each other: keys, copies, and equal features with different targets."""

from __future__ import annotations

import numpy as np
import polars as pl

from ml_assets.datasets.spec import DatasetSpec, Tolerances
from ml_assets.validation.contract_checks import check_table
from ml_assets.validation.outcomes import CheckOutcome
from ml_assets_tests.canonical import canonical


def outcome(spec: DatasetSpec, raw: pl.DataFrame, name: str) -> CheckOutcome:
    return next(found for found in check_table(spec, raw) if found.name == name)


def cell(raw: pl.DataFrame, column: str, at: int, value: object) -> pl.DataFrame:
    here = pl.int_range(pl.len()) == at
    return raw.with_columns(pl.when(here).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


def test_a_table_twice_is_refused_for_its_duplicates() -> None:
    spec, raw = canonical("iris")
    twice = pl.concat([raw, raw.with_columns(batch=pl.lit("again.csv"))])
    found = outcome(spec, twice, "duplicates")
    assert not found.passed
    assert "153 of 300 rows (51.0%) are exact copies" in found.summary
    assert found.figures["duplicates"] == 153
    assert [(row.batch, row.row) for row in found.failing_rows[3:5]] == [("again.csv", 1), ("again.csv", 2)]


def test_rows_with_equal_features_and_another_target_are_no_copies() -> None:
    spec, raw = canonical("boston_housing")
    more = pl.concat([raw, raw.with_columns(pl.col("medv") - 0.5)])
    assert outcome(spec, more, "duplicates").figures["duplicates"] == 0


def test_columns_that_name_two_rows_are_refused_whether_key_or_unique() -> None:
    spec, raw = canonical("boston_housing")
    for naming in ({"unique": (("crim", "lstat"),)}, {"key": ("crim", "lstat")}):
        keyed = spec.model_copy(update=naming)
        assert outcome(keyed, raw, "uniqueness").passed
        same = cell(cell(raw, "crim", 20, raw["crim"][10]), "lstat", 20, raw["lstat"][10])
        found = outcome(keyed, same, "uniqueness")
        assert found.summary == "1 row repeats the crim, lstat of an earlier row (row 21 of batch housing.data)"
        assert found.failing_rows[0].value == f"{raw['crim'][10]}, {raw['lstat'][10]}"
        assert found.figures["rows_repeated"] == 1


def test_a_missing_part_of_the_key_is_refused_and_names_no_row() -> None:
    spec, raw = canonical("boston_housing")
    spec = spec.model_copy(update={"key": ("crim", "lstat")})
    gaps = cell(cell(raw, "crim", 20, None), "crim", 30, None)
    gaps = cell(cell(gaps, "lstat", 20, 7.0), "lstat", 30, 7.0)
    found = outcome(spec, gaps, "uniqueness")
    assert found.summary == (
        "column 'crim' has 2 values missing, and it is part of the key (rows 21, 31 of batch housing.data)"
    )
    assert found.figures == {"keys": 1, "key_parts_missing": 2, "rows_repeated": 0}


def test_equal_features_with_different_classes_are_label_noise() -> None:
    spec, raw = canonical("iris")
    turned = raw.head(6).with_columns(species=pl.lit("Iris-virginica"), batch=pl.lit("late.csv"))
    found = outcome(spec, pl.concat([raw, turned]), "label_noise")
    assert not found.passed
    assert not found.blocking
    rows, groups = found.figures["rows"], found.figures["groups"]
    assert groups == 6
    assert f"{rows} of 156 rows" in found.summary
    late = [(row.batch, row.row, row.value) for row in found.failing_rows if row.batch == "late.csv"]
    assert late == [("late.csv", at, "Iris-virginica") for at in range(1, 7)]
    tolerant = spec.model_copy(update={"tolerances": Tolerances(label_noise=0.1)})
    assert outcome(tolerant, pl.concat([raw, turned]), "label_noise").passed


def test_equal_features_with_different_numbers_are_label_noise() -> None:
    spec, raw = canonical("boston_housing")
    noisy = pl.concat([raw, raw.head(20).with_columns(pl.col("medv") + 1)])
    found = outcome(spec, noisy, "label_noise")
    assert found.figures["rows"] == 40
    assert abs(float(found.figures["share"]) - 40 / 526) < 1e-12
    assert not found.passed


def test_rows_that_await_their_label_are_no_noise() -> None:
    spec, raw = canonical("boston_housing")
    waiting = raw.head(100).with_columns(medv=pl.lit(None, dtype=pl.Float64))
    found = outcome(spec, pl.concat([raw, waiting]), "label_noise")
    assert found.passed
    assert found.figures["rows"] == 0


def test_columns_that_are_no_features_do_not_tell_rows_apart_for_noise() -> None:
    spec, raw = canonical("boston_housing")
    other = raw.head(50).with_columns(pl.col("medv") + 1, b=pl.lit(1.0))
    assert outcome(spec, pl.concat([raw, other]), "label_noise").figures["groups"] == 50


def test_a_million_rows_are_told_apart_within_seconds() -> None:
    import time

    spec, raw = canonical("boston_housing")
    draw = np.random.default_rng(0).integers(0, raw.height, 1_000_000)
    many = raw[draw].with_columns(crim=pl.Series(np.random.default_rng(1).uniform(0, 100, 1_000_000)))
    spec = spec.model_copy(update={"unique": (("crim",),)})
    started = time.perf_counter()
    assert all(found.passed for found in check_table(spec, many))
    assert time.perf_counter() - started < 6.0
