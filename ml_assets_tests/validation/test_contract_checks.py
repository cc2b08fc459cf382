"""Contract checks on real tables: each broken rule fails its own check and names the right rows."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ml_assets.datasets.contracts import load_contracts
from ml_assets.datasets.raw import conform_raw, row_ids, to_pandas
from ml_assets.datasets.spec import CheckName, Column, DatasetSpec, RowCount, Severity
from ml_assets.datasets.tables import assemble
from ml_assets.errors import ContractViolation
from ml_assets.validation.contract_checks import check_prediction_input, check_table, raise_on_failure
from ml_assets.validation.outcomes import (
    BLOCKING_CHECKS,
    CHECK_NAMES,
    FITTED_INSIDE,
    CheckOutcome,
    check_names,
    severity_of,
)
from ml_assets_tests.canonical import canonical

BATCH = "2026-11-23.csv"


def with_batch(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    spec, table = canonical(name)
    parts = {str(batch): part for (batch,), part in table.group_by("batch", maintain_order=True)}
    return assemble(spec, {**parts, BATCH: rows})


def with_values(table: pl.DataFrame, column: str, values: dict[int, object]) -> pl.DataFrame:
    """`table` with other values in some of its rows."""
    changed = table[column].to_list()
    for at, value in values.items():
        changed[at] = value
    return table.with_columns(pl.Series(column, changed, dtype=table[column].dtype))


def outcomes_of(spec: DatasetSpec, raw: pl.DataFrame) -> dict[str, CheckOutcome]:
    return {outcome.name: outcome for outcome in check_table(spec, raw)}


def failed(outcomes: dict[str, CheckOutcome]) -> list[str]:
    return [name for name, outcome in outcomes.items() if not outcome.passed]


def with_column(spec: DatasetSpec, name: str, **changes: object) -> DatasetSpec:
    column = spec.columns[name].model_copy(update=changes)
    return spec.model_copy(update={"columns": {**spec.columns, name: column}})


def test_the_names_of_the_checks_load_without_heavy_libraries() -> None:
    code = (
        "import sys; from ml_assets.validation.outcomes import CHECK_NAMES;"
        "print(sorted({'pandas', 'numpy', 'pandera', 'polars', 'pyarrow', 'sklearn'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_every_check_that_a_contract_can_name_has_a_description_and_a_default() -> None:
    assert {*CHECK_NAMES, "leakage"} == set(CheckName.__args__)
    spec, _ = canonical("iris")
    defaults = {name: severity_of(spec, name) for name in CheckName.__args__}
    assert {name for name, severity in defaults.items() if severity == "block"} == set(BLOCKING_CHECKS)
    assert {severity for name, severity in defaults.items() if name not in BLOCKING_CHECKS} == {"warn"}


@pytest.mark.parametrize("name", sorted(load_contracts()))
def test_the_canonical_tables_keep_their_contracts(name: str) -> None:
    spec, raw = canonical(name)
    for outcomes in (check_table(spec, raw), check_table(spec, raw, previous=raw, now=dt.datetime(2026, 1, 1))):
        assert tuple(o.name for o in outcomes) == CHECK_NAMES
        assert all(o.passed and o.summary and not o.failing_rows for o in outcomes)
        assert [o.name for o in outcomes if o.blocking] == list(BLOCKING_CHECKS)
        raise_on_failure(spec, outcomes)


def test_checking_california_takes_well_under_two_seconds() -> None:
    spec, raw = canonical("california_housing")
    check_table(*canonical("iris"))
    started = time.perf_counter()
    check_table(spec, raw, previous=raw)
    assert time.perf_counter() - started < 2.0


@pytest.mark.parametrize(("severity", "blocking"), [("block", True), ("warn", False)])
def test_the_contract_says_whether_a_failure_blocks(severity: Severity, blocking: bool) -> None:
    spec, raw = canonical("iris")
    spec = spec.model_copy(update={"checks": {"ranges": severity}})
    outcome = outcomes_of(spec, with_values(raw, "sepal_length", {6: 99.0}))["ranges"]
    assert (outcome.passed, outcome.blocking) == (False, blocking)
    if blocking:
        with pytest.raises(ContractViolation):
            raise_on_failure(spec, [outcome])
    else:
        raise_on_failure(spec, [outcome])


def test_a_check_that_is_off_is_not_run() -> None:
    spec, raw = canonical("iris")
    spec = spec.model_copy(update={"checks": {"ranges": "off", "feature_drift": "off", "leakage": "off"}})
    wrong = with_values(raw, "sepal_length", {6: 99.0})
    assert set(outcomes_of(spec, wrong)) == set(check_names(spec)) == set(CHECK_NAMES) - {"ranges", "feature_drift"}
    assert failed(outcomes_of(spec, wrong)) == []
    assert severity_of(spec, FITTED_INSIDE) == "off"


def test_values_out_of_range_name_the_rows_of_the_batch() -> None:
    spec, table = canonical("wine_quality")
    rows = with_values(table.tail(1000), "ph", {16: 9.0, 203: 1.0, 910: np.inf})
    raw = with_batch("wine_quality", rows)
    outcomes = outcomes_of(spec, raw)
    assert failed(outcomes) == ["ranges"]
    wrong = outcomes["ranges"]
    assert wrong.summary == f"column 'ph' has 3 values outside 2.5 … 4.5 (rows 17, 204, 911 of batch {BATCH})"
    assert wrong.figures["values_outside"] == 3
    assert [(r.batch, r.row, r.column, r.value) for r in wrong.failing_rows] == [
        (BATCH, 17, "ph", "9.0"),
        (BATCH, 204, "ph", "1.0"),
        (BATCH, 911, "ph", "inf"),
    ]
    by_id = to_pandas(spec, raw).loc[[r.row_id for r in wrong.failing_rows], "ph"]
    assert list(by_id) == [9.0, 1.0, np.inf]


def test_copies_of_a_row_are_named_by_ids_of_their_own() -> None:
    spec, raw = canonical("iris")
    twice = pl.concat([raw, raw.head(3), raw.head(3)])
    strict = spec.model_copy(update={"duplicate_share": 0.0})
    outcome = outcomes_of(strict, twice)["duplicates"]
    assert len({row.row_id for row in outcome.failing_rows}) == len(outcome.failing_rows) == 9
    assert {int(row.row_id, 16) for row in outcome.failing_rows} <= set(row_ids(twice).tolist())


def test_rows_of_batches_that_alternate_are_numbered_within_their_batch() -> None:
    spec, raw = canonical("iris")
    raw = raw.with_columns(batch=pl.Series(["a", "b", "b"] * 50))
    outcome = outcomes_of(spec, with_values(raw, "sepal_width", {0: 99.0, 3: 99.0, 5: 99.0}))["ranges"]
    assert [(row.batch, row.row) for row in outcome.failing_rows] == [("a", 1), ("a", 2), ("b", 4)]
    assert "rows 1, 2 of batch a; row 4 of batch b" in outcome.summary


def test_the_error_gathers_every_failure_with_the_file_to_correct() -> None:
    spec, table = canonical("wine_quality")
    rows = with_values(table.tail(9), "colour", {2: "rose"})
    rows = with_values(rows, "quality", {3: None})
    outcomes = check_table(spec, with_batch("wine_quality", rows))
    with pytest.raises(ContractViolation) as caught:
        raise_on_failure(spec, outcomes, quarantined="data/quarantine/x")
    assert str(caught.value).startswith(
        f"wine_quality: column 'colour' has 1 value other than red, white: 'rose' (row 3 of batch {BATCH}); "
        f"column 'quality' has 1 value missing, and it is the target (row 4 of batch {BATCH}); "
        "the refused table is in data/quarantine/x; "
    )


def test_many_failing_rows_are_counted_and_cut() -> None:
    spec, raw = canonical("california_housing")
    outcome = outcomes_of(spec, raw.with_columns(median_income=pl.lit(1e6)))["ranges"]
    assert "rows 1, 2, 3, 4, 5 of batch cal_housing.data, and 20635 more" in outcome.summary
    assert "has 20640 values outside" in outcome.summary
    assert outcome.figures["values_outside"] == 20640
    assert len(outcome.failing_rows) == 100


def test_a_number_without_a_range_must_be_finite() -> None:
    spec, raw = canonical("iris")
    columns = {n: c.model_copy(update={"range": None}) for n, c in spec.columns.items()}
    raw = with_values(raw, "sepal_length", {6: -np.inf})
    outcome = outcomes_of(spec.model_copy(update={"columns": columns}), raw)["ranges"]
    assert outcome.summary == "column 'sepal_length' has 1 value that must be finite (row 7 of batch iris.data)"


def dated() -> tuple[DatasetSpec, pl.DataFrame]:
    """Iris with a date, a boolean and a text column."""
    spec, raw = canonical("iris")
    columns = {
        **spec.columns,
        "picked": Column(dtype="date", period=(dt.datetime(2020, 1, 1), dt.datetime(2020, 12, 31, tzinfo=dt.UTC))),
        "wild": Column(dtype="boolean", range=(0, 1)),
        "note": Column(dtype="text", missing_share=0.5),
    }
    spec = DatasetSpec.model_validate({**spec.model_dump(), "columns": columns})
    days = pl.datetime_range(dt.datetime(2020, 1, 1), dt.datetime(2020, 5, 29), "1d", eager=True)
    notes = pl.Series([None, "fresh", "a dry leaf"] * 50)
    raw = raw.with_columns(picked=days.cast(pl.Datetime("us")), wild=pl.Series([True, False] * 75), note=notes)
    return spec, conform_raw(spec, raw, origin="test")


def test_dates_outside_their_period_are_refused() -> None:
    spec, raw = dated()
    assert failed(outcomes_of(spec, raw)) == []
    raw = with_values(raw, "picked", {4: dt.datetime(2019, 12, 31, 23, 59), 5: dt.datetime(9999, 1, 1)})
    outcome = outcomes_of(spec, raw)["ranges"]
    assert outcome.summary == (
        "column 'picked' has 2 values outside 2020-01-01 … 2020-12-31 (rows 5, 6 of batch iris.data)"
    )
    assert outcome.failing_rows[0].value == "2019-12-31 23:59:00"


def test_labels_that_are_not_allowed_are_shown() -> None:
    spec, raw = canonical("wine_quality")
    outcome = outcomes_of(spec, with_values(raw, "colour", {1: "rose", 4: "=1+1"}))["allowed_values"]
    assert "column 'colour' has 2 values other than red, white: 'rose', '=1+1' (rows 2, 5 of" in outcome.summary
    assert outcome.figures == {"columns": 1, "values_refused": 2}


def test_missing_values_are_refused_over_the_share_and_let_pass_below_it() -> None:
    spec, raw = canonical("iris")
    raw = with_values(raw, "sepal_width", {3: None, 4: None})
    outcome = outcomes_of(spec, raw)["missing_share"]
    assert outcome.summary.startswith("column 'sepal_width' has 2 values missing, and none may be (rows 4, 5")
    assert outcome.figures["values_over_the_limit"] == 2
    for share, passes in ((0.02, True), (2 / 150, True), (0.01, False)):
        changed = with_column(spec, "sepal_width", missing_share=share)
        assert outcomes_of(changed, raw)["missing_share"].passed is passes
    assert "missing, 1.3% where 1.0% may be" in outcomes_of(changed, raw)["missing_share"].summary


def test_a_float_that_is_no_number_counts_as_missing() -> None:
    spec, raw = canonical("iris")
    outcomes = outcomes_of(spec, with_values(raw, "sepal_width", {3: np.nan}))
    assert failed(outcomes) == ["missing_share"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop("ph"), "column 'ph' is missing"),
        (lambda t: t.with_columns(smell=1.0), "column 'smell' is not in the contract"),
        (lambda t: t.with_columns(ph=pl.lit("3.2")), "column 'ph' holds String, and float is promised"),
        (lambda t: t.with_columns(pl.col("ph").cast(pl.Float32)), "column 'ph' holds Float32"),
        (lambda t: t.with_columns(pl.col("quality") + 0.5), "column 'quality' holds Float64, and integer is"),
        (lambda t: t.with_columns(colour=1), "column 'colour' holds Int32, and category is promised"),
        (lambda t: t.with_columns(ph=pl.Series([[1.0]] * len(t))), "column 'ph' holds List(Float64)"),
    ],
)
def test_wrong_columns_fail_the_schema_and_the_other_checks_answer(change, message) -> None:
    spec, raw = canonical("wine_quality")
    outcomes = outcomes_of(spec, change(raw))
    assert not outcomes["schema"].passed
    assert message in outcomes["schema"].summary
    assert outcomes["row_count"].passed
    assert tuple(outcomes) == CHECK_NAMES


def test_row_counts_outside_the_limits_are_refused() -> None:
    spec, raw = canonical("iris")
    few = spec.model_copy(update={"row_count": RowCount(minimum=100, maximum=149)})
    assert outcomes_of(few, raw)["row_count"].summary == (
        "the table has 150 rows, and at least 100 and at most 149 are needed"
    )


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("boston_housing", lambda t: t.head(2), "2 rows with a target cannot be split"),
        ("iris", lambda t: t[[0, 149]], "2 rows with a target cannot be split.*at least 13 are needed"),
        ("iris", lambda t: t.head(0), "0 rows with a target cannot be split"),
        ("iris", lambda t: t.head(50), "only the class 'Iris-setosa', and two are needed"),
        ("iris", lambda t: t.head(104), r"fewer than the 7 rows .* 5 folds need: 'Iris-virginica' \(4\)"),
        ("boston_housing", lambda t: t.with_columns(medv=20.0), "target 'medv' is 20 in every row: nothing can be"),
        (
            "boston_housing",
            lambda t: t.with_columns(medv=pl.lit(None, dtype=pl.Float64)),
            "column 'medv' has 506 values missing, and it is",
        ),
        (
            "boston_housing",
            lambda t: t.with_columns(medv=pl.lit(np.inf)),
            "column 'medv' has 506 values that must not be inf",
        ),
        (
            "iris",
            lambda t: t.with_columns(species=pl.lit(None, dtype=pl.String)),
            "column 'species' has 150 values missing",
        ),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(name: str, change, message: str) -> None:
    spec, raw = canonical(name)
    outcomes = check_table(spec, change(raw))
    assert not next(o for o in outcomes if o.name == "target").passed
    with pytest.raises(ContractViolation, match=message):
        raise_on_failure(spec, outcomes)


def test_one_infinite_target_names_its_row_once() -> None:
    spec, raw = canonical("boston_housing")
    outcomes = outcomes_of(spec, with_values(raw, "medv", {99: -np.inf}))
    assert failed(outcomes) == ["target"]
    assert "(row 100 of batch housing.data)" in outcomes["target"].summary
    assert outcomes["target"].figures["infinite"] == 1


def test_with_a_key_a_missing_target_awaits_its_label() -> None:
    spec, raw = canonical("boston_housing")
    raw = raw.with_columns(pl.when(pl.int_range(pl.len()) >= 100).then(None).otherwise("medv").alias("medv"))
    assert failed(outcomes_of(spec, raw)) == ["target"]
    keyed = spec.model_copy(update={"key": ("crim", "lstat")})
    outcomes = outcomes_of(keyed, raw)
    assert failed(outcomes) == []
    assert outcomes["target"].figures["awaiting_label"] == 406
    assert outcomes["target"].summary.endswith("; 406 rows are awaiting their label")


def test_rows_to_predict_are_checked_in_their_features_only() -> None:
    spec, table = canonical("wine_quality")
    spec = spec.model_copy(update={"checks": {"ranges": "warn", "schema": "off"}})
    rows = to_pandas(spec, table).head(3).reset_index(drop=True)[list(spec.feature_columns)]
    assert all(o.passed for o in check_prediction_input(spec, rows, origin="new.csv"))
    rows.loc[1, "colour"] = "rose"
    rows.loc[2, "alcohol"] = np.inf
    outcomes = check_prediction_input(spec, rows, origin="new.csv")
    with pytest.raises(ContractViolation, match=r"'alcohol' .*row 3 of batch new\.csv.*'rose' \(row 2 .*; correct it$"):
        raise_on_failure(spec, outcomes, remedy="correct it")
    rows = rows.head(1).assign(alcohol=np.nan)
    assert not all(o.passed for o in check_prediction_input(spec, rows, origin="new.csv"))
    assert all(o.passed for o in check_prediction_input(spec, rows, origin="new.csv", missing=True))


def test_rows_to_predict_may_hold_every_type() -> None:
    spec, raw = dated()
    rows = to_pandas(spec, raw).reset_index(drop=True).drop(columns=["batch", "species"])
    assert all(o.passed for o in check_prediction_input(spec, rows, origin="new.csv"))
    rows.loc[3, "picked"] = pd.Timestamp("2031-01-01")
    [ranges] = [o for o in check_prediction_input(spec, rows, origin="new.csv") if not o.passed]
    assert ranges.summary == "column 'picked' has 1 value outside 2020-01-01 … 2020-12-31 (row 4 of batch new.csv)"


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("note", 3, "column 'note' has 1 value of another type than text (row 5 of batch new.csv)"),
        ("wild", 2.0, "column 'wild' has 1 value of another type than boolean (row 5 of batch new.csv)"),
        ("sepal_width", "x", "column 'sepal_width' has 1 value of another type than float (row 5 of batch new.csv)"),
        ("picked", "soon", "column 'picked' has 150 values of another type than date"),
    ],
)
def test_rows_to_predict_of_another_type_are_named(column: str, value: object, message: str) -> None:
    spec, raw = dated()
    rows = to_pandas(spec, raw).reset_index(drop=True)
    changed = rows[column].astype(object if isinstance(value, str) else rows[column].dtype).copy()
    changed.loc[4] = value
    outcomes = check_prediction_input(spec, rows.assign(**{column: changed}), origin="new.csv")
    assert message in outcomes[0].summary
    assert not outcomes[0].passed
