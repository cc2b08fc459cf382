"""Contract checks on real tables: each broken rule fails its own check and names the right rows."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.datasets.spec import DatasetSpec, RowCount
from ml_assets.datasets.tables import assemble, load_raw_table, with_row_ids
from ml_assets.errors import ContractViolation, StorageError
from ml_assets.validation.contract_checks import (
    CHECK_DESCRIPTIONS,
    CHECK_NAMES,
    CheckOutcome,
    check_prediction_input,
    check_table,
    raise_on_failure,
)
from ml_assets.validation.quarantine import quarantine

NOWHERE = Path("/nonexistent")
BATCH = "2026-11-23.csv"


def raw_table(name: str) -> pd.DataFrame:
    return load_raw_table(load_contract(name), mode="embedded", cache=NOWHERE, incoming=NOWHERE)


def with_batch(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    table = raw_table(name)
    parts = {str(batch): part for batch, part in table.groupby("batch", sort=False)}
    return assemble(load_contract(name), {**parts, BATCH: rows})


def outcomes_of(spec: DatasetSpec, raw: pd.DataFrame) -> dict[str, CheckOutcome]:
    return {outcome.name: outcome for outcome in check_table(spec, raw)}


def failed(outcomes: dict[str, CheckOutcome]) -> list[str]:
    return [name for name, outcome in outcomes.items() if not outcome.passed]


def test_the_names_of_the_checks_load_without_pandas() -> None:
    code = (
        "import sys; from ml_assets.validation.contract_checks import CHECK_NAMES;"
        "print(sorted({'pandas', 'numpy', 'pandera', 'pyarrow'} & set(sys.modules)), len(CHECK_NAMES))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[] 8\n"
    assert tuple(CHECK_DESCRIPTIONS) == CHECK_NAMES


@pytest.mark.parametrize("name", sorted(load_contracts()))
def test_the_canonical_tables_keep_their_contracts(name: str) -> None:
    spec = load_contract(name)
    outcomes = check_table(spec, raw_table(name))
    assert tuple(o.name for o in outcomes) == CHECK_NAMES
    assert all(o.passed and o.blocking and o.summary and not o.failing_rows for o in outcomes)
    raise_on_failure(spec, outcomes)


def test_reading_and_checking_california_takes_well_under_two_seconds() -> None:
    check_table(load_contract("iris"), raw_table("iris"))
    started = time.perf_counter()
    check_table(load_contract("california_housing"), raw_table("california_housing"))
    assert time.perf_counter() - started < 2.0


def test_values_out_of_range_name_the_rows_of_the_batch() -> None:
    spec = load_contract("wine_quality")
    rows = raw_table("wine_quality").tail(1000).reset_index(drop=True)
    rows.loc[[16, 203, 910], "ph"] = [9.0, 1.0, np.inf]
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
    assert list(raw.loc[[r.row_id for r in wrong.failing_rows], "ph"]) == [9.0, 1.0, np.inf]


def test_the_error_gathers_every_failure_with_the_file_to_correct() -> None:
    spec = load_contract("wine_quality")
    rows = raw_table("wine_quality").tail(9).reset_index(drop=True)
    rows.loc[2, "colour"] = "rose"
    rows.loc[3, "quality"] = np.nan
    outcomes = check_table(spec, with_batch("wine_quality", rows))
    with pytest.raises(ContractViolation) as caught:
        raise_on_failure(spec, outcomes, quarantined="data/quarantine/x")
    assert str(caught.value) == (
        f"wine_quality: column 'colour' has 1 value other than red, white: 'rose' (row 3 of batch {BATCH}); "
        f"column 'quality' has 1 value missing, and it is the target (row 4 of batch {BATCH}); "
        "the refused table is in data/quarantine/x; "
        f"correct or remove data/incoming/wine_quality/{BATCH} and run again"
    )


def test_many_failing_rows_are_counted_and_cut() -> None:
    spec, raw = load_contract("california_housing"), raw_table("california_housing")
    outcome = outcomes_of(spec, raw.assign(median_income=1e6))["ranges"]
    assert "rows 1, 2, 3, 4, 5 of batch cal_housing.data, and 20635 more" in outcome.summary
    assert outcome.figures["values_outside"] == 20640
    assert len(outcome.failing_rows) == 100


def test_a_number_without_a_range_must_be_finite() -> None:
    spec = load_contract("iris")
    columns = {n: c.model_copy(update={"range": None}) for n, c in spec.columns.items()}
    raw = raw_table("iris")
    raw.iloc[6, 0] = -np.inf
    outcome = outcomes_of(spec.model_copy(update={"columns": columns}), raw)["ranges"]
    assert outcome.summary == "column 'sepal_length' has 1 value that must be finite (row 7 of batch iris.data)"


def test_missing_values_are_refused_over_the_share_and_let_pass_below_it() -> None:
    spec, raw = load_contract("iris"), raw_table("iris")
    raw.iloc[[3, 4], 1] = np.nan
    outcome = outcomes_of(spec, raw)["missing_share"]
    assert outcome.summary.startswith("column 'sepal_width' has 2 values missing, and none may be (rows 4, 5")
    for share, passes in ((0.02, True), (0.01, False)):
        loose = spec.columns["sepal_width"].model_copy(update={"missing_share": share})
        changed = spec.model_copy(update={"columns": {**spec.columns, "sepal_width": loose}})
        assert outcomes_of(changed, raw)["missing_share"].passed is passes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="ph"), "column 'ph' is missing"),
        (lambda t: t.assign(smell=1.0), "column 'smell' is not in the contract"),
        (lambda t: t.assign(ph="3.2"), "column 'ph'"),
        (lambda t: t.assign(ph=t["ph"].astype("float32")), "column 'ph'"),
        (lambda t: t.assign(quality=t["quality"] + 0.5), "column 'quality' has 6497 values of another type"),
        (lambda t: t.assign(colour=1), "column 'colour' has 6497 values of another type than category"),
    ],
)
def test_wrong_columns_fail_the_schema_and_the_other_checks_answer(change, message) -> None:
    spec = load_contract("wine_quality")
    outcomes = outcomes_of(spec, change(raw_table("wine_quality")))
    assert not outcomes["schema"].passed
    assert message in outcomes["schema"].summary
    assert outcomes["row_count"].passed
    assert tuple(outcomes) == CHECK_NAMES


def test_a_table_twice_is_refused_for_its_duplicates() -> None:
    spec, raw = load_contract("iris"), raw_table("iris")
    twice = with_batch("iris", raw)
    outcomes = outcomes_of(spec, twice)
    assert failed(outcomes) == ["duplicates"]
    assert "153 of 300 rows (51.0%) are exact copies" in outcomes["duplicates"].summary
    assert f"of batch {BATCH}" in outcomes["duplicates"].summary


def test_a_key_that_names_two_rows_is_refused() -> None:
    spec, raw = load_contract("boston_housing"), raw_table("boston_housing")
    keyed = spec.model_copy(update={"unique": (("crim", "lstat"),)})
    assert outcomes_of(keyed, raw)["uniqueness"].passed
    raw.iloc[20, [0, 12]] = raw.iloc[10, [0, 12]].to_numpy()
    outcome = outcomes_of(keyed, raw)["uniqueness"]
    assert outcome.summary == ("1 rows repeat the key crim, lstat of an earlier row (row 21 of batch housing.data)")
    raw.index = [*raw.index[:-1], raw.index[0]]
    assert "key row_id" in outcomes_of(spec, raw)["uniqueness"].summary


def test_row_counts_outside_the_limits_are_refused() -> None:
    spec, raw = load_contract("iris"), raw_table("iris")
    few = spec.model_copy(update={"row_count": RowCount(minimum=100, maximum=149)})
    assert outcomes_of(few, raw)["row_count"].summary == (
        "the table has 150 rows, and at least 100 and at most 149 are needed"
    )


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("boston_housing", lambda t: t.head(2), "2 rows with a target cannot be split"),
        ("iris", lambda t: t.iloc[[0, 149]], "2 rows with a target cannot be split.*at least 13 are needed"),
        ("iris", lambda t: t.head(0), "0 rows with a target cannot be split"),
        ("iris", lambda t: t.head(50), "only the class 'Iris-setosa', and two are needed"),
        ("iris", lambda t: t.head(104), r"fewer than the 7 rows .* 5 folds need: 'Iris-virginica' \(4\)"),
        ("boston_housing", lambda t: t.assign(medv=20.0), "target 'medv' is 20 in every row: nothing can be"),
        (
            "boston_housing",
            lambda t: t.assign(medv=np.nan),
            "column 'medv' has 506 values missing, and it is",
        ),
        (
            "boston_housing",
            lambda t: t.assign(medv=np.inf),
            "column 'medv' has 506 values that must not be inf",
        ),
        ("iris", lambda t: t.assign(species=None), "column 'species' has 150 values missing"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(name: str, change, message: str) -> None:
    spec = load_contract(name)
    outcomes = check_table(spec, change(raw_table(name)))
    assert not next(o for o in outcomes if o.name == "target").passed
    with pytest.raises(ContractViolation, match=message):
        raise_on_failure(spec, outcomes)


def test_one_infinite_target_names_its_row_once() -> None:
    spec, raw = load_contract("boston_housing"), raw_table("boston_housing")
    raw.iloc[99, raw.columns.get_loc("medv")] = -np.inf
    outcomes = outcomes_of(spec, raw)
    assert failed(outcomes) == ["target"]
    assert "(row 100 of batch housing.data)" in outcomes["target"].summary


def test_rows_to_predict_are_checked_in_their_features_only() -> None:
    spec = load_contract("wine_quality")
    rows = raw_table("wine_quality").head(3).reset_index(drop=True)[list(spec.feature_columns)]
    assert all(o.passed for o in check_prediction_input(spec, rows, origin="new.csv"))
    rows.loc[1, "colour"] = "rose"
    rows.loc[2, "alcohol"] = np.inf
    outcomes = check_prediction_input(spec, rows, origin="new.csv")
    with pytest.raises(ContractViolation, match=r"'alcohol' .*row 3 of batch new\.csv.*'rose' \(row 2 .*; correct it$"):
        raise_on_failure(spec, outcomes, remedy="correct it")
    rows = rows.head(1).assign(alcohol=np.nan)
    assert not all(o.passed for o in check_prediction_input(spec, rows, origin="new.csv"))
    assert all(o.passed for o in check_prediction_input(spec, rows, origin="new.csv", missing=True))


def test_a_refused_table_is_kept_once_with_its_reasons(tmp_path: Path) -> None:
    spec, raw = load_contract("iris"), raw_table("iris")
    raw.iloc[6, 0] = 99.0
    outcomes = check_table(spec, raw)
    place = quarantine(spec, raw, outcomes, tmp_path)
    assert quarantine(spec, raw, outcomes, tmp_path) == place
    assert [p.name for p in (tmp_path / "iris").iterdir()] == [place.name]
    kept = pd.read_csv(place / "table.csv", index_col="row_id", dtype={"row_id": str})
    pd.testing.assert_frame_equal(with_row_ids(kept), with_row_ids(raw))
    reason = json.loads((place / "reason.json").read_text())
    assert [check["name"] for check in reason["checks"]] == ["ranges"]
    assert reason["checks"][0]["failing_rows"][0]["row"] == 7
    assert (place / "reason.txt").read_text().startswith("ranges: column 'sepal_length' has 1 value outside")


def test_a_quarantine_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    spec, raw = load_contract("iris"), raw_table("iris")
    (tmp_path / "iris").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="make it writable"):
        quarantine(spec, raw, check_table(spec, raw), tmp_path)
