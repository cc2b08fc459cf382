"""A table against the last version: real shifts are found with their size, and chance is not taken for one."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml_assets.datasets.spec import Column, DatasetSpec, Tolerances
from ml_assets.validation.contract_checks import check_table
from ml_assets.validation.history import NOTHING
from ml_assets.validation.outcomes import CheckOutcome
from ml_assets_tests.canonical import canonical


def compared(spec: DatasetSpec, raw: pl.DataFrame, previous: pl.DataFrame | None, name: str) -> CheckOutcome:
    return next(found for found in check_table(spec, raw, previous=previous) if found.name == name)


def drawn(raw: pl.DataFrame, rows: int, seed: int) -> pl.DataFrame:
    """Rows of `raw` drawn with replacement."""
    return raw[np.random.default_rng(seed).integers(0, raw.height, rows)]


@pytest.mark.parametrize("name", ["row_count_change", "target_drift", "feature_drift"])
def test_the_first_version_has_nothing_to_be_compared_with(name: str) -> None:
    found = compared(*canonical("iris"), None, name)
    assert (found.passed, found.blocking, found.summary) == (True, False, NOTHING)


def test_a_table_that_grows_or_shrinks_too_much_is_told() -> None:
    spec, raw = canonical("wine_quality")
    assert compared(spec, raw, raw.head(5000), "row_count_change").passed
    found = compared(spec, raw.head(2000), raw, "row_count_change")
    assert not found.passed
    assert found.summary == "6497 rows became 2000 (-69.2%), and 50% is the largest change expected"
    assert found.figures["rows_before"] == 6497
    strict = spec.model_copy(update={"tolerances": Tolerances(row_count_change=0.1)})
    assert not compared(strict, raw, raw.head(5000), "row_count_change").passed


@pytest.mark.parametrize("name", ["iris", "boston_housing", "wine_quality"])
def test_chance_is_not_taken_for_drift(name: str) -> None:
    spec, raw = canonical(name)
    rows = min(raw.height, 1000)
    alarms = 0
    for seed in range(100):
        outcomes = check_table(spec, drawn(raw, rows, seed), previous=drawn(raw, rows, seed + 1000))
        alarms += any(not found.passed for found in outcomes if found.name.endswith("_drift"))
    assert alarms <= 5


def test_a_shifted_number_is_found_and_named_with_its_size() -> None:
    spec, raw = canonical("california_housing")
    shifted = raw.with_columns(pl.col("median_income") * 1.6)
    found = compared(spec, shifted, raw, "feature_drift")
    assert not found.passed
    assert not found.blocking
    assert found.figures["moved"] == 1
    assert found.figures["psi of median_income"] > 0.2
    assert 0.2 < found.figures["effect of median_income"] < 1
    assert "'median_income' (PSI 0." in found.summary
    assert "KS distance 0." in found.summary
    assert "mean 3.87067 → 6.19" in found.summary
    assert compared(spec, shifted, raw, "target_drift").passed


def test_a_hair_s_breadth_in_a_large_table_is_no_drift() -> None:
    spec, raw = canonical("california_housing")
    assert compared(spec, raw.with_columns(pl.col("median_income") * 1.05), raw, "feature_drift").passed


def test_a_label_whose_shares_move_is_found() -> None:
    spec, raw = canonical("wine_quality")
    whites = raw.filter(pl.col("colour") == "white")
    mostly_red = pl.concat([raw.filter(pl.col("colour") == "red"), whites.head(300)])
    found = compared(spec, mostly_red, raw, "feature_drift")
    assert "'colour' (PSI" in found.summary
    assert "Cramér's V 0.5" in found.summary


def test_a_target_that_moves_is_found_for_numbers_and_for_classes() -> None:
    spec, raw = canonical("boston_housing")
    found = compared(spec, raw.with_columns(pl.col("medv") + 10), raw, "target_drift")
    assert "'medv' (PSI" in found.summary
    spec, raw = canonical("iris")
    few = raw.filter((pl.col("species") != "Iris-setosa") | (pl.int_range(pl.len()) < 8))
    found = compared(spec, few, raw, "target_drift")
    assert not found.passed
    assert found.figures["psi of species"] > 0.2


def test_values_that_go_missing_are_drift_and_missing_targets_are_not() -> None:
    spec, raw = canonical("wine_quality")
    half = pl.int_range(pl.len()) % 2 == 0
    gaps = raw.with_columns(pl.when(half).then(pl.col("ph")).alias("ph"))
    assert "'ph' (PSI" in compared(spec, gaps, raw, "feature_drift").summary
    waiting = raw.with_columns(pl.when(half).then(pl.col("quality")).alias("quality"))
    assert compared(spec, waiting, raw, "target_drift").passed


def test_the_tolerance_of_the_contract_counts() -> None:
    spec, raw = canonical("california_housing")
    shifted = raw.with_columns(pl.col("median_income") * 1.6)
    for drift, passed in ((0.05, False), (5.0, True)):
        tolerant = spec.model_copy(update={"tolerances": Tolerances(drift=drift)})
        assert compared(tolerant, shifted, raw, "feature_drift").passed is passed


def test_columns_that_only_one_version_has_are_not_compared() -> None:
    spec, raw = canonical("iris")
    before = raw.drop("sepal_width").with_columns(pl.col("petal_width").cast(pl.String))
    found = compared(spec, raw, before, "feature_drift")
    assert found.passed
    assert found.figures["columns"] == 2


def test_texts_move_by_their_length_booleans_by_their_shares_and_dates_not_at_all() -> None:
    spec, raw = canonical("wine_quality")
    columns = {
        **spec.columns,
        "tasted": Column(dtype="date"),
        "organic": Column(dtype="boolean"),
        "note": Column(dtype="text"),
    }
    spec = DatasetSpec.model_validate({**spec.model_dump(), "columns": columns})
    at = pl.int_range(pl.len())
    before = raw.with_columns(
        tasted=pl.lit(dt.datetime(2020, 1, 1)).cast(pl.Datetime("us")),
        organic=at % 4 == 0,
        note=pl.concat_str(pl.lit("dry, "), pl.lit("of cherries ").repeat_by(at % 5).list.join("")),
    )
    now = before.with_columns(
        tasted=pl.lit(dt.datetime(2026, 1, 1)).cast(pl.Datetime("us")),
        organic=at % 4 != 0,
        note=pl.concat_str("note", pl.lit("and so on, at length, with nothing said")),
    )
    assert compared(spec, before, before, "feature_drift").passed
    found = compared(spec, now, before, "feature_drift")
    assert found.figures["moved"] == 2
    assert "'note' (PSI" in found.summary
    assert "'organic' (PSI" in found.summary


def test_a_column_without_any_value_or_of_one_value_can_be_compared() -> None:
    spec, raw = canonical("iris")
    empty = raw.with_columns(sepal_width=pl.lit(None, dtype=pl.Float64), petal_width=pl.lit(1.0))
    for now, before in ((empty, raw), (raw, empty), (empty, empty), (raw.head(0), raw), (raw, raw.head(0))):
        assert isinstance(compared(spec, now, before, "feature_drift").passed, bool)
    assert compared(spec, empty, empty, "feature_drift").passed
    assert not compared(spec, empty, raw, "feature_drift").passed


def test_large_tables_are_compared_by_a_sample_of_every_part_of_them() -> None:
    spec, raw = canonical("california_housing")
    large = drawn(raw, 200_000, 0)
    late = pl.int_range(pl.len()) >= 120_000
    moved = large.with_columns(
        pl.when(late).then(pl.col("median_income") * 3).otherwise("median_income").alias("median_income")
    )
    assert compared(spec, large, drawn(raw, 200_000, 1), "feature_drift").passed
    assert "'median_income'" in compared(spec, moved, large, "feature_drift").summary
