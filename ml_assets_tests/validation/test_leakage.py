"""The leakage linter: honest tables raise nothing; planted leaks are found, with the evidence, and can be accepted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.contracts import load_contracts
from ml_assets.datasets.spec import Column, DatasetSpec, Leakage
from ml_assets.learning.splitting import split
from ml_assets.validation.identifiers import identifier_evidence
from ml_assets.validation.leakage import check_leakage
from ml_assets.validation.outcomes import CheckOutcome
from ml_assets_tests.canonical import canonical


def cleaned(name: str) -> tuple[DatasetSpec, pd.DataFrame]:
    spec, raw = canonical(name)
    return spec, clean(spec, raw).table


def planted(
    name: str, dtype: str, values: object, *, column: str = "planted", **changes: object
) -> tuple[DatasetSpec, pd.DataFrame]:
    """A built-in dataset with one more column."""
    spec, table = cleaned(name)
    columns = {**spec.columns, column: Column.model_validate({"dtype": dtype, "missing_share": 1.0})}
    return DatasetSpec.model_validate({**spec.model_dump(), "columns": columns, **changes}), table.assign(
        **{column: values}
    )


def linted(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame | None = None) -> CheckOutcome:
    return check_leakage(spec, table, split(spec, table, seed=0) if splits is None else splits, seed=0)


def labels(values: object) -> object:
    return np.array([str(value) for value in np.asarray(values)], dtype=object)


@pytest.mark.parametrize("name", sorted(load_contracts()))
def test_the_canonical_tables_leak_nothing(name: str) -> None:
    found = linted(*cleaned(name))
    assert found.passed, found.summary
    assert not found.blocking
    assert found.figures["findings"] == 0
    assert not found.failing_rows


def noisy(values: pd.Series, share: float) -> np.ndarray:
    return values.to_numpy() + share * values.std() * np.random.default_rng(0).standard_normal(len(values))


@pytest.mark.parametrize(
    ("name", "dtype", "make"),
    [
        ("boston_housing", "float", lambda y: 3 * y - 7),
        ("boston_housing", "float", lambda y: noisy(y, 0.05)),
        ("boston_housing", "float", lambda y: np.exp(-y)),
        ("california_housing", "float", lambda y: noisy(y, 0.05)),
        ("california_housing", "integer", lambda y: (y // 1000).astype("int64")),
        ("california_housing", "category", lambda y: labels(y // 10_000)),
        ("wine_quality", "text", labels),
        (
            "boston_housing",
            "date",
            lambda y: np.datetime64("2020-01-01", "us") + (y * 1e6).to_numpy().astype("timedelta64[s]"),
        ),
        ("iris", "integer", lambda y: pd.factorize(y)[0]),
        ("iris", "category", lambda y: labels(y.str[:6] + y.str[-2:])),
        ("iris", "boolean", None),
    ],
)
def test_a_column_that_gives_the_target_away_is_found(name: str, dtype: str, make) -> None:
    spec, table = cleaned(name)
    target = table[spec.target]
    if make is None:  # two classes, told apart by a boolean
        spec, table = planted(name, dtype, (target == "Iris-setosa").astype("float64"))
        table = table[target != "Iris-virginica"]
    else:
        spec, table = planted(name, dtype, make(target))
    found = linted(spec, table)
    assert not found.passed
    assert "column 'planted' alone predicts" in found.summary
    assert "silence it in" in found.summary
    assert "under `leakage.accepted." in found.summary
    assert float(found.figures["score of planted alone"]) >= spec.tolerances.proxy
    row = found.failing_rows[-1]
    assert (row.row_id, row.column) == (table.index[row.row - 1], f"planted, {spec.target}")


def test_a_skewed_copy_of_the_target_is_found_though_a_tree_misses_it() -> None:
    spec, table = cleaned("boston_housing")
    rng = np.random.default_rng(0)
    table = table.assign(medv=np.exp(3 * rng.standard_normal(len(table))))
    spec, _ = planted("boston_housing", "float", 0.0)
    found = linted(spec, table.assign(planted=np.log(table["medv"])))
    assert "column 'planted' alone predicts" in found.summary


def test_a_gap_that_gives_the_target_away_is_found() -> None:
    spec, table = cleaned("iris")
    two = table[table["species"] != "Iris-virginica"]
    gap = np.where(two["species"] == "Iris-setosa", np.nan, 1.0)
    spec, _ = planted("iris", "float", 0.0)
    assert "column 'planted' alone predicts" in linted(spec, two.assign(planted=gap)).summary


def test_a_rare_class_that_is_nearly_always_guessed_right_is_no_proxy() -> None:
    rng = np.random.default_rng(0)
    spec, table = planted("wine_quality", "float", rng.standard_normal(6497))
    columns = {**spec.columns, "quality": Column(dtype="category")}
    spec = DatasetSpec.model_validate({**spec.model_dump(), "task": "classification", "columns": columns})
    table = table.assign(quality=labels(np.where(rng.uniform(size=len(table)) < 0.01, "bad", "good")))
    assert linted(spec, table).passed


def test_the_tolerance_of_the_contract_decides_what_is_too_good() -> None:
    spec, table = cleaned("iris")
    strict = DatasetSpec.model_validate({**spec.model_dump(), "tolerances": {"proxy": 0.9}})
    assert "column 'petal_width' alone predicts 'species'" in linted(strict, table).summary


def test_an_accepted_column_is_told_of_with_the_reason_and_fails_nothing() -> None:
    spec, table = planted("iris", "integer", np.arange(150, dtype="int64"))
    assert not linted(spec, table).passed
    reason = "flowers are numbered by the gardener, and so will new ones be"
    accepted = spec.model_copy(update={"leakage": Leakage(accepted={"planted": reason})})
    found = linted(accepted, table)
    assert found.passed
    assert found.figures["accepted"] == 2
    assert f"accepted: {reason}" in found.summary
    assert reason in str(found.figures["accepted 1"])
    assert not found.failing_rows


def test_a_contract_may_let_leakage_block() -> None:
    spec, table = planted("iris", "integer", np.arange(150, dtype="int64"), checks={"leakage": "block"})
    assert linted(spec, table).blocking


RNG = np.random.default_rng(3)
UNSORTED = RNG.permutation(506)


@pytest.mark.parametrize(
    ("dtype", "values", "evidence"),
    [
        ("integer", np.arange(1, 507), "counts up row by row from 1 to 506"),
        ("integer", np.sort(RNG.choice(10**6, 506, replace=False)), "counts up row by row"),
        ("integer", UNSORTED, "506 different whole numbers in 506 rows, where 253 repeats would come by chance"),
        ("float", UNSORTED.astype("float64"), "506 different whole numbers"),
        ("integer", 10_000_000 + RNG.choice(8 * 10**7, 506, replace=False), "a different number of 8 digits"),
        ("category", labels(UNSORTED), "a label of its own in 100.0% of its rows"),
        ("text", np.array([f"c-{at:06d}" for at in UNSORTED], dtype=object), "a label of its own"),
    ],
)
def test_a_column_that_names_its_row_is_found(dtype: str, values: np.ndarray, evidence: str) -> None:
    spec, table = planted("boston_housing", dtype, values)
    found = linted(spec, table)
    assert not found.passed
    assert f"column 'planted' has {evidence}" in found.summary or f"column 'planted' {evidence}" in found.summary
    assert found.failing_rows[0].column == "planted"


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("integer", RNG.integers(0, 100_000, 506)),
        ("integer", (1000 * RNG.lognormal(size=506)).astype("int64")),
        ("float", RNG.standard_normal(506)),
        ("float", np.sort(RNG.standard_normal(506))),
        ("category", labels(RNG.integers(0, 400, 506))),
        ("text", np.array([f"the {at}th home, with a garden" for at in range(506)], dtype=object)),
        ("date", np.datetime64("2020-01-01", "us") + UNSORTED.astype("timedelta64[D]")),
        ("boolean", RNG.integers(0, 2, 506).astype("float64")),
    ],
)
def test_a_column_that_describes_its_row_is_no_identifier(dtype: str, values: np.ndarray) -> None:
    assert identifier_evidence(Column.model_validate({"dtype": dtype}), pd.Series(values)) is None


def test_an_identifier_is_found_among_copies_and_gaps() -> None:
    values = np.append(UNSORTED, [5, 6]).astype("float64")
    values[3] = np.nan
    assert identifier_evidence(Column(dtype="integer"), pd.Series(values)) is not None
    assert identifier_evidence(Column(dtype="integer"), pd.Series(values).head(20)) is None


def timed(column: np.ndarray) -> tuple[DatasetSpec, pd.DataFrame]:
    """Boston with a time, and a date beside it."""
    spec, table = planted("boston_housing", "date", column)
    columns = {**spec.columns, "sold": Column(dtype="date")}
    spec = DatasetSpec.model_validate({**spec.model_dump(), "columns": columns, "time": "sold", "repeats": 1})
    return spec, table.assign(sold=np.datetime64("2020-01-01", "us") + UNSORTED.astype("timedelta64[D]"))


@pytest.mark.parametrize(("rows", "passed"), [(0, True), (5, True), (6, False), (300, False)])
def test_a_date_later_than_the_row_is_from_the_future(rows: int, passed: bool) -> None:
    sold = np.datetime64("2020-01-01", "us") + UNSORTED.astype("timedelta64[D]")
    ahead = np.where(np.arange(506) < rows, 20, -40).astype("timedelta64[D]")
    spec, table = timed(sold + ahead)
    found = linted(spec, table)
    assert found.passed is passed, found.summary
    if not passed:
        assert f"column 'planted' is later than 'sold' in {rows} rows ({rows / 506:.1%})" in found.summary
        assert [row.row for row in found.failing_rows] == [1, 2, 3, 4, 5]


def test_training_rows_later_than_the_test_are_found() -> None:
    spec, table = timed(np.full(506, np.datetime64("2019-01-01", "us")))
    splits = split(spec, table, seed=0)
    assert linted(spec, table, splits).passed
    turned = splits.assign(part=splits["part"].to_numpy()[RNG.permutation(506)])
    turned["fold"] = np.where(turned["part"] == "test", -1, np.arange(506) % 5)
    assert "training rows are later by 'sold' than the first test row" in linted(spec, table, turned).summary


def test_equal_rows_on_both_sides_of_the_split_or_in_two_folds_are_found() -> None:
    spec, table = cleaned("wine_quality")
    splits, features = split(spec, table, seed=0), list(spec.feature_columns)
    assert linted(spec, table, splits).passed
    at = np.random.default_rng(0).permutation(len(splits))
    found = linted(spec, table, pd.DataFrame(splits.to_numpy()[at], index=splits.index, columns=splits.columns))
    assert "rows have the features of a row on another side or in another fold" in found.summary
    first, second = (table.loc[row.row_id, features] for row in found.failing_rows[:2])
    assert first.equals(second)
    copies = table[table.duplicated(features, keep=False) & (splits["part"] == "train")].sort_values(features).index
    splits.loc[copies[0], "fold"] = (splits.loc[copies[0], "fold"] + 1) % spec.folds
    found = linted(spec, table, splits)
    assert not found.passed
    assert {copies[0], copies[1]} <= {row.row_id for row in found.failing_rows}
    assert linted(spec.model_copy(update={"duplicates": "independent"}), table, splits).passed
    tested = table[table.duplicated(features, keep=False) & (splits["part"] == "test")].sort_values(features).index
    splits.loc[tested[0], "part"] = "calibration"
    assert tested[0] in {row.row_id for row in linted(spec, table, splits).failing_rows}


def test_groups_on_both_sides_of_the_split_are_found() -> None:
    houses = labels(np.arange(506) // 4)
    spec, table = planted("boston_housing", "category", houses, group="planted")
    spec = spec.model_copy(update={"columns": {**spec.columns, "planted": Column(dtype="category", ignored="a name")}})
    assert linted(spec, table).passed
    found = linted(spec, table, split(spec.model_copy(update={"group": None}), table, seed=0))
    assert "rows have a 'planted' that another side or fold of the split has too" in found.summary
    assert found.failing_rows[0].value == found.failing_rows[1].value


def test_splits_in_another_order_than_the_table_say_the_same() -> None:
    spec, table = planted("boston_housing", "float", 0.0)
    table = table.assign(planted=table["medv"])
    splits = split(spec, table, seed=0)
    assert linted(spec, table, splits.sample(frac=1, random_state=1)) == linted(spec, table, splits)
