"""Requests with booleans, dates and texts: what is accepted, and that a table of them is what training saw."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.datasets.raw import to_pandas
from ml_assets.datasets.reading.cells import MAX_CELL_BYTES, typed_column
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.features.plan import plan_for
from ml_assets.monitoring.live_window import LiveWindow
from ml_assets.monitoring.window import WindowBounds
from ml_assets.serving.prediction_log import LoggedRequest, PredictionLog
from ml_assets.serving.rows import LabelValidator, RowsError, RowValidator, rows_to_frame
from ml_assets_tests.mixed_world import BUILT, LIFT, NOTES, ROOMS, SIZE, STREET, TARGET, mixed_raw, mixed_spec


def _spec(**more: Any) -> DatasetSpec:
    return DatasetSpec.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "task": "regression",
            "target": "y",
            "sources": [{"name": "toy.csv", "path": "toy.csv"}],
            "columns": {
                "sold": {"dtype": "boolean"},
                "when": {"dtype": "date"},
                "note": {"dtype": "text", "missing_share": 1.0},
                "label": {"dtype": "category", "missing_texts": ["n/a"], "missing_share": 1.0},
                "kind": {"dtype": "category", "allowed": ["a", "b"]},
                "y": {"dtype": "float"},
            },
            **more,
        }
    )


GOOD = {"sold": True, "when": "2024-01-31", "note": "fine", "label": "x", "kind": "a"}
VALIDATOR = RowValidator(_spec())


def _parse(**changes: Any) -> dict[str, Any]:
    return VALIDATOR.parse(json.dumps({"rows": [GOOD | changes]}).encode())[0]


@pytest.mark.parametrize(("written", "meant"), [(True, True), (False, False), (1, True), (0, False), (0.0, False)])
def test_a_boolean_may_be_written_as_a_number(written: Any, meant: bool) -> None:
    assert _parse(sold=written)["sold"] is meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-01-31", dt.datetime(2024, 1, 31)),
        ("2024-01-31T23:30:00.250", dt.datetime(2024, 1, 31, 23, 30, 0, 250_000)),
        ("2024-01-31T23:30:00Z", dt.datetime(2024, 1, 31, 23, 30)),
        ("2024-01-31T23:30:00-02:00", dt.datetime(2024, 2, 1, 1, 30)),
        ("1815-12-10", dt.datetime(1815, 12, 10)),
        ("0001-01-01", dt.datetime(1, 1, 1)),
    ],
)
def test_a_date_is_a_moment_in_utc_without_an_offset(written: str, meant: dt.datetime) -> None:
    assert _parse(when=written)["when"] == meant


def test_blanks_and_texts_that_stand_for_a_missing_value_are_missing_as_in_files() -> None:
    assert _parse(label=" x ", note=" x ", kind=" b ") == _parse(label="x", kind="b") | {"note": " x "}
    assert [_parse(label=text)["label"] for text in ("", "  ", "n/a", None)] == [None] * 4
    assert [_parse(note=text)["note"] for text in ("", " \n", None)] == [None] * 3


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("sold", "true", "boolean"),
        ("sold", 2, "boolean"),
        ("sold", None, "boolean"),
        ("when", "31.01.2024", "has to be a date by ISO 8601, such as 2024-01-31"),
        ("when", "2024-02-30", "has to be a date by ISO 8601"),
        ("when", "9999-12-31T23:00:00-05:00", "has to be a date by ISO 8601"),
        ("when", 1706659200, "datetime"),
        ("when", None, "datetime"),
        ("when", " ", "datetime"),
        ("note", 5, "string"),
        ("note", "a\0b", "without zero bytes"),
        ("note", "x" * (2**20 + 1), "at most 1048576 bytes"),
        ("label", "é" * MAX_CELL_BYTES, "at most 10000 bytes"),
        ("kind", "c", "'a' or 'b'"),
        ("kind", " ", "'a' or 'b'"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_the_reason(field: str, value: Any, complaint: str) -> None:
    with pytest.raises(RowsError, match=f"row 0, field '{field}': .*{complaint}"):
        _parse(**{field: value})


CELLS = {
    "sold": st.booleans(),
    "when": st.datetimes(min_value=dt.datetime(1, 1, 1), max_value=dt.datetime(9999, 12, 31)),
    "note": st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)),
    "label": st.one_of(st.none(), st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=6)),
    "kind": st.sampled_from(["a", "b"]),
}


@settings(deadline=None, max_examples=80)
@given(rows=st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=8))
def test_the_table_of_a_request_is_the_table_training_has_of_the_same_values(rows: list[dict[str, Any]]) -> None:
    spec = _spec()
    columns = {n: spec.columns[n] for n in spec.feature_columns}
    found = {n: pl.Series(n, [row[n] for row in rows]) for n in columns}
    raw = pl.DataFrame([typed_column(column, found[n])[0].alias(n) for n, column in columns.items()])
    body = json.dumps({"rows": rows}, default=dt.datetime.isoformat).encode()
    frame = rows_to_frame(spec, VALIDATOR.parse(body))
    pd.testing.assert_frame_equal(frame, to_pandas(spec, raw).reset_index(drop=True))


def test_a_mixed_row_is_asked_answered_logged_and_comes_back_as_training_saw_it(tmp_path: Path) -> None:
    spec = mixed_spec()
    raw = mixed_raw(spec, 60)
    table = to_pandas(spec, raw)
    body = json.dumps({"rows": raw.drop(TARGET).to_dicts()}, default=dt.datetime.isoformat).encode()
    rows = RowValidator(spec).parse(body)
    features = table[list(spec.feature_columns)].reset_index(drop=True)
    frame = rows_to_frame(spec, rows)
    pd.testing.assert_frame_equal(frame, features)
    plan = plan_for(spec).fit(table, table[TARGET].to_numpy())
    np.testing.assert_array_equal(plan.transform(frame), plan.transform(table))
    log = PredictionLog(tmp_path / "predictions.db")
    asked = LoggedRequest("r", "mixed", "1", 5.0, 1.0, len(rows), "answered")
    log.record(asked, rows, [{"prediction": 1.0}] * len(rows))
    window = LiveWindow.take(log, spec, WindowBounds(0.0, 10.0))
    (tmp_path / "window").mkdir()
    window.save(tmp_path / "window")
    for rows_back in (window.rows, LiveWindow.load(tmp_path / "window").rows):
        pd.testing.assert_frame_equal(rows_back[list(spec.feature_columns)], features)


def test_what_was_logged_under_another_contract_and_no_longer_fits_is_missing(tmp_path: Path) -> None:
    spec = mixed_spec()
    log = PredictionLog(tmp_path / "predictions.db")
    logged = {SIZE: "large", ROOMS: None, LIFT: "yes", STREET: 5, BUILT: "some day", NOTES: True}
    log.record(LoggedRequest("r", "mixed", "1", 5.0, 1.0, 1, "answered"), [logged], [{"prediction": 1.0}])
    columns = {name: spec.columns[name] for name in spec.feature_columns}
    window = log.window("mixed", since=0.0, columns=columns)
    assert window[list(columns)].isna().all(axis=None)
    assert window.dtypes[[SIZE, ROOMS, BUILT, NOTES]].astype(str).tolist() == [
        "float64",
        "float64",
        "datetime64[us]",
        "object",
    ]
    assert log.window("mixed", since=9.0, columns=columns).dtypes[BUILT] == "datetime64[us]"


def test_a_late_label_of_an_open_list_of_classes_is_any_string() -> None:
    validator = LabelValidator(mixed_spec(Task.CLASSIFICATION))
    assert validator.check(" class <1> ") == "class <1>"
    for label in (1, None, "", "a\0b"):
        with pytest.raises(RowsError, match="label"):
            validator.check(label)
