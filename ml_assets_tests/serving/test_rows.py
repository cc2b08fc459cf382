import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_world import HOUSES, PLANTS, house_rows

from ml_assets.datasets.contracts import load_contracts
from ml_assets.serving.rows import LabelValidator, RowsError, RowValidator, rows_to_frame

VALIDATOR = RowValidator(HOUSES)
GOOD = {"area": 100.0, "rooms": 3, "age": 12.5, "colour of door": "red"}


def problems(*rows):
    with pytest.raises(RowsError) as refused:
        VALIDATOR.parse(json.dumps({"rows": rows}).encode())
    return [(p.row, p.field) for p in refused.value.problems]


def parse(row):
    return VALIDATOR.parse(json.dumps({"rows": [row]}).encode())[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("area", True),
        ("area", "100"),
        ("area", None),
        ("area", [1]),
        ("area", math.nan),
        ("area", -math.inf),
        ("area", 1e39),
        ("area", 10**400),
        ("rooms", 2.5),
        ("rooms", False),
        ("rooms", 2**63),
        ("rooms", "3"),
        ("age", "old"),
        ("colour of door", "blue"),
        ("colour of door", 1),
        ("colour of door", None),
        ("owner", "somebody"),
        ("price", 1.0),
        ("f0", 1.0),
    ],
)
def test_a_bad_value_is_refused_with_its_row_and_field(field, value):
    assert problems(GOOD, GOOD | {field: value}) == [(1, field)]


def test_a_missing_field_is_named_and_every_bad_row_is_listed():
    without = {k: v for k, v in GOOD.items() if k != "rooms"}
    assert problems(without, GOOD, GOOD | {"area": "x"}) == [(0, "rooms"), (2, "area")]


def test_an_unknown_field_gets_the_nearest_name():
    with pytest.raises(RowsError, match=r"row 0, field 'aera'.*did you mean 'area'"):
        parse(GOOD | {"aera": 1})


def test_only_a_column_that_may_be_missing_may_be_null_or_left_out():
    assert parse(GOOD | {"age": None})["age"] is None
    assert parse({k: v for k, v in GOOD.items() if k != "age"})["age"] is None


def test_a_number_outside_the_contracts_range_is_accepted():
    assert parse(GOOD | {"area": 5000.0})["area"] == 5000.0


def test_whole_numbers_pass_for_integers_and_integers_for_floats():
    row = parse(GOOD | {"rooms": 3.0, "area": 7})
    assert (row["rooms"], row["area"]) == (3, 7.0)
    assert (type(row["rooms"]), type(row["area"])) == (int, float)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"rows": [{"area": "\xff"}]}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "has to be an object"),
        (b"{}", "has to be an object"),
        (b'{"rows": {}}', "has to be an object"),
        (b'{"rows": []}', "1 to 10000 rows"),
        (b'{"rows": [1]}', "row 0: a row has to be an object"),
        (b'{"rows": [], "more": 1}', "rows"),
    ],
)
def test_a_body_of_the_wrong_shape_is_explained(body, complaint):
    with pytest.raises(RowsError, match=complaint):
        VALIDATOR.parse(body)


def test_more_rows_than_a_request_may_have_are_refused():
    with pytest.raises(RowsError, match="1 to 10000 rows"):
        VALIDATOR.parse(json.dumps({"rows": [GOOD] * 10_001}).encode())


def test_many_problems_are_cut_short_and_counted():
    with pytest.raises(RowsError, match="and 499 more") as refused:
        VALIDATOR.parse(json.dumps({"rows": [GOOD | {"area": "x"}] * 500}).encode())
    assert len(refused.value.problems) == 20


def test_the_table_has_the_contracts_order_and_dtypes():
    rows = [dict(reversed(row.items())) for row in house_rows(20)] + [GOOD | {"age": None}]
    frame = rows_to_frame(HOUSES, rows)
    assert list(frame.columns) == ["area", "rooms", "age", "colour of door"]
    assert [str(dtype) for dtype in frame.dtypes] == ["float64", "int64", "float64", "object"]
    assert np.isnan(frame["age"].iloc[-1])


def test_every_contract_of_the_package_takes_a_row_of_its_own():
    for spec in load_contracts().values():
        row = {
            name: (column.allowed or ("label",))[0] if column.dtype == "category" else 1
            for name, column in spec.columns.items()
            if name in spec.feature_columns
        }
        parsed = RowValidator(spec).parse(json.dumps({"rows": [row]}).encode())
        assert list(rows_to_frame(spec, parsed).columns) == list(spec.feature_columns)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["red"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, json_values)), max_size=4))
def test_whatever_json_comes_it_is_refused_or_makes_a_finite_table(rows):
    try:
        parsed = VALIDATOR.parse(json.dumps({"rows": rows}).encode())
    except RowsError:
        return
    frame = rows_to_frame(HOUSES, parsed)
    assert len(frame) == len(rows)
    assert np.isfinite(frame[["area", "rooms"]].to_numpy(dtype=np.float64)).all()
    assert set(frame["colour of door"]) <= {"red", "green"}


def test_labels_are_held_to_the_target():
    assert LabelValidator(PLANTS).check("fern") == "fern"
    assert LabelValidator(HOUSES).check(12) == 12.0
    for spec, label in [(PLANTS, "rose"), (PLANTS, 1), (HOUSES, "12"), (HOUSES, None), (HOUSES, math.nan)]:
        with pytest.raises(RowsError, match="label"):
            LabelValidator(spec).check(label)
