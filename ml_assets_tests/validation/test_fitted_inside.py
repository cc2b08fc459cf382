"""Features of training rows must not depend on rows that are held back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.spec import Column, DatasetSpec
from ml_assets.features.feature_set import FeatureSet
from ml_assets.learning.splitting import split
from ml_assets.validation.fitted_inside import check_fitted_inside, poisoned
from ml_assets.validation.outcomes import CheckOutcome
from ml_assets_tests.canonical import canonical


def mixed() -> tuple[DatasetSpec, pd.DataFrame]:
    """Boston with a column of every type, many labels among them."""
    spec, raw = canonical("boston_housing")
    table, rng = clean(spec, raw).table, np.random.default_rng(0)
    columns = {
        **spec.columns,
        "town": Column(dtype="category"),
        "kind": Column(dtype="category", missing_share=0.2),
        "sold": Column(dtype="date", missing_share=0.2),
        "garden": Column(dtype="boolean"),
        "note": Column(dtype="text"),
    }
    dates = np.datetime64("2020-01-01", "us") + rng.integers(0, 900, 506).astype("timedelta64[D]")
    dates[7] = np.datetime64("NaT")
    table = table.assign(
        town=np.array([f"town {at}" for at in rng.integers(0, 80, 506)], dtype=object),
        kind=np.array([None, "flat", "house"], dtype=object)[rng.integers(0, 3, 506)],
        sold=dates,
        garden=rng.integers(0, 2, 506).astype("float64"),
        note=np.array([f"a home of {at} rooms near park {at % 9}" for at in rng.integers(0, 99, 506)], dtype=object),
    )
    return DatasetSpec.model_validate({**spec.model_dump(), "columns": columns}), table


def checked(
    spec: DatasetSpec, table: pd.DataFrame, make: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
) -> CheckOutcome:
    return check_fitted_inside(spec, make, table, split(spec, table, seed=0), seed=0)


@pytest.mark.parametrize("name", ["iris", "california_housing", "mixed"])
def test_the_feature_plan_is_fitted_inside(name: str) -> None:
    spec, table = mixed() if name == "mixed" else (canonical(name)[0], clean(*canonical(name)).table)
    found = checked(spec, table, lambda rows, parts: FeatureSet.of(spec, rows, parts).table)
    assert found.passed, found.summary
    assert not found.blocking
    assert found.figures["features"] >= len(spec.feature_columns)
    assert "stay the same to the bit" in found.summary


def scaled_on_all_rows(table: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    numbers = table[["rm", "lstat", "crim"]]
    return numbers.assign(rm=(numbers["rm"] - numbers["rm"].mean()) / numbers["rm"].std())


def labels_of_all_rows(table: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    return pd.get_dummies(table["town"], dtype="float64")


def target_means_of_all_rows(table: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"town": table["medv"].groupby(table["town"]).transform("mean")})


def fitted_on_all_but_the_test_part(table: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Right for the test part and wrong within folds: the training rows are chosen once and for all."""
    spec, _ = mixed()
    training = split(spec, mixed()[1], seed=0).query("part == 'train'").index
    return (table[["rm"]] - table.loc[training, "rm"].mean()) / table["rm"].loc[training].std()


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (scaled_on_all_rows, "features 'rm' of training rows change when rows of the test part do"),
        (labels_of_all_rows, "of training rows change when rows of the test part do"),
        (target_means_of_all_rows, "features 'town' of training rows change when rows of the test part do"),
        (fitted_on_all_but_the_test_part, "features 'rm' of training rows change when rows of fold"),
    ],
)
def test_preprocessing_fitted_outside_is_found(make, fault: str) -> None:
    spec, table = mixed()
    found = checked(spec, table, make)
    assert not found.passed
    assert fault in found.summary
    assert found.summary.endswith("; fit preprocessing on the training rows of each fold only")


def test_poison_changes_every_value_of_the_rows_it_is_for_and_no_other() -> None:
    spec, table = mixed()
    rows = np.arange(506) % 3 == 0
    changed = poisoned(spec, table, rows)
    assert changed[~rows].equals(table[~rows])
    assert list(changed.dtypes) == list(table.dtypes)
    for name in spec.columns:
        assert (changed[name][rows] != table[name][rows]).all(), name
    spec, table = canonical("iris")[0], clean(*canonical("iris")).table
    assert set(poisoned(spec, table, np.ones(150, dtype=bool))["species"]) == set(table["species"])
